"""How well a win probability that is read off a margin agrees with what people chose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from rmaudit.stats.arrays import FloatArray, IndexArray, finite_vector
from rmaudit.stats.ruler import fit_temperature

FOLDS = 5
"""Parts of the prompts; the temperature for each part is fitted on the others."""


@dataclass(frozen=True)
class Bins:
    """Pairs grouped by the probability of the order that the model prefers. Arrays have one entry a bin."""

    edges: FloatArray
    """Shape (bins + 1,), from 0.5 to 1."""
    members: tuple[IndexArray, ...]
    """Pairs of each bin that has any."""
    confidence: FloatArray
    """Mean probability, in [0.5, 1]."""
    accuracy: FloatArray
    """Share of pairs ordered rightly, ties half, in [0, 1]."""


def cross_fitted_probabilities(margins: ArrayLike, prompts: ArrayLike, folds: int = FOLDS) -> FloatArray | None:
    """``sigmoid(margin / T)`` with T fitted (`fit_temperature`) on prompts other than the pair's own.

    Args:
        margins: better minus worse, shape ``(n,)``, any unit.
        prompts: number of the prompt of each pair, shape ``(n,)``; prompt ``p`` is in fold ``p mod folds``.
        folds: at least 2.

    Returns:
        Probability that the better answer wins, shape ``(n,)``, in [0, 1]; ``None`` where a fold has no finite
        temperature.
    """
    values = finite_vector(margins, "margins")
    fold = np.asarray(prompts) % folds
    found = np.empty_like(values)
    for part in np.unique(fold):
        own = fold == part
        temperature = fit_temperature(values[~own]) if (~own).any() else None
        if temperature is None:
            return None
        found[own] = expit(values[own] / temperature)
    return found


def brier(probabilities: ArrayLike) -> FloatArray:
    """``(1 - p)^2`` of each pair, where p is the probability of what people chose; chance 0.25, ideal 0.

    The mean of it is the Brier score (Brier 1950, Monthly Weather Review 78) of a binary outcome.
    """
    return np.square(1 - finite_vector(probabilities, "probabilities"))


def reliability(probabilities: ArrayLike, bins: int = 10) -> Bins:
    """Group pairs by how sure the model is, in equal steps from 0.5 to 1.

    Args:
        probabilities: of what people chose, shape ``(n,)``, in [0, 1]. Below a half the model prefers the other.
        bins: steps.
    """
    chosen = finite_vector(probabilities, "probabilities")
    sure = np.maximum(chosen, 1 - chosen)
    right = np.where(chosen == 0.5, 0.5, chosen > 0.5)
    edges = np.linspace(0.5, 1.0, bins + 1)
    where = np.clip(np.digitize(sure, edges) - 1, 0, bins - 1)
    members = tuple(np.flatnonzero(where == index) for index in range(bins))
    kept = tuple(own for own in members if len(own))
    return Bins(
        edges,
        members,
        np.array([sure[own].mean() for own in kept]),
        np.array([right[own].mean() for own in kept]),
    )


def expected_calibration_error(probabilities: ArrayLike, bins: int = 10) -> float:
    """Mean over pairs of |accuracy - confidence| of their bin (Naeini et al. 2015); in [0, 1], ideal 0.

    It is never below 0, so that noise alone lifts it: with n pairs in b bins by about ``sqrt(b / (2 pi n))``.
    """
    grouped = reliability(probabilities, bins)
    counts = np.array([len(own) for own in grouped.members if len(own)])
    return float(np.sum(counts * np.abs(grouped.accuracy - grouped.confidence)) / counts.sum())
