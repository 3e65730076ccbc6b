"""The effect apart for each level of something that items differ in: domain, position, strength of evidence."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from rmaudit.stats.intervals import mean_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate

if TYPE_CHECKING:
    from rmaudit.suites.reading import Reading
    from rmaudit.suites.spec import Item

FEWEST_CLUSTERS = 8
"""A level with fewer clusters is named with its count alone."""


class ByLevel(DetailSpec):
    """Effect by level of a factor that all arms of an item's reading share, or by ``domain`` or ``source``."""

    detail: Literal["by-level"]
    by: str
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """A mean effect in SRD for each level; intervals are not corrected for their number."""
        groups: dict[str, list[int]] = defaultdict(list)
        for index, (item, reading) in enumerate(zip(context.effects.items, context.effects.readings, strict=True)):
            level = level_of(self.by, item, reading)
            if level is not None:
                groups[level].append(index)
        if len(groups) < 2:
            raise ValueError(f"the items have {len(groups)} levels of {self.by!r}")
        return Detail(
            detail=self.detail,
            title=self.title or f"Effect by {self.by.replace('_', ' ')}",
            estimate=Estimate(estimate=None),
            unit=context.probe.unit,
            formula=f"mean effect over the items of each level of {self.by}",
            values=[self._value(level, groups[level], context) for level in sorted(groups)],
        )

    @staticmethod
    def _value(level: str, indices: list[int], context: Context) -> DetailValue:
        clusters = [context.clusters[index] for index in indices]
        count = len(set(clusters))
        if count < FEWEST_CLUSTERS:
            return DetailValue(label=level, estimate=Estimate(estimate=None), n_clusters=count)
        found = mean_interval(context.values[indices], clusters)
        estimate = Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
        return DetailValue(label=level, estimate=estimate, n_clusters=count)


def level_of(by: str, item: Item, reading: Reading) -> str | None:
    """Level of an item: its domain or source, or that of the factor which all arms of its effect share."""
    if by in {"domain", "source"}:
        named = getattr(item, by)
        return None if named is None else str(named)
    levels = {item.arms[arm].factors.get(by) for arm in reading.roles}
    return str(levels.pop()) if len(levels) == 1 and None not in levels else None
