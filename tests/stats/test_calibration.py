"""Calibration of win probabilities against brute force and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from rmaudit.stats.calibration import brier, cross_fitted_probabilities, expected_calibration_error, reliability
from rmaudit.stats.ruler import fit_temperature


def simulated(temperature: float, pairs: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Margins of pairs whose better answer wins with probability sigmoid(margin / temperature), and their prompts."""
    rng = np.random.default_rng(1)
    size = rng.exponential(1.5, pairs)
    right = rng.random(pairs) < expit(size / temperature)
    return np.where(right, size, -size), np.arange(pairs) // 4


def test_brier_of_known_probabilities() -> None:
    assert brier([1.0, 0.5, 0.0]) == pytest.approx([0.0, 0.25, 1.0])


def test_calibration_error_by_hand() -> None:
    # Sure at 0.9: two of four right. Sure at 0.6: all right.
    chosen = [0.9, 0.9, 0.1, 0.1, 0.6, 0.6]
    assert expected_calibration_error(chosen) == pytest.approx((4 * 0.4 + 2 * 0.4) / 6)
    grouped = reliability(chosen)
    assert grouped.confidence == pytest.approx([0.6, 0.9])
    assert grouped.accuracy == pytest.approx([1.0, 0.5])
    assert sum(map(len, grouped.members)) == 6


def test_a_calibrated_model_has_next_to_no_error_after_cross_fitting() -> None:
    margins, prompts = simulated(2.0)
    chosen = cross_fitted_probabilities(margins, prompts)
    assert chosen is not None
    assert expected_calibration_error(chosen) < 0.02
    assert expected_calibration_error(expit(margins / 0.3)) > 0.1


def test_the_temperature_of_a_pair_is_fitted_on_other_prompts() -> None:
    margins, prompts = simulated(1.0, 400)
    chosen = cross_fitted_probabilities(margins, prompts)
    assert chosen is not None
    own = prompts % 5 == 2
    assert chosen[own] == pytest.approx(expit(margins[own] / fit_temperature(margins[~own])))
    doubled = cross_fitted_probabilities(2 * margins, prompts)
    assert doubled == pytest.approx(chosen, abs=1e-6)


def test_no_finite_temperature_is_said() -> None:
    assert cross_fitted_probabilities(np.ones(40), np.arange(40)) is None
