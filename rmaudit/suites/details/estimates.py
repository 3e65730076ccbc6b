"""Estimates of a detail's levels, null where a level has too few clusters to say anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rmaudit.stats.intervals import Interval, mean_interval, proportion_interval
from rmaudit.suites.finding import DetailValue, Estimate

T = TypeVar("T")

FEWEST_CLUSTERS = 8
"""A level with fewer clusters is named with its count alone."""


def shown(interval: Interval) -> Estimate:
    """An interval as it stands in a report."""
    return Estimate(estimate=float(interval.estimate), low=float(interval.low), high=float(interval.high))


def mean(label: str, values: Sequence[float], clusters: Sequence[str]) -> DetailValue:
    """Mean of the values of a level, in their unit."""
    count = len(set(clusters))
    estimate = shown(mean_interval(values, clusters)) if count >= FEWEST_CLUSTERS else Estimate(estimate=None)
    return DetailValue(label=label, estimate=estimate, n_clusters=count)


def share(label: str, successes: Sequence[float], clusters: Sequence[str]) -> DetailValue:
    """Share of successes (each in [0, 1]) of a level, in [0, 1]."""
    count = len(set(clusters))
    estimate = shown(proportion_interval(successes, clusters)) if count >= FEWEST_CLUSTERS else Estimate(estimate=None)
    return DetailValue(label=label, estimate=estimate, n_clusters=count)


def joined(parts: Iterable[Sequence[T]]) -> list[T]:
    """The parts one after another."""
    return [value for part in parts for value in part]
