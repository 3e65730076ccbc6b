"""The ruler against closed forms and grid search."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from rmaudit.stats.ruler import (
    fit_temperature,
    gold_pairs,
    pair_accuracy,
    robust_within_prompt_sd,
    within_prompt_sd,
)


def test_within_prompt_sd_pools_and_ignores_prompt_means() -> None:
    """(0, 2) and (100, 103, 106): squares 2 and 18 on 1 and 2 degrees of freedom; one answer adds none."""
    rewards, prompts = [0.0, 2.0, 100.0, 103.0, 106.0, -50.0], ["a", "a", "b", "b", "b", "c"]
    assert within_prompt_sd(rewards, prompts) == pytest.approx(np.sqrt(20 / 3))


def test_within_prompt_sd_of_pairs_is_the_root_mean_square_margin_over_root_two() -> None:
    rewards = np.random.default_rng(0).normal(size=(50, 2))
    margins = rewards[:, 0] - rewards[:, 1]
    found = within_prompt_sd(rewards.ravel(), np.repeat(np.arange(50), 2))
    assert found == pytest.approx(np.sqrt(np.mean(margins**2) / 2))


def test_a_constant_model_has_exactly_no_spread() -> None:
    prompts = [0, 0, 0, 1, 1, 1, 1, 1, 1]
    rewards = [0.1] * 3 + [0.7] * 6
    assert within_prompt_sd(rewards, prompts) == 0.0
    assert robust_within_prompt_sd(rewards, prompts) == 0.0


def test_a_large_offset_costs_no_precision() -> None:
    rewards = np.random.default_rng(1).normal(size=600)
    prompts = np.repeat(np.arange(100), 6)
    shifted = within_prompt_sd(rewards + 2.0**20, prompts)
    assert shifted == pytest.approx(within_prompt_sd(rewards, prompts), rel=1e-9)


def test_robust_sd_worked_by_hand_and_deaf_to_outliers() -> None:
    """Deviations 1, 0, 1 and 2, 0, 2: their median is 1; the single answer would have added a 0."""
    rewards, prompts = [1.0, 2.0, 3.0, 10.0, 12.0, 14.0, 5.0], list("aaabbbc")
    assert robust_within_prompt_sd(rewards, prompts) == pytest.approx(1.4826, abs=1e-4)
    assert robust_within_prompt_sd([*rewards[:2], 1e9, *rewards[3:]], prompts) == pytest.approx(1.4826 * 1.5, abs=1e-3)


def test_robust_sd_nears_the_plain_one_with_many_answers() -> None:
    rewards = np.random.default_rng(2).normal(0, 3.0, size=20_000)
    prompts = np.repeat(np.arange(100), 200)
    assert robust_within_prompt_sd(rewards, prompts) == pytest.approx(3.0, rel=0.03)


def test_gold_pairs_are_all_pairs_of_different_grade_better_minus_worse() -> None:
    rng = np.random.default_rng(3)
    rewards, grades = rng.normal(size=30), rng.integers(0, 4, 30)
    prompts = rng.permutation(np.repeat(list("pqrstu"), 5)).tolist()
    number = {prompt: index for index, prompt in enumerate(dict.fromkeys(prompts))}
    expected = sorted(
        (number[prompts[better]], rewards[better] - rewards[worse])
        for better, worse in permutations(range(30), 2)
        if prompts[better] == prompts[worse] and grades[better] > grades[worse]
    )
    found = gold_pairs(rewards, grades, prompts)
    assert sorted(zip(found.prompts.tolist(), found.margins.tolist(), strict=True)) == expected


def test_gold_pairs_come_in_an_order_that_rewards_do_not_change() -> None:
    grades, prompts = [2, 0, 1, 1, 0], [0, 0, 0, 1, 1]
    rewards = np.array([5.0, 1.0, 3.0, 2.0, 9.0])
    assert gold_pairs(rewards, grades, prompts).margins.tolist() == [4.0, 2.0, 2.0, -7.0]
    assert gold_pairs(-rewards, grades, prompts).margins.tolist() == [-4.0, -2.0, -2.0, 7.0]
    assert len(gold_pairs(rewards, [1] * 5, prompts).margins) == 0


def test_pair_accuracy_counts_ties_half_and_prompts_once() -> None:
    found = pair_accuracy([1.0, -1.0, 2.0, 3.0, 0.0, 0.0], [0, 0, 1, 1, 2, 2])
    assert found.estimate == pytest.approx((0.5 + 1.0 + 0.5) / 3)
    assert 0 <= found.low < found.estimate < found.high <= 1


def log_likelihood(margins: np.ndarray, temperature: float) -> float:
    return float(-np.logaddexp(0, -margins / temperature).sum())


def test_temperature_has_a_closed_form_for_margins_of_one_size() -> None:
    """Three of four pairs right by 2: sigmoid(2 / T) = 3/4, so T = 2 / log 3."""
    assert fit_temperature([2.0, 2.0, 2.0, -2.0]) == pytest.approx(2 / np.log(3), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_temperature_beats_a_grid(seed: int) -> None:
    margins = np.random.default_rng(seed).normal(0.6, 1.0, 300)
    fitted = fit_temperature(margins)
    assert fitted is not None
    grid = np.geomspace(0.01, 100, 20_001)
    best = grid[np.argmax([log_likelihood(margins, value) for value in grid])]
    assert fitted == pytest.approx(best, rel=1e-3)
    assert log_likelihood(margins, fitted) >= log_likelihood(margins, best)


def test_temperature_recovers_the_one_that_made_the_labels() -> None:
    rng = np.random.default_rng(6)
    raw = rng.normal(0, 3.0, 40_000)
    right = rng.random(40_000) < 1 / (1 + np.exp(-np.abs(raw) / 1.7))
    assert fit_temperature(np.where(right, 1, -1) * np.abs(raw)) == pytest.approx(1.7, rel=0.04)


@pytest.mark.parametrize("factor", [1e-6, 0.3, 1 / 7, 364.0, 1e8])
def test_temperature_scales_with_the_rewards(factor: float) -> None:
    margins = np.random.default_rng(7).normal(0.5, 1.0, 500)
    fitted = fit_temperature(margins)
    assert fitted is not None
    assert fit_temperature(factor * margins) == pytest.approx(factor * fitted, rel=1e-9)


@pytest.mark.parametrize(
    "margins",
    [
        [],
        [0.0, 0.0],
        [1.0, 2.0, 0.0],  # separable: the colder the better
        [-1.0, -2.0],
        [1.0, -1.0],  # a coin
        [-0.3] * 5 + [1.5],  # a coin but for rounding
        [1.0, -3.0, 0.5],
    ],
)
def test_there_is_no_temperature_where_the_likelihood_has_no_peak(margins: list[float]) -> None:
    assert fit_temperature(margins) is None


def test_temperature_of_an_almost_perfect_model_is_finite() -> None:
    fitted = fit_temperature([1.0] * 99 + [-1e-6])
    assert fitted is not None
    assert 0 < fitted < 0.2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: within_prompt_sd([1.0, 2.0], ["a", "b"]), "two answers"),
        (lambda: robust_within_prompt_sd([1.0, 2.0], ["a", "b"]), "two answers"),
        (lambda: within_prompt_sd([1.0, np.nan], ["a", "a"]), "finite"),
        (lambda: gold_pairs([1.0, 2.0], [1.0], ["a", "a"]), "2 rewards but 1 grades"),
        (lambda: fit_temperature([1.0, np.inf]), "finite"),
    ],
)
def test_what_cannot_be_a_ruler_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
