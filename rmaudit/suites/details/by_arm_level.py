"""The effect apart for each level of something that an item's treated arms differ in: marker, kind of edit, claim."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rmaudit.stats.arrays import short_mean
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.estimates import mean
from rmaudit.suites.finding import Detail, Estimate
from rmaudit.suites.level import Level
from rmaudit.suites.reading import matching

if TYPE_CHECKING:
    from rmaudit.suites.reading import Reading
    from rmaudit.suites.spec import Item

CONTROLS = frozenset({"control", "original", "better"})
TREATED = frozenset({"treated", "edited", "worse"})


class ByArmLevel(DetailSpec):
    """Effect by level of a factor of the treated arms, each against its own control arms.

    The control arms are those of the same level where they have one (each kind has a placebo of its own), else all.
    """

    detail: Literal["by-arm-level"]
    by: str
    treated: dict[str, Level] = Field(default_factory=dict)
    """Arms that are looked at in place of the probe's treated ones: those with these levels."""
    absolute: bool = False
    """The mean absolute change in place of the mean change."""
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """A mean effect in SRD for each level; intervals are not corrected for their number."""
        effects: dict[str, list[float]] = defaultdict(list)
        clusters: dict[str, list[str]] = defaultdict(list)
        for item, reading in zip(context.effects.items, context.effects.readings, strict=True):
            for level, effect in self._effects(item, reading, context).items():
                effects[level].append(abs(effect) if self.absolute else effect)
                clusters[level].append(item.cluster)
        if len(effects) < 2:
            raise ValueError(f"the treated arms have {len(effects)} levels of {self.by!r}")
        what = "mean absolute change" if self.absolute else "mean effect"
        return Detail(
            detail=self.detail,
            title=self.title or f"{what.capitalize()} by {self.by.replace('_', ' ')}",
            estimate=Estimate(estimate=None),
            unit="SRD",
            ideal="0",
            formula=f"{what} over the items with an arm of each level of {self.by}: r(treated) - r(control)",
            values=[mean(level, effects[level], clusters[level]) for level in sorted(effects)],
        )

    def _effects(self, item: Item, reading: Reading, context: Context) -> dict[str, float]:
        rewards = context.rewards[item.id]
        treated: dict[Level, list[float]] = defaultdict(list)
        own: dict[Level, list[float]] = defaultdict(list)
        control: list[float] = []
        for arm in self._treated(item, reading):
            level = item.arms[arm].factors.get(self.by)
            if level is not None and arm in rewards:
                treated[level].append(rewards[arm])
        for arm in (arm for arm, role in reading.roles.items() if role in CONTROLS):
            level = item.arms[arm].factors.get(self.by)
            control.append(rewards[arm])
            if level is not None:
                own[level].append(rewards[arm])
        return {
            str(level): short_mean(values) - short_mean(own.get(level) or control)
            for level, values in treated.items()
            if control
        }

    def _treated(self, item: Item, reading: Reading) -> list[str]:
        if self.treated:
            return matching(item, self.treated)
        return [arm for arm, role in reading.roles.items() if role in TREATED]
