"""Accuracy at equal length, and slopes within prompts, on data made to known rules."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from rmaudit.stats.length_control import length_controlled_accuracy
from rmaudit.stats.within_prompt import within_prompt_slope

RNG = np.random.default_rng(7)
PAIRS = 4000


def pairs(quality: float, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Wins and differences of length, where the better answer tends to be longer."""
    difference = RNG.normal(10, 20, PAIRS)
    chance = expit(quality + length * np.tanh(difference / difference.std()))
    return (RNG.random(PAIRS) < chance).astype(float), difference


@pytest.mark.parametrize(("quality", "length"), [(1.0, 0.0), (0.0, 2.0), (0.8, -1.0)])
def test_accuracy_at_equal_length_is_that_of_quality_alone(quality: float, length: float) -> None:
    wins, difference = pairs(quality, length)
    accuracy, coefficient = length_controlled_accuracy(wins, difference, range(PAIRS))
    assert accuracy.estimate == pytest.approx(expit(quality), abs=0.03)
    assert accuracy.low < expit(quality) < accuracy.high
    assert coefficient.low < length < coefficient.high


def test_a_model_that_goes_by_length_alone_has_no_accuracy_at_equal_length() -> None:
    wins, difference = pairs(0.0, 3.0)
    assert wins.mean() > 0.6
    accuracy, _ = length_controlled_accuracy(wins, difference, range(PAIRS))
    assert accuracy.estimate == pytest.approx(0.5, abs=0.04)


def test_the_unit_of_length_does_not_matter_and_copies_add_no_certainty() -> None:
    wins, difference = pairs(0.5, 1.0)
    once, _ = length_controlled_accuracy(wins, difference, range(PAIRS))
    scaled, _ = length_controlled_accuracy(wins, difference * 7, range(PAIRS))
    twice, _ = length_controlled_accuracy(np.tile(wins, 2), np.tile(difference, 2), [*range(PAIRS)] * 2)
    assert scaled.estimate == pytest.approx(once.estimate)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=1e-6)


@pytest.mark.parametrize(
    ("wins", "difference", "message"),
    [
        ([1, 1, 1, 1], [1, -1, 2, -2], "separated"),
        ([1, 0, 1, 0], [3, -3, 3, -3], "separated"),
        ([1, 0, 1, 0], [2, 2, 2, 2], "equally"),
        ([1, 0, 1, 0], [2, 1, 2], "as many"),
        ([1, 0], [2, 1], "three clusters"),
    ],
)
def test_what_cannot_be_fitted_is_refused(wins: list[float], difference: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        length_controlled_accuracy(wins, difference, range(len(wins)))


def test_the_slope_within_prompts_ignores_differences_between_them() -> None:
    prompts = np.repeat(np.arange(200), 5)
    length = RNG.normal(0, 1, 1000) + prompts
    value = 0.4 * (length - prompts) - 3 * prompts + RNG.normal(0, 1, 1000)
    found = within_prompt_slope(value, length, prompts.tolist())
    assert found.low < 0.4 < found.high
    assert found.high - found.low < 0.2


def test_the_interval_of_a_slope_covers_it() -> None:
    covered = 0
    for _ in range(300):
        prompts = np.repeat(np.arange(60), 4)
        length = RNG.normal(0, 1, 240)
        own = np.repeat(RNG.normal(0, 0.5, 60), 4)  # slopes that differ between prompts
        found = within_prompt_slope((0.2 + own) * length + RNG.normal(0, 1, 240), length, prompts.tolist())
        covered += found.low < 0.2 < found.high
    assert covered / 300 > 0.9


@pytest.mark.parametrize(
    ("values", "predictor", "prompts", "message"),
    [
        ([1, 2, 3, 4], [5, 5, 7, 7], [0, 0, 1, 1], "same for all"),
        ([1, 2], [1, 2], [0, 0], "two prompts"),
        ([1, 2, 3, 4], [1, 2, 3], [0, 0, 1, 1], "as many"),
    ],
)
def test_a_slope_needs_something_to_go_by(
    values: list[float], predictor: list[float], prompts: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        within_prompt_slope(values, predictor, prompts)
