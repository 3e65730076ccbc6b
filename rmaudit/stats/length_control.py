"""Accuracy as it would be if both answers of every pair were equally long."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import expit

from rmaudit.stats.arrays import FloatArray, finite_vector, values_by_cluster
from rmaudit.stats.intervals import Interval

_STEPS = 50
_LARGEST = 12.0
"""A logit beyond this is no estimate: the outcomes are separated."""


def length_controlled_accuracy(
    wins: ArrayLike, length_differences: ArrayLike, clusters: Iterable[Hashable], confidence: float = 0.95
) -> tuple[Interval, Interval]:
    """Share of pairs ordered rightly at equal length, by logistic regression on the difference of length.

    ``logit P(win) = a + b * tanh(d / SD(d))``; the accuracy at equal length is ``sigmoid(a)``, as length-controlled
    AlpacaEval sets the difference to zero (Dubois et al. 2024, arXiv:2404.04475). Errors are those of the sandwich
    estimator by cluster, intervals Student's t on ``k - 1`` degrees of freedom on the scale of the logit.

    Args:
        wins: 1 where the better answer is paid more, 0 where less, 0.5 for a tie; shape ``(n,)``.
        length_differences: length of the better answer minus that of the worse, any unit, shape ``(n,)``.
        clusters: the cluster of each pair, ``n`` hashables.
        confidence: between 0 and 1.

    Returns:
        The accuracy at equal length, between 0 and 1, ideal 1; and ``b``, in logits, ideal 0.

    Raises:
        ValueError: when shapes differ, a value is not finite, all differences are equal, there are fewer than three
            clusters, or the wins can be told from length (or from nothing at all) without error, so that nothing fits.
    """
    outcome, codes, n_clusters = values_by_cluster(wins, clusters, "wins")
    difference = finite_vector(length_differences, "length differences")
    if len(difference) != len(outcome):
        raise ValueError("there must be as many length differences as wins")
    if n_clusters < 3:
        raise ValueError("at least three clusters are needed")
    spread = float(difference.std())
    if spread == 0:
        raise ValueError("all pairs differ equally in length")
    design = np.column_stack([np.ones_like(difference), np.tanh(difference / spread)])
    coefficients = _fit(design, outcome)
    share = expit(design @ coefficients)
    bread = np.linalg.inv((design * (share * (1 - share))[:, None]).T @ design)
    by_cluster = np.zeros((n_clusters, 2))
    np.add.at(by_cluster, codes, design * (outcome - share)[:, None])
    covariance = bread @ (by_cluster.T @ by_cluster) @ bread * n_clusters / (n_clusters - 1)
    reach = float(stats.t.ppf((1 + confidence) / 2, n_clusters - 1)) * np.sqrt(np.diag(covariance))
    low, high = coefficients - reach, coefficients + reach
    accuracy = Interval(*(float(expit(value)) for value in (coefficients[0], low[0], high[0])))
    return accuracy, Interval(float(coefficients[1]), float(low[1]), float(high[1]))


def _fit(design: FloatArray, outcome: FloatArray) -> FloatArray:
    """Newton's method for a logistic regression."""
    coefficients: FloatArray = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        share = expit(design @ coefficients)
        weight = share * (1 - share)
        try:
            step = np.linalg.solve((design * weight[:, None]).T @ design, design.T @ (outcome - share))
        except np.linalg.LinAlgError:
            break
        coefficients = coefficients + step
        if np.abs(coefficients).max() > _LARGEST:
            break
        if np.abs(step).max() < 1e-10:
            return coefficients
    raise ValueError("the wins are separated, so that no regression fits them")
