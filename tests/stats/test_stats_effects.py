"""Win and flip rates against loops that say what they mean."""

from __future__ import annotations

import numpy as np
import pytest

from rmaudit.stats.effects import calibrated_win, flip_rate, flip_rate_interval, win_probability
from rmaudit.stats.intervals import resample


def test_ties_are_half_a_win() -> None:
    assert win_probability([-2.0, 0.0, -0.0, 1e-300]).tolist() == [0.0, 0.5, 0.5, 1.0]


def test_calibrated_win_is_the_sigmoid_of_the_scaled_difference() -> None:
    assert calibrated_win([0.0, np.log(3.0) * 2, -1e6], 2.0) == pytest.approx([0.5, 0.75, 0.0])


def test_flip_rate_equals_a_loop() -> None:
    rng = np.random.default_rng(0)
    deltas, margins = rng.normal(0.3, 1.0, 40).round(1), rng.normal(0.5, 1.0, 90).round(1)
    right = [margin for margin in margins if margin > 0]
    shares = [sum(margin < delta for margin in right) / len(right) for delta in deltas]
    assert flip_rate(deltas, margins) == pytest.approx(np.mean(shares))


def test_flip_rate_at_its_edges() -> None:
    assert flip_rate([-1.0, 0.0], [0.5, 2.0]) == 0.0
    assert flip_rate([1.0], [1.0, 2.0]) == 0.0  # equal is not turned round
    assert flip_rate([1.5], [1.0, 2.0, -5.0]) == 0.5  # the pair that was wrong anyway does not count
    assert flip_rate([3.0], [1.0, 2.0]) == 1.0


@pytest.mark.parametrize("n_prompts", [20, 60])
def test_flip_rate_interval_equals_a_loop_over_the_same_draws(n_prompts: int) -> None:
    rng = np.random.default_rng(1)
    deltas, clusters = rng.normal(0.5, 1.0, 120).round(1), np.repeat(np.arange(60), 2)
    margins = rng.normal(0.7, 1.0, 4 * n_prompts).round(1)
    prompts = np.repeat(np.arange(n_prompts), 4)

    def slow(items, panel) -> float:
        drawn = np.concatenate([margins[prompts == prompt] for prompt in panel.astype(int)])
        return float(np.mean([flip_rate(deltas[clusters == item], drawn) for item in items.astype(int)]))

    fast = flip_rate_interval(deltas, clusters, margins, prompts, seed=2, draws=60)
    loop = resample(slow, (60, n_prompts), seed=2, draws=60, vectorized=False)
    assert (fast.estimate, fast.low, fast.high) == pytest.approx((loop.estimate, loop.low, loop.high))
    assert fast.estimate == pytest.approx(flip_rate(deltas, margins))


def test_flip_rate_interval_covers() -> None:
    """Differences are N(0.5, 0.5) and margins exponential, so the true rate has a closed form."""
    rng = np.random.default_rng(3)
    grid = rng.normal(0.5, 0.5, 400_000)
    truth = np.mean(np.where(grid > 0, 1 - np.exp(-grid), 0.0))
    hits = 0
    for seed in range(150):
        deltas, margins = rng.normal(0.5, 0.5, 60), rng.exponential(1.0, 100)
        found = flip_rate_interval(deltas, range(60), margins, np.repeat(range(50), 2), seed, draws=400)
        hits += found.low <= truth <= found.high
    assert 0.89 <= hits / 150 <= 0.99


def test_an_effect_that_flips_nothing_has_an_interval_without_width() -> None:
    found = flip_rate_interval([-1.0] * 60, range(60), [1.0, 2.0] * 60, np.repeat(range(60), 2), seed=0)
    assert (found.estimate, found.low, found.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: flip_rate([1.0], [-1.0, 0.0]), "rightly ordered"),
        (lambda: flip_rate([], [1.0]), "items"),
        (lambda: flip_rate_interval([1.0, 2.0], [0, 1], [-1.0, -2.0], [0, 1], seed=0), "rightly ordered"),
        (lambda: flip_rate_interval([1.0, 2.0], [0, 0], [1.0, 2.0], [0, 1], seed=0), "two clusters"),
        (lambda: calibrated_win([1.0], 0.0), "temperature"),
        (lambda: win_probability([np.nan]), "finite"),
    ],
)
def test_what_has_no_rate_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
