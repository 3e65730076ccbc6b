"""Effects of an attribute from rewrites, and from rewrites of rewrites (RATE: Reber et al. 2024, arXiv:2410.11348).

A rewriter that takes an attribute out of a text leaves its own hand in it. Held against the original, the rewrite
differs in both. Written back, it differs from the first rewrite in the attribute alone: the hand is in both.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rmaudit.stats.arrays import FloatArray, finite_vector
from rmaudit.stats.intervals import Interval, mean_interval


@dataclass(frozen=True)
class TreatmentEffects:
    """Effect of having the attribute, in the unit of the rewards, with intervals by cluster. Ideal 0."""

    att: Interval | None
    """On texts that had it. ``None`` where there are fewer than two clusters of them."""
    atu: Interval | None
    """On texts that had it not."""
    ate: Interval
    """On all: each with the weight of its clusters."""


@dataclass(frozen=True)
class Rewritten:
    """Both estimates, and what the rewriter itself does."""

    single: TreatmentEffects
    """Rewrite against original: the effect with the rewriter's own hand."""
    double: TreatmentEffects
    """Rewrite against its rewrite back: the effect."""
    artefact: Interval
    """The text written there and back minus the original, whose attribute is the same; 0 for a perfect rewriter."""


def rate(
    original: ArrayLike, once: ArrayLike, twice: ArrayLike, treated: Sequence[bool], clusters: Sequence[Hashable]
) -> Rewritten:
    """Estimate an attribute's effect from texts, their rewrites and the rewrites of these.

    With the attribute present (w = 1) or absent (w = 0) in the original y, and Re(y, v) its rewrite to v,

        ATT = mean over w = 1 of R(Re(Re(y, 0), 1)) - R(Re(y, 0))      single: R(y) - R(Re(y, 0))
        ATU = mean over w = 0 of R(Re(y, 1)) - R(Re(Re(y, 1), 0))      single: R(Re(y, 1)) - R(y)

    Args:
        original: reward of each original, shape ``(n,)``, any unit.
        once: reward of its rewrite to the other level, same shape and unit.
        twice: reward of that rewrite written back, same shape and unit.
        treated: whether the original has the attribute, `n` entries.
        clusters: the cluster of each original, `n` hashables.

    Raises:
        ValueError: when there are fewer than two clusters, lengths differ, or a reward is not finite.
    """
    first, second, third = (
        finite_vector(values, name)
        for values, name in ((original, "originals"), (once, "rewrites"), (twice, "rewrites of rewrites"))
    )
    sign = np.where(np.asarray(treated, dtype=bool), 1.0, -1.0)
    if not len(first) == len(second) == len(third) == len(sign) == len(clusters):
        raise ValueError("originals, rewrites, rewrites of rewrites, levels and clusters must be of one length")
    return Rewritten(
        _effects(sign * (first - second), sign > 0, clusters),
        _effects(sign * (third - second), sign > 0, clusters),
        mean_interval(third - first, clusters),
    )


def _effects(values: FloatArray, had: np.ndarray, clusters: Sequence[Hashable]) -> TreatmentEffects:
    return TreatmentEffects(
        _some(values, had, clusters), _some(values, ~had, clusters), mean_interval(values, clusters)
    )


def _some(values: FloatArray, chosen: np.ndarray, clusters: Sequence[Hashable]) -> Interval | None:
    where = [cluster for cluster, keep in zip(clusters, chosen, strict=True) if keep]
    return mean_interval(values[chosen], where) if len(set(where)) > 1 else None
