"""Arrays as the statistics take them: finite numbers, and clusters as consecutive integers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


def finite_vector(values: ArrayLike, what: str = "values") -> FloatArray:
    """The values as a float64 array of shape ``(n,)``.

    Raises:
        ValueError: when they are not one-dimensional, or any is NaN or infinite: an error is not a number.
    """
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"{what} must be one-dimensional, not of shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise ValueError(f"{what} must be finite")
    return vector


def short_mean(values: Sequence[float]) -> float:
    """Mean of a few numbers, to the last digit that of ``numpy.mean``, whose general checks cost more than the sum."""
    return float(np.add.reduce(values) / len(values))


def cluster_codes(clusters: Iterable[Hashable]) -> tuple[IndexArray, int]:
    """Number the clusters ``0 … k-1`` in order of first appearance.

    Returns:
        Code of each entry, shape ``(n,)``, and the number ``k`` of different clusters.
    """
    numbers: dict[Any, int] = {}
    codes = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    return np.asarray(codes, dtype=np.intp), len(numbers)


def values_by_cluster(
    values: ArrayLike, clusters: Iterable[Hashable], what: str = "values"
) -> tuple[FloatArray, IndexArray, int]:
    """Check values and their clusters together.

    Returns:
        Values of shape ``(n,)``, cluster code of each, and the number of clusters.

    Raises:
        ValueError: when there are none, any is not finite, or the lengths differ.
    """
    vector = finite_vector(values, what)
    codes, n_clusters = cluster_codes(clusters)
    if len(vector) != len(codes):
        raise ValueError(f"{len(vector)} {what} but {len(codes)} cluster labels")
    if not len(vector):
        raise ValueError(f"there are no {what}")
    return vector, codes, n_clusters


def means_by_code(values: FloatArray, codes: IndexArray, n_clusters: int) -> FloatArray:
    """Mean per code, shape ``(n_clusters,)``.

    Each cluster is shifted by its first value before summing, so that equal values have exactly that mean and
    a large common offset costs no precision.
    """
    first = np.unique(codes, return_index=True)[1]
    base = values[first]
    sums = np.bincount(codes, weights=values - base[codes], minlength=n_clusters)
    return base + sums / np.bincount(codes, minlength=n_clusters)


def times_drawn(indices: IndexArray, size: int) -> FloatArray:
    """How often each of `size` clusters was drawn: shape ``(…, m)`` to ``(…, size)``."""
    rows = indices.reshape(-1, indices.shape[-1])
    cells = rows + size * np.arange(len(rows))[:, None]
    counts = np.bincount(cells.ravel(), minlength=size * len(rows)).astype(np.float64)
    return counts.reshape(*indices.shape[:-1], size)
