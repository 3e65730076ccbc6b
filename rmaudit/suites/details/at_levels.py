"""The probe's own effect at each level of a factor that the probe averages over or holds fixed."""

from __future__ import annotations

from typing import Literal

from rmaudit.stats.intervals import mean_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level

FEWEST_CLUSTERS = 3


class AtLevels(DetailSpec):
    """The same measure with its arms restricted to one level after another."""

    detail: Literal["at-levels"]
    factor: str
    levels: list[Level]
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """A mean effect in the probe's unit for each level, over the items that have its arms; not corrected."""
        return Detail(
            detail=self.detail,
            title=self.title or f"Effect at each {self.factor.replace('_', ' ')}",
            estimate=Estimate(estimate=None),
            unit=context.probe.unit,
            formula=f"the probe's effect over the arms at each level of {self.factor} alone",
            values=[self._at(level, context) for level in self.levels],
        )

    def _at(self, level: Level, context: Context) -> DetailValue:
        from rmaudit.suites.designs import reader

        measure = context.probe.measure
        read = reader(measure.model_copy(update={"where": measure.where | {self.factor: level}}))
        effects, clusters = [], []
        for item in context.items:
            reading = read(item)
            have = context.rewards.get(item.id, {})
            if reading is not None and reading.roles.keys() <= have.keys():
                effects.append(reading.effect(have))
                clusters.append(item.cluster)
        count = len(set(clusters))
        if count < FEWEST_CLUSTERS:
            return DetailValue(label=str(level), estimate=Estimate(estimate=None), n_clusters=count)
        found = mean_interval(effects, clusters)
        estimate = Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
        return DetailValue(label=str(level), estimate=estimate, n_clusters=count)
