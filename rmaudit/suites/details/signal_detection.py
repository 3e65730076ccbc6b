"""Can the model tell two kinds of requests apart, and which reply does it lean to? Sensitivity and criterion."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import Literal

from pydantic import Field

from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level

NORMAL = NormalDist()
FEWEST = 8
"""Prompts of either kind."""


class SignalDetection(DetailSpec):
    """Prompts of two kinds, each with two replies of which one is right for the signal and wrong for the noise."""

    detail: Literal["signal-detection"]
    kind: str
    """Factor that tells the kinds of prompts apart."""
    signal: Level
    noise: Level
    reply: str
    """Factor that names the replies."""
    chosen: Level
    """The reply that is right where there is a signal."""
    other: Level
    where: dict[str, Level] = Field(default_factory=dict)
    title: str = "Telling the two kinds of requests apart"

    def compute(self, context: Context) -> Detail:
        """Hit and false-alarm rate, d' (higher is better, 0 is blind) and criterion c (0 is unbiased).

        A prompt counts 1 where the mean reward of the chosen reply exceeds that of the other, a half where they are
        equal. With H and F the rates, z the normal quantile: d' = z(H) - z(F), c = -(z(H) + z(F)) / 2. A negative
        criterion leans to the chosen reply. Rates are (count + 0.5) / (prompts + 1), so that z is finite (Hautus 1995);
        intervals are normal, from the delta method (Gourevitch and Galanter 1967).
        """
        hits, false_alarms = self._wins(self.signal, context), self._wins(self.noise, context)
        for name, wins in ((self.signal, hits), (self.noise, false_alarms)):
            if len(wins) < FEWEST:
                raise ValueError(f"{len(wins)} prompts of the kind {name!r} have both replies")
        hit, hit_variance = _quantile(hits)
        alarm, alarm_variance = _quantile(false_alarms)
        spread = sqrt(hit_variance + alarm_variance)
        sensitivity, criterion = hit - alarm, -(hit + alarm) / 2
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=_around(sensitivity, spread),
            unit="d'",
            formula="d' = z(hit rate) - z(false-alarm rate); c = -(z(hit rate) + z(false-alarm rate)) / 2",
            values=[
                _rate("hit rate", hits),
                _rate("false-alarm rate", false_alarms),
                DetailValue(
                    label="criterion c",
                    estimate=_around(criterion, spread / 2),
                    n_clusters=len(hits) + len(false_alarms),
                ),
            ],
        )

    def _wins(self, kind: Level, context: Context) -> list[float]:
        """Per cluster, the share of items where the chosen reply wins."""
        from rmaudit.suites.reading import TIE, difference, matching

        by_cluster: dict[str, list[float]] = {}
        for item in context.items:
            have = context.rewards.get(item.id, {})
            at = self.where | {self.kind: kind}
            chosen = matching(item, at | {self.reply: self.chosen})
            other = matching(item, at | {self.reply: self.other})
            if chosen and other and {*chosen, *other} <= have.keys():
                gap = difference(chosen, other).effect(have)
                by_cluster.setdefault(item.cluster, []).append(0.5 if abs(gap) < TIE else float(gap > 0))
        return [sum(wins) / len(wins) for wins in by_cluster.values()]


def _quantile(wins: list[float]) -> tuple[float, float]:
    """Z of the rate, and its sampling variance."""
    rate = (sum(wins) + 0.5) / (len(wins) + 1)
    z = NORMAL.inv_cdf(rate)
    return z, rate * (1 - rate) / (len(wins) * NORMAL.pdf(z) ** 2)


def _around(value: float, error: float) -> Estimate:
    reach = NORMAL.inv_cdf(0.975) * error
    return Estimate(estimate=value, low=value - reach, high=value + reach)


def _rate(label: str, wins: list[float]) -> DetailValue:
    from rmaudit.stats.intervals import proportion_interval

    found = proportion_interval(wins, list(range(len(wins))))
    estimate = Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
    return DetailValue(label=label, estimate=estimate, n_clusters=len(wins))
