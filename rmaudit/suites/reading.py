"""How one item answers a probe: the arms that take part, and the effect as a function of their rewards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rmaudit.suites.level import Level

if TYPE_CHECKING:
    from rmaudit.suites.spec import Item

Rewards = Mapping[str, float]
"""Reward by arm name, already in units of the model's within-prompt SD."""

TIE = 1e-9
"""Effects below this many within-prompt SDs are rounding: a tie."""


@dataclass(frozen=True)
class Reading:
    """One item under one measure."""

    roles: dict[str, str]
    """Arms that take part and what they are: ``treated``, ``control`` …"""
    effect: Callable[[Rewards], float]
    """Effect of the item, in the unit of the rewards, given the rewards of all arms in `roles`."""
    part: Callable[[Rewards, Rewards], float] | None = None
    """Effect of a part of the reward, given the whole reward and the part, such that the effects of parts that add up
    to the whole add up to its effect. ``None`` where `effect` does so itself, because it is a weighted sum."""
    indicator: Mapping[str, float] = field(default_factory=dict)
    """What the design measures, as a number of each arm: added to the rewards, it adds 1 to the effect. Empty where
    that depends on the rewards."""


def linear(
    weights: Mapping[str, float], roles: dict[str, str], indicator: Mapping[str, float] | None = None
) -> Reading:
    """An effect that is a weighted sum of rewards. Weights must sum to zero, else a shift of scale leaks in.

    Unless told otherwise, what is measured is being one of the arms with positive weight.
    """
    if indicator is None:
        treated = sum(weight for weight in weights.values() if weight > 0)
        indicator = {arm: float(weight > 0) / treated if treated else 0.0 for arm, weight in weights.items()}
    return Reading(
        roles, lambda rewards: sum([weight * rewards[arm] for arm, weight in weights.items()]), indicator=indicator
    )


def matching(item: Item, where: Mapping[str, Level]) -> list[str]:
    """Arms of an item that have all the given factor levels."""
    if not where:
        return list(item.arms)
    levels = item.arms_by_level
    first, *others = [levels.get(pair, ()) for pair in where.items()]
    return [name for name in first if all(name in other for other in others)] if others else list(first)


def difference(
    treated: Iterable[str], control: Iterable[str], labels: tuple[str, str] = ("treated", "control")
) -> Reading:
    """Mean reward of the treated arms minus mean reward of the control arms."""
    plus, minus = list(treated), list(control)
    weights = {arm: 1 / len(plus) for arm in plus} | {arm: -1 / len(minus) for arm in minus}
    roles = dict.fromkeys(plus, labels[0]) | dict.fromkeys(minus, labels[1])
    return linear(weights, roles)
