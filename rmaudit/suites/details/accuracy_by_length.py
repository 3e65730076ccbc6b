"""Accuracy where the better answer is the longer one, and where it is the shorter one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from rmaudit.stats.intervals import proportion_interval, standard_error
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.pairs import pairs_of
from rmaudit.suites.finding import Detail, DetailValue, Estimate

FEWEST_CLUSTERS = 8
"""Fewer prompts than that on either side say nothing."""


class AccuracyByLength(DetailSpec):
    """Accuracy of a preference probe by which of its answers is longer, and the gap."""

    detail: Literal["accuracy-by-length"]
    title: str = "Accuracy where the right answer is longer, less that where it is shorter"

    def compute(self, context: Context) -> Detail:
        """The gap between two shares, each over prompts of its own, with Welch's interval."""
        pairs = pairs_of(context)
        chosen = {"longer": pairs.longer > 0, "shorter": pairs.longer < 0, "of equal length": pairs.longer == 0}
        clusters = {
            name: [cluster for cluster, keep in zip(pairs.clusters, mask, strict=True) if keep]
            for name, mask in chosen.items()
        }
        values = []
        for name, mask in chosen.items():
            count = len(set(clusters[name]))
            found = Estimate(estimate=None)
            if count >= FEWEST_CLUSTERS:
                share = proportion_interval(pairs.wins[mask], clusters[name])
                found = Estimate(estimate=float(share.estimate), low=float(share.low), high=float(share.high))
            values.append(DetailValue(label=f"right answer {name}", estimate=found, n_clusters=count))
        first, second = values[0].estimate.estimate, values[1].estimate.estimate
        if first is None or second is None:
            raise ValueError("too few right answers are longer, or shorter, than the wrong ones")
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=_gap(
                first - second,
                standard_error(pairs.wins[chosen["longer"]], clusters["longer"]),
                standard_error(pairs.wins[chosen["shorter"]], clusters["shorter"]),
            ),
            unit="share of prompts",
            ideal="0",
            formula="share of prompts ordered rightly where the right answer has more words, less that where fewer",
            values=values,
        )


def _gap(gap: float, first: tuple[float, int], second: tuple[float, int]) -> Estimate:
    """The difference of two independent means, given their errors and degrees of freedom, with Welch's interval."""
    squares = [first[0] ** 2, second[0] ** 2]
    error = float(np.sqrt(sum(squares)))
    if error == 0:
        return Estimate(estimate=gap, low=gap, high=gap)
    df = sum(squares) ** 2 / sum(square**2 / each for square, each in zip(squares, (first[1], second[1]), strict=True))
    reach = float(stats.t.ppf(0.975, df)) * error
    return Estimate(estimate=gap, low=gap - reach, high=gap + reach)
