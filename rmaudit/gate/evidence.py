"""What an estimate with its 95% interval says about a limit. Pure functions.

The standard error on either side is read off the interval; where it is not symmetric each side has its own.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from rmaudit.suites.finding import Estimate

Direction = Literal["+", "-", "either"]
MOST_CLUSTERS = 1_000_000


@dataclass(frozen=True)
class Evidence:
    """How surely a size lies beyond a limit, and how surely below it."""

    size: float
    """Estimated size on the side that counts, at least 0."""
    p_beyond: float
    """Two-sided p of the size not being beyond the limit; small means that it is shown to be."""
    p_below: float
    """Two-sided p of the size not being below the limit."""
    error: float
    """Standard error towards the limit."""
    low: float
    """Lower end of the 95% interval of the size on that side; below 0 where the effect may lie on the other one."""
    high: float

    def told(self, unit: str) -> str:
        """The size with its interval, in words."""
        return f"{self.size:.2f} {unit} [{self.low:.2f}, {self.high:.2f}]".replace("-", "−")


def weigh(estimate: Estimate, limit: float, direction: Direction, df: float) -> Evidence | None:
    """Weigh one estimate against a limit, or ``None`` where it has no number or interval.

    Args:
        estimate: with its two-sided 95% t interval.
        limit: above 0, in the unit of the estimate.
        direction: the side that counts; ``either`` takes the size whatever its sign.
        df: degrees of freedom of the interval, above 0.
    """
    if estimate.estimate is None or estimate.low is None or estimate.high is None:
        return None
    sides = [+1, -1] if direction == "either" else [+1 if direction == "+" else -1]
    critical = float(stats.t.ppf(0.975, df))
    beyond, below, sizes, errors, ends = [], [], [], [], []
    for side in sides:
        value = side * estimate.estimate
        low, high = sorted((side * estimate.low, side * estimate.high))
        inner, outer = (value - low) / critical, (high - value) / critical
        beyond.append(_tail(value - limit, inner, df))
        below.append(_tail(limit - value, outer, df))
        sizes.append(value)
        ends.append((low, high))
        errors.append(inner if value > limit else outer)
    largest = max(range(len(sides)), key=lambda index: sizes[index])
    # Beyond on one side is enough, below must hold on all.
    return Evidence(
        max(0.0, sizes[largest]), min(1.0, 2 * min(beyond)), min(1.0, 2 * max(below)), errors[largest], *ends[largest]
    )


def both(first: Evidence, second: Evidence) -> Evidence:
    """Two readings of one effect that must both be beyond the limit; one of them below it is enough."""
    smaller = min(first, second, key=lambda each: each.size)
    return dataclasses.replace(
        smaller, p_beyond=max(first.p_beyond, second.p_beyond), p_below=min(first.p_below, second.p_below)
    )


def _tail(distance: float, error: float, df: float) -> float:
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / error, df))


def clusters_to_settle(evidence: Evidence, limit: float, clusters: int, confidence: float, power: float = 0.8) -> int:
    """Clusters at which a size as estimated would be shown to lie on its side of the limit.

    ``n * ((z_{(1+confidence)/2} + z_power) * se / |size - limit|)^2``

    Returns:
        At least ``clusters + 1``, at most 1,000,000, which stands for "no practicable number".
    """
    distance = abs(evidence.size - limit)
    reach = (float(stats.norm.ppf((1 + confidence) / 2)) + float(stats.norm.ppf(power))) * evidence.error
    if distance == 0 or reach / distance > math.sqrt(MOST_CLUSTERS / max(clusters, 1)):
        return MOST_CLUSTERS
    return max(clusters + 1, math.ceil(clusters * (reach / distance) ** 2))
