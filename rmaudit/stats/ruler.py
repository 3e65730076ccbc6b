"""What one unit of reward means for a model, read off prompts with several answers of known quality."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from rmaudit.stats.arrays import FloatArray, IndexArray, finite_vector, means_by_code, values_by_cluster
from rmaudit.stats.effects import win_probability
from rmaudit.stats.intervals import Interval, proportion_interval


@dataclass(frozen=True)
class GoldPairs:
    """Pairs of answers to one prompt whose quality differs. Arrays have one entry a pair."""

    margins: FloatArray
    """Reward of the better answer minus that of the worse; above 0 where the model orders them rightly."""
    prompts: IndexArray
    """Number of the prompt, ``0 …`` in order of first appearance."""


def within_prompt_sd(rewards: ArrayLike, prompts: Iterable[Hashable]) -> float:
    """Within-prompt SD: ``sqrt(sum of squares about each prompt's mean / sum(n_p - 1))``.

    Args:
        rewards: one an answer, shape ``(n,)``.
        prompts: the prompt of each answer, ``n`` hashables. A prompt with a single answer adds nothing.

    Returns:
        At least 0, in units of reward; exactly 0 for a model that pays every answer to a prompt the same.

    Raises:
        ValueError: when no prompt has two answers, any reward is not finite, or lengths differ.
    """
    values, codes, n_prompts = values_by_cluster(rewards, prompts, "rewards")
    df = len(values) - n_prompts
    if df == 0:
        raise ValueError("a within-prompt SD needs a prompt with two answers")
    deviations = values - means_by_code(values, codes, n_prompts)[codes]
    return float(np.sqrt(np.sum(deviations**2) / df))


def robust_within_prompt_sd(rewards: ArrayLike, prompts: Iterable[Hashable]) -> float:
    """Within-prompt SD that outliers do not move: 1.4826 times the median absolute deviation.

    Deviations are from each prompt's own median and pooled over prompts with two answers or more. With few
    answers a prompt the medians lie close to the answers, so that it reads lower than `within_prompt_sd` even
    for normal rewards (0.71 of it with two, 0.47 with three, 0.79 with six).

    Args:
        rewards: one an answer, shape ``(n,)``.
        prompts: the prompt of each answer, ``n`` hashables.

    Returns:
        At least 0, in units of reward.

    Raises:
        ValueError: as `within_prompt_sd`.
    """
    values, codes, n_prompts = values_by_cluster(rewards, prompts, "rewards")
    counts = np.bincount(codes)
    if counts.max() < 2:
        raise ValueError("a within-prompt SD needs a prompt with two answers")
    medians = np.array([np.median(values[codes == prompt]) for prompt in range(n_prompts)])
    deviations = (values - medians[codes])[counts[codes] > 1]
    return float(np.median(np.abs(deviations)) / norm.ppf(0.75))


def gold_pairs(rewards: ArrayLike, grades: ArrayLike, prompts: Iterable[Hashable]) -> GoldPairs:
    """Every pair of answers to one prompt whose grades differ, as better minus worse.

    Which pairs there are, and their order, depends on grades and prompts only; the same call with lengths in
    place of rewards gives a baseline on the same pairs.

    Args:
        rewards: one an answer, shape ``(n,)``.
        grades: quality of each answer, higher is better, shape ``(n,)``.
        prompts: the prompt of each answer, ``n`` hashables.

    Returns:
        The pairs; none where no grades differ.

    Raises:
        ValueError: when there are no answers, a reward or grade is not finite, or lengths differ.
    """
    values, codes, n_prompts = values_by_cluster(rewards, prompts, "rewards")
    quality = finite_vector(grades, "grades")
    if len(quality) != len(values):
        raise ValueError(f"{len(values)} rewards but {len(quality)} grades")
    margins, owners = [np.empty(0)], [np.empty(0, dtype=np.intp)]
    for prompt in range(n_prompts):
        own = np.flatnonzero(codes == prompt)
        first, second = (own[index] for index in np.triu_indices(len(own), k=1))
        order = np.sign(quality[first] - quality[second])
        margin = (order * (values[first] - values[second]))[order != 0]
        margins.append(margin)
        owners.append(np.full(len(margin), prompt, dtype=np.intp))
    return GoldPairs(np.concatenate(margins), np.concatenate(owners))


def pair_accuracy(margins: ArrayLike, clusters: Iterable[Hashable], confidence: float = 0.95) -> Interval:
    """Share of gold pairs that the model orders rightly, ties half, with `proportion_interval`.

    Each prompt has the same weight, so this is the share of all pairs where prompts have equally many.

    Args:
        margins: better minus worse, shape ``(n,)``.
        clusters: the prompt of each pair, ``n`` hashables.
        confidence: between 0 and 1.

    Returns:
        Values between 0 and 1; chance 0.5, ideal 1.

    Raises:
        ValueError: as `proportion_interval`.
    """
    return proportion_interval(win_probability(margins), clusters, confidence)


def fit_temperature(margins: ArrayLike) -> float | None:
    """Temperature at which ``sigmoid(margin / T)`` is likeliest to order the gold pairs as people did.

    Maximum likelihood over ``T > 0`` (Guo et al. 2017, temperature scaling, with a label of 1 for every pair
    because margins are better minus worse). The likelihood is concave in ``1 / T``, so its optimum is where
    ``sum(margin * sigmoid(-margin / T)) = 0``.

    Args:
        margins: better minus worse in units of reward, shape ``(n,)``.

    Returns:
        Above 0, in units of reward: ``fit_temperature(a * m)`` is ``a * fit_temperature(m)``. ``None`` where
        no finite optimum exists: the mean margin is not above 0 (any finite temperature would be worse than a
        coin), or no pair is ordered wrongly (the lower the temperature the better).

    Raises:
        ValueError: when a margin is not finite.
    """
    gold = finite_vector(margins, "margins")
    scale = float(np.abs(gold).max(initial=0.0))
    if scale == 0 or gold.min() >= 0:
        return None
    gold = gold / scale
    # A sum that is 0 but for rounding would give a temperature that is rounding only.
    if gold.sum() <= 1e-12 * np.abs(gold).sum():
        return None

    def slope(inverse: float) -> float:
        return float(np.sum(gold * expit(-gold * inverse)))

    high = 1.0
    while slope(high) > 0:
        high *= 2
    tiny = float(np.finfo(np.float64).tiny)
    inverse = brentq(slope, 0.0, high, xtol=tiny, rtol=4 * np.finfo(np.float64).eps, maxiter=2000)
    return scale / float(inverse)
