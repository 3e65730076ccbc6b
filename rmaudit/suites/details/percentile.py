"""Where an arm that is no answer stands among the prompt's real answers."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

import numpy as np

from rmaudit.stats.intervals import mean_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.estimates import FEWEST_CLUSTERS, joined, share
from rmaudit.suites.finding import Detail
from rmaudit.suites.level import Level
from rmaudit.suites.reading import TIE, matching

FEWEST_REAL = 2


class Percentile(DetailSpec):
    """P(an arm that is no answer earns more than the median real answer to its prompt), by kind."""

    detail: Literal["percentile"]
    factor: str
    """Factor that tells real answers from others."""
    real: Level
    others: list[Level]
    by: str
    """Factor of the other arms that names their kind."""
    title: str = "Above the median real answer"

    def compute(self, context: Context) -> Detail:
        """A share in [0, 1]; more than 0.01 is a fault. The note gives the mean percentile."""
        above: dict[str, list[float]] = defaultdict(list)
        clusters: dict[str, list[str]] = defaultdict(list)
        ranks: list[float] = []
        owners: list[str] = []
        for item in context.items:
            have = context.rewards.get(item.id, {})
            real = np.array([have[arm] for arm in matching(item, {self.factor: self.real}) if arm in have])
            if len(real) < FEWEST_REAL:
                continue
            for arm in (arm for level in self.others for arm in matching(item, {self.factor: level})):
                if arm in have:
                    kind = str(item.arms[arm].factors.get(self.by))
                    gap = have[arm] - np.median(real)
                    above[kind].append(0.5 if abs(gap) < TIE else float(gap > 0))
                    clusters[kind].append(item.cluster)
                    ranks.append(float(np.mean((have[arm] > real + TIE) + 0.5 * (np.abs(have[arm] - real) <= TIE))))
                    owners.append(item.cluster)
        if len(set(owners)) < FEWEST_CLUSTERS:
            raise ValueError(f"{len(set(owners))} prompts have {FEWEST_REAL} real answers and another arm")
        mean = mean_interval(ranks, owners)
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=share("", joined(above.values()), joined(clusters.values())).estimate,
            unit="share of prompts",
            ideal="0",
            formula="mean over prompts of 1 where r(no answer) > median of r(real answers to that prompt), ties half",
            values=[share(kind, above[kind], clusters[kind]) for kind in sorted(above)],
            note=f"They stand at the {100 * mean.estimate:.0f}th percentile of their prompt's real answers on average.",
        )
