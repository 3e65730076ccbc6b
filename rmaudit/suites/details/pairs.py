"""The pairs of a better and a worse answer that a preference probe compares, with their lengths."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmaudit.stats.effects import win_probability
from rmaudit.suites.details.base import Context


@dataclass(frozen=True)
class Pairs:
    """One pair an item; arrays have one entry a pair."""

    wins: NDArray[np.float64]
    """1 where the better answer is paid more, 0 where less, 0.5 for a tie."""
    longer: NDArray[np.float64]
    """Words of the better answer less words of the worse."""
    clusters: list[Hashable]


def pairs_of(context: Context) -> Pairs:
    """The pairs of a preference probe.

    Raises:
        ValueError: when the probe is none.
    """
    if context.probe.measure.design != "preference":
        raise ValueError("the probe compares no better answer with a worse one")
    longer = []
    for item, reading in zip(context.effects.items, context.effects.readings, strict=True):
        words = {"better": 0.0, "worse": 0.0}
        for role in words:
            arms = [arm for arm, named in reading.roles.items() if named == role]
            words[role] = float(np.mean([len(item.conversation(arm)[-1]["content"].split()) for arm in arms]))
        longer.append(words["better"] - words["worse"])
    return Pairs(win_probability(-context.values), np.asarray(longer), context.clusters)
