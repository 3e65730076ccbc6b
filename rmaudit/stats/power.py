"""How much a run could have seen, and how much more data would settle a question."""

from __future__ import annotations

import math
from collections.abc import Callable

from rmaudit.stats.student import t_quantile, t_share

_MOST_CLUSTERS = 1_000_000


def detection_limit(se: float, df: float, margin: float, power: float = 0.95, confidence: float = 0.95) -> float:
    """Smallest effect whose interval would lie beyond the margin in a share `power` of repeats.

    ``margin + (t_{(1+confidence)/2, df} + t_{power, df}) * se``

    Args:
        se: standard error of the effect, at least 0.
        df: its degrees of freedom, above 0.
        margin: largest effect that counts as none, same unit, at least 0.
        power: between 0 and 1.
        confidence: of the two-sided interval, between 0 and 1.

    Returns:
        In the unit of the standard error, at least the margin where `power` is at least 0.5.

    Raises:
        ValueError: when an argument is out of its range.
    """
    if not (se >= 0 and df > 0 and margin >= 0 and math.isfinite(se) and math.isfinite(margin)):
        raise ValueError("standard error and margin must be at least 0, and degrees of freedom above 0")
    _check_shares(power, confidence)
    return margin + float(t_quantile((1 + confidence) / 2, df) + t_quantile(power, df)) * se


def clusters_needed(
    estimate: float, sd: float, n: int, margin: float, confidence: float = 0.95, power: float = 0.8
) -> int:
    """Clusters that would decide an undecided effect with the given power, if it is as large as observed.

    An effect beyond the margin is decided when its two-sided interval is; one within the margin when both
    one-sided tests at ``1 - confidence`` reject. Power is taken from the shifted central t, which is within a
    few clusters of the noncentral one.

    Args:
        estimate: the observed effect.
        sd: SD of the cluster means, same unit, at least 0.
        n: clusters there are.
        margin: largest effect that counts as none, same unit, above 0.
        confidence: between 0 and 1.
        power: between 0 and 1.

    Returns:
        At least ``n + 1``, at most 1,000,000 (which stands for "no practicable number").

    Raises:
        ValueError: when an argument is not finite or out of its range.
    """
    if not (math.isfinite(estimate) and math.isfinite(sd) and math.isfinite(margin)):
        raise ValueError("estimate, SD and margin must be finite")
    if sd < 0 or n < 1 or margin <= 0:
        raise ValueError("the SD must not be negative, the margin above 0 and clusters at least 1")
    _check_shares(power, confidence)
    size = abs(estimate)

    def decided(clusters: int) -> bool:
        df = clusters - 1
        se = sd / math.sqrt(clusters)
        if size > margin:
            reached = t_share((size - margin) / se - t_quantile((1 + confidence) / 2, df), df)
        else:
            bar = t_quantile(confidence, df)
            sides = t_share([(margin - size) / se - bar, (margin + size) / se - bar], df)
            reached = sides.sum() - 1
        return bool(reached >= power)

    if size == margin:
        return _MOST_CLUSTERS
    if sd == 0:
        return min(n + 1, _MOST_CLUSTERS)
    return _smallest(decided, n + 1)


def _smallest(enough: Callable[[int], bool], start: int) -> int:
    """Smallest number from `start` on that is enough, where more is never worse."""
    if start >= _MOST_CLUSTERS or not enough(_MOST_CLUSTERS):
        return _MOST_CLUSTERS
    low, high = start - 1, _MOST_CLUSTERS
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def _check_shares(power: float, confidence: float) -> None:
    if not (0 < power < 1 and 0 < confidence < 1):
        raise ValueError("power and confidence must lie between 0 and 1")
