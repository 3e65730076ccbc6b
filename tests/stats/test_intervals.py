"""Intervals against published tables, naive loops and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from rmaudit.stats.intervals import (
    bootstrap_interval,
    cluster_means,
    mean_interval,
    proportion_interval,
    ratio_of_means_interval,
    resample,
    standard_error,
)

# Hours of sleep gained by ten patients under one drug over the other ("Student" 1908).
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


def test_cluster_means_weigh_clusters_equally_and_keep_their_order() -> None:
    means = cluster_means([1.0, 5.0, 3.0, 10.0], ["b", "a", "b", "c"])
    assert means.tolist() == [2.0, 5.0, 10.0]


def test_equal_values_have_exactly_their_mean_and_no_error() -> None:
    values, clusters = [0.1] * 10, [0, 0, 0, 1, 1, 2, 2, 2, 2, 2]
    assert standard_error(values, clusters) == (0.0, 2)
    interval = mean_interval(values, clusters)
    assert (interval.estimate, interval.low, interval.high) == (0.1, 0.1, 0.1)


def test_mean_interval_of_students_sleep_data() -> None:
    interval = mean_interval(SLEEP, range(10))
    assert interval.estimate == pytest.approx(1.58)
    assert (interval.low, interval.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    error, df = standard_error(SLEEP, range(10))
    assert (round(error, 7), df) == (0.3889587, 9)


def test_repeating_items_within_a_cluster_adds_no_information() -> None:
    once = mean_interval(SLEEP, range(10))
    often = mean_interval(np.repeat(SLEEP, 7), np.repeat(np.arange(10), 7))
    assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=1e-12)


def test_mean_interval_covers_at_300_clusters() -> None:
    rng = np.random.default_rng(1)
    runs = [mean_interval(values, range(300)) for values in rng.standard_t(4, size=(1000, 300))]
    assert 0.93 <= np.mean([run.low <= 0 <= run.high for run in runs]) <= 0.97


def test_clusters_hold_the_false_positive_rate_that_items_would_break() -> None:
    """40 prompts of 10 templates with an intraclass correlation of 0.3, and no effect."""
    rng = np.random.default_rng(2)
    prompts = np.repeat(np.arange(40), 10)
    naive = clustered = 0
    runs = 500
    for _ in range(runs):
        values = np.sqrt(0.3) * rng.normal(size=40)[prompts] + np.sqrt(0.7) * rng.normal(size=400)
        by_item, by_prompt = mean_interval(values, range(400)), mean_interval(values, prompts)
        naive += not by_item.low <= 0 <= by_item.high
        clustered += not by_prompt.low <= 0 <= by_prompt.high
    assert 0.25 <= naive / runs <= 0.37
    assert 0.02 <= clustered / runs <= 0.08


# Newcombe (1998, Statistics in Medicine 17), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_proportion_interval_of_independent_items_is_wilsons(successes: int, n: int, low: float, high: float) -> None:
    interval = proportion_interval([1.0] * successes + [0.0] * (n - successes), range(n))
    assert interval.estimate == pytest.approx(successes / n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_proportion_interval_of_identical_items_counts_clusters() -> None:
    wins = np.array([1.0] * 30 + [0.0] * 10)
    alone = proportion_interval(wins, range(40))
    repeated = proportion_interval(np.repeat(wins, 10), np.repeat(np.arange(40), 10))
    assert repeated.high - repeated.low == pytest.approx(alone.high - alone.low, rel=0.08)
    assert repeated.high - repeated.low >= alone.high - alone.low


def test_proportion_interval_never_claims_more_than_the_items() -> None:
    """Every cluster wins exactly half: the design effect would be 0, and is held at 1."""
    interval = proportion_interval([1.0, 0.0] * 20, np.repeat(np.arange(20), 2))
    wilson_of_items = proportion_interval([1.0, 0.0] * 20, range(40))
    assert interval.high - interval.low >= wilson_of_items.high - wilson_of_items.low


def test_proportion_interval_of_few_clusters_is_worked_by_hand() -> None:
    """Five prompts of four items: shares 1, 1, 0.5, 0.5, 0.25; mean 0.65, standard error 0.15."""
    wins = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1]
    design_effect = 0.15**2 / (0.65 * 0.35 / 19)
    # Student t at 0.975 with 19 and 4 degrees of freedom.
    n = 20 / design_effect * (2.093024 / 2.776445) ** 2
    z = 1.959964
    centre = (0.65 + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(0.65 * 0.35 / n + z**2 / (4 * n**2))
    found = proportion_interval(wins, np.repeat(np.arange(5), 4))
    assert (found.estimate, found.low, found.high) == pytest.approx((0.65, centre - reach, centre + reach), abs=1e-6)


def test_one_cluster_counts_as_one_item() -> None:
    lone, single = proportion_interval([1.0] * 50, ["p"] * 50), proportion_interval([1.0], ["p"])
    assert lone == single
    assert proportion_interval([1.0, 0.0] * 25, ["p"] * 50).low < 0.1


def test_proportion_interval_covers_with_clusters() -> None:
    rng = np.random.default_rng(3)
    prompts = np.repeat(np.arange(60), 8)
    hits = 0
    for _ in range(400):
        chances = rng.beta(4.0, 1.0, size=60)[prompts]
        interval = proportion_interval((rng.random(480) < chances).astype(float), prompts)
        hits += interval.low <= 0.8 <= interval.high
    assert 0.92 <= hits / 400 <= 0.975


def test_bootstrap_percentiles_below_50_clusters_match_a_plain_loop() -> None:
    values = np.random.default_rng(4).exponential(size=30)
    interval = bootstrap_interval(lambda index: values[index].mean(axis=-1), 30, seed=5, draws=500, vectorized=True)
    rng = np.random.default_rng(5)
    means = [values[row].mean() for row in rng.integers(0, 30, (500, 30))]
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
    assert interval.estimate == pytest.approx(values.mean())


def test_bootstrap_takes_one_draw_at_a_time_or_many() -> None:
    values = np.random.default_rng(6).exponential(size=60)
    one = bootstrap_interval(lambda index: float(np.median(values[index])), 60, seed=7, draws=300)
    many = bootstrap_interval(lambda index: np.median(values[index], axis=-1), 60, seed=7, draws=300, vectorized=True)
    assert one == many


def test_bca_from_50_clusters_on_follows_the_skew() -> None:
    """Efron's interval of a skewed mean reaches further to the right than the percentiles do."""
    values = np.random.default_rng(8).lognormal(size=50)
    interval = bootstrap_interval(lambda index: values[index].mean(axis=-1), 50, seed=9, draws=4000, vectorized=True)
    rng = np.random.default_rng(9)
    low, high = np.quantile([values[row].mean() for row in rng.integers(0, 50, (4000, 50))], [0.025, 0.975])
    assert interval.low > low
    assert interval.high > high


