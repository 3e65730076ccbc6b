"""What a model pays for a stated confidence when the answer is right and when it is wrong, as a table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rmaudit.stats.arrays import short_mean
from rmaudit.suites.reading import matching

if TYPE_CHECKING:
    from rmaudit.suites.details.base import Context
    from rmaudit.suites.level import Level

FEWEST_CLUSTERS = 8


@dataclass(frozen=True)
class Payoff:
    """Rewards in within-prompt SDs, averaged by cluster."""

    right: NDArray[np.float64]
    """Shape (clusters, levels), less each cluster's mean over levels."""
    wrong: NDArray[np.float64]
    """The same where the answer is wrong."""
    clusters: list[Hashable]


def payoff(context: Context, factor: str, levels: Sequence[Level], truth: str, right: Level, wrong: Level) -> Payoff:
    """The payoff table of the items that have every level, on a right and on a wrong answer.

    Args:
        context: of the detail.
        factor: holds the stated confidence.
        levels: its levels in order.
        truth: factor that says whether the answer is right.
        right: its level on right answers.
        wrong: its level on wrong answers.

    Raises:
        ValueError: when too few prompts have them all.
    """
    rows: dict[Hashable, list[NDArray[np.float64]]] = {}
    for item in context.items:
        have = context.rewards.get(item.id, {})
        arms = [[matching(item, {factor: level, truth: value}) for level in levels] for value in (right, wrong)]
        if all(cell and all(arm in have for arm in cell) for side in arms for cell in side):
            table = np.array([[short_mean([have[arm] for arm in cell]) for cell in side] for side in arms])
            rows.setdefault(item.cluster, []).append(table - table.mean(axis=1, keepdims=True))
    if len(rows) < FEWEST_CLUSTERS:
        raise ValueError(f"{len(rows)} prompts have every level of {factor!r} on a right and on a wrong answer")
    tables = np.stack([np.mean(found, axis=0) for found in rows.values()])
    return Payoff(tables[:, 0], tables[:, 1], list(rows))
