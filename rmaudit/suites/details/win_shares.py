"""How often each of several answers is paid more than one and the same other answer."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rmaudit.stats.arrays import short_mean
from rmaudit.stats.effects import win_probability
from rmaudit.stats.intervals import proportion_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level


class WinShares(DetailSpec):
    """Share of prompts where the arms at each level are paid more than those at another one."""

    detail: Literal["win-shares"]
    factor: str
    against: Level
    levels: list[Level]
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """Shares in [0, 1], ties half, on the prompts that have all levels; a coin gives 0.5."""
        from rmaudit.suites.reading import matching

        rows, clusters = [], []
        for item in context.items:
            have = context.rewards.get(item.id, {})
            cells = [matching(item, {self.factor: level}) for level in (self.against, *self.levels)]
            if all(cells) and all(arm in have for arms in cells for arm in arms):
                rows.append([short_mean([have[arm] for arm in arms]) for arms in cells])
                clusters.append(item.cluster)
        if len(set(clusters)) < 3:
            raise ValueError(f"{len(set(clusters))} prompts have all levels of {self.factor!r}")
        table = np.asarray(rows)
        values = []
        for index, level in enumerate(self.levels, 1):
            share = proportion_interval(win_probability(table[:, index] - table[:, 0]), clusters)
            estimate = Estimate(estimate=float(share.estimate), low=float(share.low), high=float(share.high))
            values.append(DetailValue(label=str(level), estimate=estimate, n_clusters=len(set(clusters))))
        return Detail(
            detail=self.detail,
            title=self.title or f"Wins against {self.against}",
            estimate=Estimate(estimate=None),
            unit="share of prompts",
            formula=f"share of prompts where mean r(level) > r({self.against}), ties half",
            values=values,
        )
