"""Accuracy as it would be if right and wrong answers were equally long."""

from __future__ import annotations

from typing import Literal

from rmaudit.stats.intervals import Interval
from rmaudit.stats.length_control import length_controlled_accuracy
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.pairs import pairs_of
from rmaudit.suites.finding import Detail, DetailValue, Estimate


class LengthControlledAccuracy(DetailSpec):
    """Accuracy of a preference probe at equal length, by logistic regression."""

    detail: Literal["length-controlled-accuracy"]
    title: str = "Accuracy at equal length"

    def compute(self, context: Context) -> Detail:
        """A share in [0, 1], beside it the plain accuracy and the coefficient of length in logits."""
        pairs = pairs_of(context)
        accuracy, coefficient = length_controlled_accuracy(pairs.wins, pairs.longer, pairs.clusters)
        count = len(set(pairs.clusters))
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=_estimate(accuracy),
            unit="share of prompts",
            ideal="1",
            formula="sigmoid(a) of logit P(right answer paid more) = a + b * tanh(d / SD(d)), d: words, right - wrong",
            values=[
                DetailValue(label="coefficient b of length (logits)", estimate=_estimate(coefficient), n_clusters=count)
            ],
        )


def _estimate(found: Interval) -> Estimate:
    return Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