def test_bootstrap_of_a_statistic_that_never_changes_has_no_width() -> None:
    interval = bootstrap_interval(lambda index: 0.25, 80, seed=0, draws=50)
    assert (interval.estimate, interval.low, interval.high) == (0.25, 0.25, 0.25)


def test_bootstrap_refuses_a_statistic_that_fails_on_some_draw() -> None:
    with pytest.raises(ValueError, match="not finite"):
        bootstrap_interval(lambda index: 1.0 if 0 in index else float("nan"), 10, seed=0, draws=200)


def fieller(above: np.ndarray, below: np.ndarray) -> tuple[float, float]:
    """Fieller's (1954) large-sample limits for a ratio of two independent means."""
    z = scipy_stats.norm.ppf(0.975)
    x, y = above.mean(), below.mean()
    v, w = above.var(ddof=1) / len(above), below.var(ddof=1) / len(below)
    g = z**2 * w / y**2
    reach = z / y * np.sqrt(v * (1 - g) + (x / y) ** 2 * w)
    return (x / y - reach) / (1 - g), (x / y + reach) / (1 - g)


def test_ratio_interval_agrees_with_fieller() -> None:
    rng = np.random.default_rng(10)
    above, below = rng.normal(0.3, 0.5, 300), rng.normal(1.0, 1.0, 200)
    interval = ratio_of_means_interval(above, below, seed=0, draws=4000)
    low, high = fieller(above, below)
    assert interval.estimate == pytest.approx(above.mean() / below.mean())
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_ratio_interval_resamples_both_means() -> None:
    """A numerator without spread leaves only the denominator's, which must still be seen."""
    below = np.random.default_rng(11).normal(1.0, 1.0, 100)
    interval = ratio_of_means_interval(np.full(100, 0.5), below, seed=0)
    low, high = fieller(np.full(100, 0.5), below)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_ratio_interval_refuses_a_denominator_that_may_be_zero() -> None:
    below = np.random.default_rng(12).normal(0.0, 1.0, 100)
    with pytest.raises(ValueError, match="zero"):
        ratio_of_means_interval(np.ones(100), below, seed=0)


def test_the_same_seed_gives_the_same_interval_and_another_does_not() -> None:
    values = np.random.default_rng(13).normal(size=(2, 60))
    runs = [
        resample(lambda i, j: values[0][i].mean(axis=-1) - values[1][j].mean(axis=-1), (60, 60), seed)
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([1.0, 2.0], ["a", "a"]), "two clusters"),
        (lambda: mean_interval([1.0, np.nan], [0, 1]), "finite"),
        (lambda: mean_interval([1.0], [0, 1]), "1 values but 2 cluster labels"),
        (lambda: cluster_means([], []), "no values"),
        (lambda: mean_interval([1.0, 2.0], [0, 1], confidence=95), "confidence"),
        (lambda: proportion_interval([2.0, 0.0], [0, 1]), "between 0 and 1"),
        (lambda: bootstrap_interval(lambda index: 0.0, 1, seed=0), "two clusters"),
    ],
)
def test_what_cannot_be_an_interval_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
