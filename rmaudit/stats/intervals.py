"""Intervals that respect clusters: Student t for means, Wilson for proportions, bootstrap for the rest.

A mean of independent cluster means is as near to Student's assumptions as an audit gets. Proportions near 0
or 1 need Wilson, whose limits stay inside. Ratios and flip rates are not means, so their clusters are
resampled.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from rmaudit.stats.arrays import FloatArray, finite_vector, means_by_code, values_by_cluster
from rmaudit.stats.student import t_quantile

_BCA_MIN_CLUSTERS = 50
"""Below this, BCa covers less than the plain percentile interval, because its acceleration is too noisy."""

_BATCH_CELLS = 2**22
"""Most indices that are held at a time while resampling (32 MB)."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence limits, in the unit of what was estimated."""

    estimate: float
    low: float
    high: float


def cluster_means(values: ArrayLike, clusters: Iterable[Hashable]) -> FloatArray:
    """Mean of the values of each cluster, in order of first appearance.

    Args:
        values: shape ``(n,)``, any unit.
        clusters: the cluster of each value, ``n`` hashables.

    Returns:
        Shape ``(k,)``, same unit. The mean of these gives each cluster the same weight, however many values
        it has.

    Raises:
        ValueError: when there are no values, any is not finite, or the lengths differ.
    """
    return means_by_code(*values_by_cluster(values, clusters))


def standard_error(values: ArrayLike, clusters: Iterable[Hashable]) -> tuple[float, int]:
    """Standard error of the mean of cluster means: ``sd(cluster means) / sqrt(k)``.

    Args:
        values: shape ``(n,)``, any unit.
        clusters: the cluster of each value, ``n`` hashables.

    Returns:
        The standard error in the unit of the values, at least 0, and its ``k - 1`` degrees of freedom.

    Raises:
        ValueError: as `cluster_means`, and when there are fewer than two clusters.
    """
    return _standard_error(cluster_means(values, clusters))


def mean_interval(values: ArrayLike, clusters: Iterable[Hashable], confidence: float = 0.95) -> Interval:
    """Mean of cluster means with Student's t interval on ``k - 1`` degrees of freedom.

    The stated confidence is nearly exact from about 50 clusters on; with fewer, and skewed values, it is
    less.

    Args:
        values: shape ``(n,)``, any unit.
        clusters: the cluster of each value, ``n`` hashables.
        confidence: between 0 and 1.

    Raises:
        ValueError: as `standard_error`, and when `confidence` is not between 0 and 1.
    """
    means = cluster_means(values, clusters)
    return t_interval(_mean(means), *_standard_error(means), confidence)


def t_interval(estimate: float, error: float, df: int, confidence: float = 0.95) -> Interval:
    """Student's t interval of an estimate with a known standard error.

    Args:
        estimate: any unit.
        error: its standard error in the same unit, at least 0.
        df: degrees of freedom, at least 1.
        confidence: between 0 and 1.

    Raises:
        ValueError: when `confidence` is not between 0 and 1.
    """
    reach = float(t_quantile(_upper(confidence), df)) * error
    return Interval(estimate, estimate - reach, estimate + reach)


def proportion_interval(
    successes_per_item: ArrayLike, clusters: Iterable[Hashable], confidence: float = 0.95
) -> Interval:
    """Share of successes with a Wilson interval on the effective number of items.

    The estimate is the mean of cluster means. The effective number is ``n / deff``, where the design effect
    is the variance of that mean over the variance it would have if all items were independent. It is held at
    1 or more, so clusters never add information, and reduced by ``(t_{n-1} / t_{k-1})^2`` for having been
    estimated from few clusters (Korn and Graubard 1998, Survey Methodology 24). When all items agree, or
    there is one cluster only, there is no variance to judge by, and each cluster counts as one item.

    Args:
        successes_per_item: shape ``(n,)``, 1 for a success, 0 for a failure, 0.5 for a tie.
        clusters: the cluster of each item, ``n`` hashables.
        confidence: between 0 and 1.

    Returns:
        Values between 0 and 1.

    Raises:
        ValueError: as `cluster_means`, when a value lies outside [0, 1], or `confidence` outside (0, 1).
    """
    values, codes, n_clusters = values_by_cluster(successes_per_item, clusters)
    if values.min() < 0 or values.max() > 1:
        raise ValueError("successes must lie between 0 and 1")
    means = means_by_code(values, codes, n_clusters)
    share = min(max(_mean(means), 0.0), 1.0)
    n = len(values)
    spread = share * (1 - share)
    if spread > 0 and n_clusters > 1:
        error, df = _standard_error(means)
        design_effect = max(1.0, error**2 * (n - 1) / spread)
        t_items, t_clusters = t_quantile(_upper(confidence), [n - 1, df])
        effective = n / design_effect * (t_items / t_clusters) ** 2
    else:
        effective = float(n_clusters)
    limits = proportion_confint(share * effective, effective, 2 * (1 - _upper(confidence)), method="wilson")
    # Wilson contains the estimate; rounding at 0 and 1 must not push it out.
    low, high = min(float(limits[0]), share), max(float(limits[1]), share)
    return Interval(share, max(low, 0.0), min(high, 1.0))


