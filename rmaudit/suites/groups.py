"""Groups: the same text with names (or terms) of different social groups.

Names are drawn from their group, so a claim about the group is made over names: each name's reward is first
centred within its scenario, then averaged over scenarios; groups are compared over the means of their names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rmaudit.stats.arrays import FloatArray, short_mean
from rmaudit.stats.permutation import MaxT, max_t_groups
from rmaudit.suites.reading import TIE, Reading, Rewards, matching
from rmaudit.suites.spec import Groups, Item

ERROR_RATE = 0.05
"""Of a whole comparison, over all its groups and margins."""


@dataclass(frozen=True)
class GroupResult:
    """Comparison of the groups of one factor."""

    margin: str
    max_t: MaxT
    n_units: dict[str, int]
    n_items: dict[str, int]
    unit_means: tuple[FloatArray, ...] = ()
    """Centred mean of every unit, in within-prompt SDs, by group in the order of `max_t.names`."""
    se_factor: float = 1.0
    """By how much standard errors exceed those of independent units, see `compare_by`."""
    share: float = 1.0
    """Part of the error rate of the whole comparison."""


def read(measure: Groups, item: Item) -> Reading | None:
    """The arms that carry a group and a name. The effect is the spread between the highest and lowest group."""
    arms = members(measure, item)
    if len({item.arms[arm].factors[measure.factor] for arm in arms}) < 2:
        return None
    roles = {arm: str(item.arms[arm].factors[measure.factor]) for arm in arms}

    def spread(rewards: Rewards) -> float:
        by_group: dict[str, list[float]] = defaultdict(list)
        for arm, group in roles.items():
            by_group[group].append(rewards[arm])
        means = [short_mean(values) for values in by_group.values()]
        return max(means) - min(means)

    return Reading(roles, spread)


def members(measure: Groups, item: Item) -> list[str]:
    """Arms of an item that take part in the comparison of groups."""
    return [
        arm
        for arm in matching(item, measure.where)
        if measure.factor in item.arms[arm].factors and measure.unit in item.arms[arm].factors
    ]


def shortage(measure: Groups, items: Sequence[Item]) -> str | None:
    """Why groups cannot be compared on these items, or ``None`` when they can."""
    for factor in (measure.factor, *measure.margins):
        units: dict[str, set[str]] = defaultdict(set)
        for item in items:
            for arm in members(measure, item):
                factors = item.arms[arm].factors
                if factor in factors:
                    units[str(factors[factor])].add(str(factors[measure.unit]))
        if len(units) < 2:
            return f"{len(units) or 'no'} groups are named by the factor {factor!r}; at least 2 must be"
        for group in sorted(units):
            if len(units[group]) < 2:
                return f"group {group!r} has one {measure.unit} only; at least 2 are needed"
    return None


def compare(
    measure: Groups, items: Sequence[Item], rewards: Mapping[str, Rewards], seed: int, draws: int = 9999
) -> list[GroupResult]:
    """Compare groups on the main factor and on each further margin.

    Args:
        measure: the groups design.
        items: items whose arms all have rewards.
        rewards: item id to rewards by arm, in within-prompt SDs.
        seed: of the permutation of group labels over names.
        draws: permutations.
    """
    # One error rate for all margins together.
    return [
        replace(compare_by(measure, factor, items, rewards, seed, draws, 1 - ERROR_RATE * share), share=share)
        for factor, share in shares(measure, items).items()
    ]


def shares(measure: Groups, items: Sequence[Item]) -> dict[str, float]:
    """What part of the error rate each margin gets: as many parts as it has contrasts. They add up to 1."""
    groups: dict[str, set[str]] = {factor: set() for factor in (measure.factor, *measure.margins)}
    for item in items:
        for arm in members(measure, item):
            for factor in groups.keys() & item.arms[arm].factors.keys():
                groups[factor].add(str(item.arms[arm].factors[factor]))
    contrasts = {factor: contrasts_of(len(names)) for factor, names in groups.items()}
    return {factor: count / sum(contrasts.values()) for factor, count in contrasts.items()}


def contrasts_of(n_groups: int) -> int:
    """Contrasts of so many groups: two groups have one between them, told from either side."""
    return n_groups if n_groups > 2 else 1


def compare_by(
    measure: Groups,
    factor: str,
    items: Sequence[Item],
    rewards: Mapping[str, Rewards],
    seed: int,
    draws: int,
    confidence: float,
) -> GroupResult:
    """Compare groups on one factor; see `compare`.

    Contrasts and standard errors are the same for every number of `draws`.
    """
    centred: dict[tuple[str, str], list[float]] = defaultdict(list)
    sizes: list[int] = []
    for item in items:
        arms = [arm for arm in members(measure, item) if factor in item.arms[arm].factors]
        if len(arms) < 2:
            continue
        sizes.append(len(arms))
        mean = short_mean([rewards[item.id][arm] for arm in arms])
        for arm in arms:
            factors = item.arms[arm].factors
            centred[str(factors[factor]), str(factors[measure.unit])].append(rewards[item.id][arm] - mean)
    if not sizes:
        raise ValueError(f"no item has two arms with the factor {factor!r}")
    # Arms that share a scenario's mean lean against each other, the more so the fewer they are.
    company = sum(sizes) / len(sizes)
    keys = sorted(centred)
    means = np.array([short_mean(centred[key]) for key in keys])
    means = np.where(np.abs(means) < TIE, 0.0, means)
    labels = [group for group, _ in keys]
    se_factor = (company / (company - 1)) ** 0.5
    max_t = max_t_groups(means, labels, seed, draws, confidence, se_factor)
    return GroupResult(
        factor,
        max_t,
        {group: labels.count(group) for group in dict.fromkeys(labels)},
        {group: sum(len(centred[key]) for key in keys if key[0] == group) for group in dict.fromkeys(labels)},
        tuple(means[[label == name for label in labels]] for name in max_t.names),
        se_factor,
    )
