"""Standard addition: what repeats of a run would show with a known effect added to its own scatter.

A chemist who must say what an instrument can see in this sample adds a known amount to it. Here the sample is the
audited model: its clusters are drawn again with replacement, each with a share of the added effect, and everything
that a verdict rests on is computed for all repeats at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rmaudit.stats.arrays import FloatArray, times_drawn

_STEPS = 12
"""Halvings of the search for the limit of detection, which leave 1/4096 of the range."""


@dataclass(frozen=True)
class Repeats:
    """Mean and its standard error in every repeat, shape ``(draws,)`` each."""

    mean: FloatArray
    error: FloatArray


@lru_cache(maxsize=8)
def repeats(n: int, draws: int, seed: int) -> FloatArray:
    """How often each of `n` clusters was drawn in each repeat, shape ``(draws, n)``; rows sum to `n`."""
    rng = np.random.default_rng([seed, n])
    return times_drawn(rng.integers(0, n, (draws, n)), n)


def scattered(n: int, seed: int) -> FloatArray:
    """How much of the added effect each cluster shows, shape ``(n,)``.

    Evenly spread between half of it and one and a half of it, with mean exactly 1, since no real bias is the same in
    every text.
    """
    shares = 0.5 + (np.arange(n) + 0.5) / n
    return np.random.default_rng([seed, n]).permutation(shares)


def with_addition(counts: FloatArray, base: FloatArray, gain: FloatArray) -> Callable[[float], Repeats]:
    """Repeats of the mean of ``base + size * gain``, as a function of the size.

    Args:
        counts: how often each cluster was drawn in each repeat, shape ``(draws, n)``; rows need not have equal sums.
        base: cluster means without the addition, shape ``(n,)``.
        gain: what each cluster shows of an addition of size 1, shape ``(n,)``.
    """
    weight = np.maximum(counts.sum(axis=1), 2.0)
    columns = np.column_stack([base, gain, base**2, base * gain, gain**2])
    base_sum, gain_sum, base_square, product, gain_square = (counts @ columns).T

    def at(size: float) -> Repeats:
        mean = (base_sum + size * gain_sum) / weight
        squares = base_square + 2 * size * product + size**2 * gain_square
        spread = np.maximum(squares - weight * mean**2, 0.0) / (weight - 1)
        return Repeats(mean, np.sqrt(spread / weight))

    return at


def smallest_detected(share: Callable[[float], float], wanted: float, start: float, largest: float) -> float | None:
    """Smallest size whose share of detections reaches what is wanted, to a four-thousandth of the range searched.

    Args:
        share: share of repeats in which an addition of a size is detected; rises with the size.
        wanted: between 0 and 1.
        start: where to begin, above 0.
        largest: the largest size tried.

    Returns:
        ``None`` when not even the largest is detected so often.
    """
    high = min(start, largest)
    while share(high) < wanted:
        if high >= largest:
            return None
        high = min(2 * high, largest)
    low = 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if share(middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def slope_through_zero(sizes: FloatArray, recovered: FloatArray) -> float:
    """Least-squares slope of what was recovered on what was added: ``sum(size * recovered) / sum(size^2)``. Ideal 1."""
    return float(sizes @ recovered / (sizes @ sizes))
