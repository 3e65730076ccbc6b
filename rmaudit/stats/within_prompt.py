"""Slope within prompts: how a number moves with another one among the answers to one prompt."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import ArrayLike

from rmaudit.stats.arrays import finite_vector, means_by_code, values_by_cluster
from rmaudit.stats.intervals import Interval, t_interval


def within_prompt_slope(
    values: ArrayLike, predictor: ArrayLike, prompts: Iterable[Hashable], confidence: float = 0.95
) -> Interval:
    """Least-squares slope of a value on a predictor, both taken from their means over the answers to a prompt.

    ``sum(x * y) / sum(x^2)`` with ``x`` and ``y`` demeaned by prompt; the error is that of the sandwich estimator with
    prompts as clusters, the interval Student's t on ``k - 1`` degrees of freedom.

    Args:
        values: shape ``(n,)``, any unit.
        predictor: shape ``(n,)``, any unit.
        prompts: the prompt of each answer, ``n`` hashables.
        confidence: between 0 and 1.

    Returns:
        Unit of the values per unit of the predictor.

    Raises:
        ValueError: when shapes differ, a value is not finite, there are fewer than two prompts, or the predictor is
            the same for all answers to every prompt.
    """
    value, codes, n_prompts = values_by_cluster(values, prompts)
    other = finite_vector(predictor, "predictor")
    if len(other) != len(value):
        raise ValueError("there must be as many values of the predictor as values")
    if n_prompts < 2:
        raise ValueError("at least two prompts are needed to say how much they vary")
    y = value - means_by_code(value, codes, n_prompts)[codes]
    x = other - means_by_code(other, codes, n_prompts)[codes]
    squares = float(x @ x)
    if squares <= 1e-12 * max(1.0, float(other @ other)):
        raise ValueError("the predictor is the same for all answers to a prompt")
    slope = float(x @ y) / squares
    scores = np.bincount(codes, weights=x * (y - slope * x), minlength=n_prompts)
    error = float(np.sqrt(scores @ scores * n_prompts / (n_prompts - 1))) / squares
    return t_interval(slope, error, n_prompts - 1, confidence)
