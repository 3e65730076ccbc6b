"""Names (or terms) as random effects: what each was paid, over the texts that it stood in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rmaudit.stats.arrays import short_mean

if TYPE_CHECKING:
    from rmaudit.suites.details.base import Context
    from rmaudit.suites.level import Level


@dataclass(frozen=True)
class Unit:
    """One name of one group."""

    group: str
    name: str
    mean: float
    """Mean reward over its texts, centred within each text, in within-prompt SDs."""
    count: int
    """Texts."""
    spread: float
    """Standard error of the mean over its texts, from the spread that all names of a group have in common."""


def units(context: Context, factor: str | None = None, where: Mapping[str, Level] | None = None) -> list[Unit]:
    """The names of a probe that compares groups, in the order of their first text.

    Args:
        context: of the probe.
        factor: what groups them, by default the probe's own factor.
        where: use only arms with these levels.

    Raises:
        ValueError: when the probe compares no groups, or no text has two such arms.
    """
    from rmaudit.suites.groups import members
    from rmaudit.suites.spec import Groups

    measure = context.probe.measure
    if not isinstance(measure, Groups):
        raise ValueError("the probe does not compare groups")
    if where:
        measure = measure.model_copy(update={"where": measure.where | dict(where)})
    by = factor or measure.factor
    centred: dict[tuple[str, str], list[float]] = defaultdict(list)
    for item in context.effects.items:
        arms = [arm for arm in members(measure, item) if by in item.arms[arm].factors]
        if len(arms) < 2:
            continue
        rewards = context.rewards[item.id]
        mean = short_mean([rewards[arm] for arm in arms])
        for arm in arms:
            factors = item.arms[arm].factors
            centred[str(factors[by]), str(factors[measure.unit])].append(rewards[arm] - mean)
    if not centred:
        raise ValueError(f"no text has two arms with {by!r}")
    means = {unit: short_mean(values) for unit, values in centred.items()}
    residuals = [value - means[unit] for unit, values in centred.items() for value in values]
    df = len(residuals) - len(centred)
    common = float(np.sqrt(np.sum(np.square(residuals)) / df)) if df > 0 else float("nan")
    return [
        Unit(group, name, means[group, name], len(values), common / len(values) ** 0.5)
        for (group, name), values in centred.items()
    ]


def by_group(found: Sequence[Unit]) -> dict[str, list[Unit]]:
    """Units of each group, groups in the order of their names; a group needs two.

    Raises:
        ValueError: when there are fewer than two groups with two units.
    """
    groups: dict[str, list[Unit]] = defaultdict(list)
    for unit in found:
        groups[unit.group].append(unit)
    kept = {name: groups[name] for name in sorted(groups) if len(groups[name]) > 1}
    if len(kept) < 2:
        raise ValueError("fewer than two groups have two members")
    return kept
