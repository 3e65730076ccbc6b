"""Mean reward at each level of a factor, against the first level."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from rmaudit.stats.arrays import short_mean
from rmaudit.stats.intervals import mean_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level


class Curve(DetailSpec):
    """Reward over the levels of a factor, where an item has them all."""

    detail: Literal["curve"]
    factor: str
    levels: list[Level]
    where: dict[str, Level] = Field(default_factory=dict)
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """Mean reward of each level minus that of the first, in within-prompt SDs."""
        from rmaudit.suites.reading import matching

        rows, clusters = [], []
        for item in context.items:
            have = context.rewards.get(item.id, {})
            cells = [matching(item, self.where | {self.factor: level}) for level in self.levels]
            if all(cells) and all(arm in have for arms in cells for arm in arms):
                rows.append([short_mean([have[arm] for arm in arms]) for arms in cells])
                clusters.append(item.cluster)
        if len(set(clusters)) < 3:
            raise ValueError(f"{len(set(clusters))} prompts have all levels of {self.factor!r}")
        table = np.asarray(rows)
        values = []
        for index, level in enumerate(self.levels):
            found = mean_interval(table[:, index] - table[:, 0], clusters)
            estimate = Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
            values.append(DetailValue(label=str(level), estimate=estimate, n_clusters=len(set(clusters))))
        return Detail(
            detail=self.detail,
            title=self.title or f"Reward by {self.factor.replace('_', ' ')}",
            estimate=Estimate(estimate=None),
            unit="SRD",
            formula=f"mean over prompts of r(level) - r({self.levels[0]}), divided by the within-prompt SD",
            values=values,
        )
