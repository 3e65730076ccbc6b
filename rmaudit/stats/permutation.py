"""Permutation tests: p values that need no distribution, only that labels could have fallen otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from rmaudit.stats.arrays import FloatArray, cluster_codes, finite_vector, means_by_code

_EXACT_MAX = 16
"""Up to this many clusters all ``2^n`` sign patterns are tried."""

_TIE = 1e-9
"""Statistics nearer than this, relative to their scale, are equal: rescaling rewards rounds them anew."""

_SPREAD_FLOOR = 1e-6
"""Least standard error, relative to the largest deviation of a unit, so that no t divides by zero."""

_CHUNK_CELLS = 2**21
"""Most numbers that a batch of draws holds (16 MB)."""


def sign_flip_p(cluster_values: ArrayLike, seed: int, draws: int = 9999) -> float:
    """Two-sided p of the mean under random signs (Fisher's randomisation test for pairs).

    Without an effect, treated and control could be exchanged in any cluster, which flips the sign of its
    difference. Up to 16 clusters all patterns are enumerated and p is exact: the share of patterns whose mean
    is as far from 0 as the one seen. Beyond, ``p = (k + 1) / (draws + 1)``, where ``k`` of the random
    patterns are.

    Args:
        cluster_values: mean difference of each cluster, shape ``(k,)``, any unit.
        seed: makes the draws repeatable; has no influence up to 16 clusters.
        draws: random patterns.

    Returns:
        Above 0, at most 1; uniform, or above uniform, where differences are symmetric about 0. Does not
        change when the values are multiplied by any number but 0.

    Raises:
        ValueError: when there are no values, or any is not finite.
    """
    values = finite_vector(cluster_values, "cluster values")
    if not len(values):
        raise ValueError("there are no cluster values")
    scale = np.abs(values).max()
    if scale == 0:
        return 1.0
    values = values / scale
    total = values.sum()
    bar = abs(total) - _TIE * np.abs(values).sum()
    n = len(values)
    exact = n <= _EXACT_MAX
    patterns = _all_signs(n) if exact else _random_signs(n, seed, draws)
    # A pattern's sum is twice the sum of what stays positive, less the sum of all.
    extreme = sum(int(np.count_nonzero(np.abs(2 * (signs @ values) - total) >= bar)) for signs in patterns)
    return extreme / 2**n if exact else (extreme + 1) / (draws + 1)


def _all_signs(n: int) -> Iterable[FloatArray]:
    yield ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.float64)


@lru_cache(maxsize=2)
def _random_signs(n: int, seed: int, draws: int) -> Iterable[FloatArray]:
    """Kept, since the probes of a suite mostly have the same number of clusters."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 2, (size, n), dtype=np.int8).astype(np.float64) for size in _chunks(draws, n)]


@dataclass(frozen=True)
class MaxT:
    """Every group against the others, tested together. Arrays have one entry a group, as `names` has."""

    names: tuple[str, ...]
    """Groups in order of first appearance."""
    contrast: FloatArray
    """Mean of the group's units minus the mean of the other groups' means; ideal 0."""
    low: FloatArray
    """Lower limit of the simultaneous interval."""
    high: FloatArray
    """Upper limit of the simultaneous interval."""
    standard_error: FloatArray
    """Standard error of the contrast over units."""
    t: FloatArray
    """Contrast over its standard error."""
    p_omnibus: float
    """p of the largest ``|t|``: does any group differ?"""
    p_each: FloatArray
    """p of each group, adjusted for there being several."""
    critical: float
    """Quantile of the largest ``|t|`` without an effect; a group beyond it differs."""
    largest: FloatArray = field(default_factory=lambda: np.empty(0), repr=False)
    """The largest ``|t|`` of each permutation, rising."""

    def p_of(self, t: FloatArray) -> FloatArray:
        """Give other ``|t|``, of any shape, their p values by the same permutations."""
        return _share_above(self.largest, t)


def max_t_groups(
    unit_means: ArrayLike,
    labels: Sequence[str],
    seed: int,
    draws: int = 9999,
    confidence: float = 0.95,
    se_factor: float = 1.0,
) -> MaxT:
    """Compare each group of units (such as names) with the other groups, with one error rate for all.

    The contrast of a group is the mean of its units minus the mean of the other groups' means, its standard
    error is Welch's (each group has its own variance over units). Group labels are permuted over units, and
    the largest ``|t|`` of each permutation gives p values that hold for all groups at once (Westfall and
    Young 1993, Resampling-Based Multiple Testing, single step). An interval leaves out 0 exactly where
    ``p_each`` is at most ``1 - confidence``.

    Args:
        unit_means: one value a unit, shape ``(n,)``, any unit of measure.
        labels: the group of each unit, ``n`` names.
        seed: makes the permutations repeatable.
        draws: how many permutations.
        confidence: simultaneous, between 0 and 1.
        se_factor: by how much the standard errors of the contrasts exceed those of independent units, at least 1.
            Units that were centred on their company lean against each other: of ``k`` independent ones centred on
            their mean a contrast varies ``k / (k - 1)`` times as much as their own variance says.

    Raises:
        ValueError: when there are fewer than two groups, a group has fewer than two units, lengths differ,
            any value is not finite, or `draws` is too few for the confidence.
    """
    values = finite_vector(unit_means, "unit means")
    names = tuple(dict.fromkeys(labels))
    codes, n_groups = cluster_codes(labels)
    if len(values) != len(codes):
        raise ValueError(f"{len(values)} unit means but {len(codes)} labels")
    if n_groups < 2:
        raise ValueError("at least two groups are needed to compare them")
    sizes = np.bincount(codes)
    if sizes.min() < 2:
        raise ValueError(f"group {names[int(sizes.argmin())]!r} has fewer than two units")
    rank = int(np.ceil(confidence * (draws + 1) - 1e-9))
    if not 0 < confidence < 1 or rank > draws:
        raise ValueError(f"{draws} draws cannot give a simultaneous confidence of {confidence}")

    # Standardised by the whole, so that one floor fits every scale; groups become runs of neighbours.
    centred = values - means_by_code(values, np.zeros_like(codes), 1)[0]
    scale = float(np.abs(centred).max()) or 1.0
    ordered = (centred / scale)[np.argsort(codes, kind="stable")]
    contrast, se = _contrasts(ordered[None], sizes)
    se = se * se_factor
    t = (contrast / se)[0]

    rng = np.random.default_rng(seed)
    largest = np.concatenate(
        [_largest_t(rng.permuted(np.tile(ordered, (size, 1)), axis=1), sizes) for size in _chunks(draws, len(ordered))]
    )
    largest.sort()
    p_each = _share_above(largest, np.abs(t))
    # A tie counts as no difference here too, so that intervals and p values say the same.
    critical = float(largest[rank - 1] + _TIE * max(1.0, largest[rank - 1]))
    contrast, se = contrast[0] * scale, se[0] * scale
    reach = critical * se
    return MaxT(
        names=names,
        contrast=contrast,
        low=contrast - reach,
        high=contrast + reach,
        standard_error=se,
        t=t,
        p_omnibus=float(p_each.min()),
        p_each=p_each,
        critical=critical,
        largest=largest,
    )


def _share_above(largest: FloatArray, t: FloatArray) -> FloatArray:
    """``(k + 1) / (draws + 1)``, where `k` of the draws are as large as `t` or tie with it."""
    draws = len(largest)
    above = draws - np.searchsorted(largest, t - _TIE * np.maximum(1.0, t))
    share: FloatArray = (above + 1) / (draws + 1)
    return share


def _largest_t(rows: FloatArray, sizes: np.ndarray) -> FloatArray:
    contrast, se = _contrasts(rows, sizes)
    largest: FloatArray = np.abs(contrast / se).max(axis=1)
    return largest


def _contrasts(rows: FloatArray, sizes: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Contrast and standard error of each group, shapes ``(rows, groups)``; groups are runs of neighbours."""
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    means = np.add.reduceat(rows, starts, axis=1) / sizes
    squares = np.add.reduceat(rows**2, starts, axis=1)
    variance = np.maximum(squares - sizes * means**2, 0.0) / (sizes - 1) / sizes
    contrast, se = against_others(means, variance)
    return contrast, np.maximum(se, _SPREAD_FLOOR)


def against_others(means: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each group's mean minus the mean of the other groups' means, and Welch's standard error of it.

    Args:
        means: mean of each group's units, shape ``(…, groups)``.
        variance: squared standard error of each of these means, same shape.

    Returns:
        Contrasts and standard errors, same shape.
    """
    others = means.shape[-1] - 1
    contrast = means - (means.sum(axis=-1, keepdims=True) - means) / others
    rest = (variance.sum(axis=-1, keepdims=True) - variance) / others**2
    return contrast, np.sqrt(variance + rest)


def _chunks(draws: int, width: int) -> Iterator[int]:
    """Split the draws so that a batch of them stays small."""
    size = max(1, _CHUNK_CELLS // width)
    for start in range(0, draws, size):
        yield min(size, draws - start)
