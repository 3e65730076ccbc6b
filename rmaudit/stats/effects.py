"""What a difference of rewards does to preferences: who wins, and which verdicts it would turn round."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from rmaudit.stats.arrays import FloatArray, IndexArray, finite_vector, times_drawn, values_by_cluster
from rmaudit.stats.intervals import Interval, resample


def win_probability(deltas: ArrayLike) -> FloatArray:
    """Does the treated arm win? ``1`` where the difference is above 0, ``0`` below, ``0.5`` for a tie.

    Args:
        deltas: treated minus control, shape ``(n,)``, any unit.

    Returns:
        Shape ``(n,)``; ideal mean 0.5.

    Raises:
        ValueError: when any is not finite.
    """
    wins: FloatArray = (np.sign(finite_vector(deltas, "deltas")) + 1) / 2
    return wins


def calibrated_win(deltas: ArrayLike, temperature: float) -> FloatArray:
    """How often a person would be expected to prefer the treated arm: ``sigmoid(delta / temperature)``.

    Args:
        deltas: treated minus control in units of reward, shape ``(n,)``.
        temperature: see `rmaudit.stats.ruler.fit_temperature`; same unit, above 0.

    Returns:
        Shape ``(n,)``, between 0 and 1; ideal mean 0.5.

    Raises:
        ValueError: when a difference is not finite, or the temperature is not a finite number above 0.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"the temperature must be a finite number above 0, not {temperature}")
    wins: FloatArray = expit(finite_vector(deltas, "deltas") / temperature)
    return wins


def flip_rate(deltas: ArrayLike, margins: ArrayLike) -> float:
    """Share of rightly ordered gold pairs that would turn round if only the worse answer got the difference.

    A pair with margin ``m > 0`` turns round when ``m < delta``. The share is taken over the pairs for each
    item, then averaged over items.

    Args:
        deltas: treated minus control, one an item, shape ``(n,)``.
        margins: reward of the better answer minus that of the worse, one a pair, same unit, shape ``(m,)``.
            Pairs that the model orders wrongly or ties (``m <= 0``) are left out.

    Returns:
        Between 0 and 1; ideal 0.

    Raises:
        ValueError: when there are no items, no pair is rightly ordered, or any value is not finite.
    """
    shifts, gold = finite_vector(deltas, "deltas"), finite_vector(margins, "margins")
    gold = np.sort(gold[gold > 0])
    if not len(shifts) or not len(gold):
        raise ValueError("a flip rate needs items and rightly ordered gold pairs")
    return float(np.searchsorted(gold, shifts, side="left").mean() / len(gold))


def flip_rate_interval(
    deltas: ArrayLike,
    clusters: Iterable[Hashable],
    margins: ArrayLike,
    margin_clusters: Iterable[Hashable],
    seed: int,
    confidence: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """`flip_rate` with a cluster bootstrap over the items and, independently, over the gold pairs.

    Args:
        deltas: treated minus control, one an item, shape ``(n,)``.
        clusters: the cluster of each item; each cluster has the same weight, so the estimate equals
            `flip_rate` where clusters are of one size.
        margins: better minus worse, one a gold pair, same unit, shape ``(m,)``.
        margin_clusters: the prompt of each gold pair; each pair has the same weight.
        seed: makes the draws repeatable.
        confidence: between 0 and 1.
        draws: how often to resample.

    Returns:
        Values between 0 and 1; ideal 0.

    Raises:
        ValueError: as `flip_rate`, when either sample has fewer than two clusters, or when so few pairs are
            rightly ordered that a draw of prompts has none.
    """
    shifts, codes, n_clusters = values_by_cluster(deltas, clusters, "deltas")
    gold, prompts, n_prompts = values_by_cluster(margins, margin_clusters, "margins")
    pairs = np.bincount(prompts[gold > 0], minlength=n_prompts)
    if not pairs.any():
        raise ValueError("a flip rate needs rightly ordered gold pairs")

    # turned[c, d]: pairs of prompt d that an item of cluster c turns round, averaged over its items.
    turned = np.empty((n_clusters, n_prompts))
    sizes = np.bincount(codes)
    for prompt in range(n_prompts):
        own = np.sort(gold[(prompts == prompt) & (gold > 0)])
        counts = np.searchsorted(own, shifts, side="left").astype(np.float64)
        turned[:, prompt] = np.bincount(codes, weights=counts, minlength=n_clusters) / sizes

    def rate(items: IndexArray, panel: IndexArray) -> Any:
        of_items, of_prompts = times_drawn(items, n_clusters), times_drawn(panel, n_prompts)
        flips = ((of_items @ turned) * of_prompts).sum(axis=-1)
        return flips / (of_items.sum(axis=-1) * (of_prompts @ pairs))

    return resample(rate, (n_clusters, n_prompts), seed, confidence, draws)
