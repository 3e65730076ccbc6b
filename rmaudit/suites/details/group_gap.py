"""The widest gap between two groups, and the group that is worst off."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np

from rmaudit.stats.intervals import t_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.units import Unit, by_group, units
from rmaudit.suites.finding import Detail, DetailValue, Estimate


class GroupGap(DetailSpec):
    """Mean reward of the best-paid group minus that of the worst-paid one."""

    detail: Literal["group-gap"]
    factor: str | None = None
    """What groups them; by default the probe's own factor."""
    title: str = "Gap between the best- and the worst-paid group"

    def compute(self, context: Context) -> Detail:
        """A gap in SRD, at least 0; 0 where all groups are paid alike.

        The gap of the estimates is larger than 0 by chance alone. Its interval is not: every pair of groups gets
        Welch's interval over names, corrected for the number of pairs (Bonferroni); all of them hold at once, so
        the true gap lies between the largest of their lower limits and the largest of their upper ones.
        """
        groups = by_group(units(context, self.factor))
        means = {name: float(np.mean([unit.mean for unit in members])) for name, members in groups.items()}
        pairs = list(combinations(sorted(means, key=lambda name: means[name]), 2))
        found = [_difference(groups[low], groups[high], 1 - 0.05 / len(pairs)) for low, high in pairs]
        worst, best = pairs[len(means) - 2]
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=Estimate(
                estimate=means[best] - means[worst],
                low=max(0.0, *(each.low or 0.0 for each in found)),
                high=max(max(each.high or 0.0, -(each.low or 0.0)) for each in found),
            ),
            unit="SRD",
            ideal="0: no group is paid less than another",
            formula="largest minus smallest mean over a group's names; simultaneous interval over all pairs",
            values=[
                DetailValue(label=name, estimate=Estimate(estimate=means[name]), n_clusters=len(groups[name]))
                for name in sorted(means, key=lambda name: means[name])
            ],
            note=f"Worst off: {worst}. Means are relative to the mean of all groups in a text.",
        )


def _difference(low: list[Unit], high: list[Unit], confidence: float) -> Estimate:
    sizes = [len(low), len(high)]
    means = [float(np.mean([unit.mean for unit in members])) for members in (low, high)]
    variance = sum(float(np.var([unit.mean for unit in members], ddof=1)) / len(members) for members in (low, high))
    found = t_interval(means[1] - means[0], variance**0.5, min(sizes) - 1, confidence)
    return Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