def bootstrap_interval(
    statistic: Callable[[Any], Any],
    n_clusters: int,
    seed: int,
    confidence: float = 0.95,
    draws: int = 2000,
    vectorized: bool = False,
) -> Interval:
    """Cluster bootstrap of any statistic: BCa with 50 clusters or more, else percentile.

    Args:
        statistic: takes the indices of the drawn clusters, shape ``(m,)``, and returns a number. Where
            `vectorized`, it takes shape ``(…, m)`` and returns shape ``(…)``, which is far faster.
            ``m`` is `n_clusters`, or one less while BCa leaves each cluster out in turn.
        n_clusters: how many there are to draw from, at least 2.
        seed: makes the draws repeatable.
        confidence: between 0 and 1.
        draws: how often to resample.
        vectorized: whether the statistic takes many draws at a time.

    Raises:
        ValueError: when there are fewer than two clusters, `confidence` is not between 0 and 1, or the
            statistic is not finite for the clusters or for any draw of them.
    """
    return resample(statistic, (n_clusters,), seed, confidence, draws, vectorized)


def ratio_of_means_interval(
    numerator: ArrayLike, denominator: ArrayLike, seed: int, confidence: float = 0.95, draws: int = 2000
) -> Interval:
    """``mean(numerator) / mean(denominator)`` of independent clusters, such as an exchange rate.

    Both samples are resampled, each by itself; BCa when both have 50 clusters or more, else percentile.

    Args:
        numerator: cluster means, shape ``(k,)``.
        denominator: cluster means of the other sample in the same unit, shape ``(m,)``.
        seed: makes the draws repeatable.
        confidence: between 0 and 1.
        draws: how often to resample.

    Raises:
        ValueError: when either has fewer than two values or any that is not finite, or when the denominator's
            own interval includes 0, where a ratio has no meaning.
    """
    above, below = finite_vector(numerator, "numerator"), finite_vector(denominator, "denominator")
    reference = mean_interval(below, range(len(below)), confidence)
    if reference.low <= 0 <= reference.high:
        raise ValueError("the denominator is not distinguishable from zero, so there is no ratio")
    return resample(
        lambda i, j: above[i].mean(axis=-1) / below[j].mean(axis=-1),
        (len(above), len(below)),
        seed,
        confidence,
        draws,
    )


def resample(
    statistic: Callable[..., Any],
    sizes: Sequence[int],
    seed: int,
    confidence: float = 0.95,
    draws: int = 2000,
    vectorized: bool = True,
) -> Interval:
    """Bootstrap a statistic of one or more independent samples of clusters.

    BCa (Efron 1987, J. Am. Stat. Assoc. 82) when each sample has 50 clusters or more, else percentile. A
    statistic that is the same for every draw has an interval without width.

    Args:
        statistic: takes one index array of shape ``(…, m)`` a sample and returns shape ``(…)``.
        sizes: clusters in each sample, at least 2.
        seed: makes the draws repeatable.
        confidence: between 0 and 1.
        draws: how often to resample.
        vectorized: ``False`` when the statistic takes one draw at a time.

    Raises:
        ValueError: as `bootstrap_interval`.
    """
    if min(sizes) < 2:
        raise ValueError("at least two clusters are needed to say how much they vary")
    level = 2 * _upper(confidence) - 1
    samples = tuple(np.arange(size) for size in sizes)
    estimate = float(statistic(*samples))
    options: dict[str, Any] = {
        "confidence_level": level,
        "vectorized": vectorized,
        "axis": -1,
        "batch": max(1, _BATCH_CELLS // max(sizes)),
    }
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(samples, _call(statistic), n_resamples=draws, method="percentile", rng=seed, **options)
        drawn = result.bootstrap_distribution
        if not (np.isfinite(estimate) and np.isfinite(drawn).all()):
            raise ValueError("the statistic is not finite for every draw of clusters")
        if np.ptp(drawn) <= 1e-12 * np.abs(drawn).max():
            return Interval(estimate, estimate, estimate)
        limits = result.confidence_interval
        if min(sizes) >= _BCA_MIN_CLUSTERS:
            corrected = stats.bootstrap(
                samples, _call(statistic), n_resamples=0, method="BCa", bootstrap_result=result, **options
            ).confidence_interval
            # BCa has no answer when the estimate lies outside all draws; the percentiles still do.
            if np.isfinite(corrected).all():
                limits = corrected
    return Interval(estimate, float(limits.low), float(limits.high))


def _call(statistic: Callable[..., Any]) -> Callable[..., Any]:
    """Take scipy's ``axis``, which is always the last one here, off the call."""

    def along_last_axis(*indices: Any, axis: int = -1) -> Any:
        return statistic(*indices)

    return along_last_axis


def _standard_error(means: FloatArray) -> tuple[float, int]:
    if len(means) < 2:
        raise ValueError("at least two clusters are needed to say how much they vary")
    # The shift makes the error of equal means exactly 0.
    return float(np.std(means - means[0], ddof=1) / len(means) ** 0.5), len(means) - 1


def _mean(means: FloatArray) -> float:
    """Mean that is exact when all are equal."""
    return float(means[0] + (means - means[0]).mean())


def _upper(confidence: float) -> float:
    """The upper tail's quantile level, such as 0.975 for 0.95."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return (1 + confidence) / 2
