"""On how many prompts does the effect point one way? For false claims this is the tilt rate."""

from __future__ import annotations

from typing import Literal

from rmaudit.stats.effects import win_probability
from rmaudit.stats.intervals import proportion_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, Estimate


class SharePositive(DetailSpec):
    """Share of prompts with a positive effect, ties half."""

    detail: Literal["share-positive"]
    title: str = "Share of prompts with a positive effect"

    def compute(self, context: Context) -> Detail:
        """A share in [0, 1] with its cluster-aware interval; a fair coin gives 0.5."""
        found = proportion_interval(win_probability(context.values), context.clusters)
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high)),
            unit="share of prompts",
            formula="mean over prompts of 1 where the effect is above 0, of a half where it is 0",
        )
