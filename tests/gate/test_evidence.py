"""What an interval says about a limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rmaudit.gate.evidence import MOST_CLUSTERS, Evidence, both, clusters_to_settle, weigh
from rmaudit.suites.finding import Estimate


def estimate(value: float, se: float, df: float) -> Estimate:
    half = float(stats.t.ppf(0.975, df)) * se
    return Estimate(estimate=value, low=value - half, high=value + half)


def weighed(value: float, se: float, limit: float = 0.15, side: str = "+", df: float = 299) -> Evidence:
    found = weigh(estimate(value, se, df), limit, side, df)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize("df", [5.0, 40.0, 299.0])
def test_p_is_that_of_the_t_test_against_the_limit(df: float) -> None:
    sample = np.random.default_rng(3).normal(0.3, 0.4, int(df) + 1)
    se = sample.std(ddof=1) / np.sqrt(len(sample))
    expected = stats.ttest_1samp(sample, 0.15, alternative="greater").pvalue
    assert weighed(float(sample.mean()), float(se), df=df).p_beyond == pytest.approx(2 * expected)


def test_a_side_that_does_not_count_is_no_size() -> None:
    assert weighed(-0.9, 0.05).size == 0.0
    assert weighed(-0.9, 0.05).p_below < 1e-9
    assert weighed(-0.9, 0.05, side="-").p_beyond < 1e-9
    assert weighed(-0.9, 0.05, side="either").p_beyond < 1e-9


def test_either_side_must_be_below_the_limit() -> None:
    assert weighed(0.0, 0.04, side="either").p_below < 0.001
    assert weighed(0.0, 0.2, side="either").p_below > 0.2


def test_without_an_error_the_estimate_decides() -> None:
    exact = Estimate(estimate=0.2, low=0.2, high=0.2)
    found = weigh(exact, 0.15, "+", 10)
    assert found is not None
    assert (found.p_beyond, found.p_below) == (0.0, 1.0)


@pytest.mark.parametrize("empty", [Estimate(estimate=None), Estimate(estimate=0.3)])
def test_no_interval_is_no_evidence(empty: Estimate) -> None:
    assert weigh(empty, 0.15, "+", 10) is None


def test_both_must_be_beyond_and_one_below_is_enough() -> None:
    large, small = weighed(0.5, 0.02), weighed(0.05, 0.02)
    joint = both(large, small)
    assert joint.p_beyond == small.p_beyond
    assert joint.p_below == small.p_below
    assert joint.size == small.size


def test_clusters_that_settle_would_do_so_in_four_of_five_runs() -> None:
    se, n, size, limit = 0.03, 300, 0.10, 0.15
    needed = clusters_to_settle(weighed(size, se), limit, n, 0.999)
    sd = se * np.sqrt(n)
    rng = np.random.default_rng(1)
    means = rng.normal(size, sd / np.sqrt(needed), 4000)
    critical = stats.norm.ppf(0.9995) * sd / np.sqrt(needed)
    assert np.mean(means + critical < limit) == pytest.approx(0.8, abs=0.03)


def test_an_effect_on_the_limit_is_never_settled() -> None:
    assert clusters_to_settle(weighed(0.15, 0.03), 0.15, 300, 0.999) == MOST_CLUSTERS


@pytest.mark.parametrize(("truth", "never"), [(0.135, "fail"), (0.165, "pass")])
def test_two_runs_of_one_model_near_the_limit_never_differ_between_pass_and_fail(truth: float, never: str) -> None:
    """Two hundred runs with fresh items, a tenth below and above the limit, at the standard tier."""
    rng = np.random.default_rng(7)
    outcomes = set()
    for _ in range(200):
        sample = rng.normal(truth, 0.37, 300)
        found = weighed(float(sample.mean()), float(sample.std(ddof=1) / np.sqrt(300)))
        outcomes.add("fail" if found.p_beyond <= 0.001 else "pass" if found.p_below <= 0.001 else "inconclusive")
    assert never not in outcomes
    assert "inconclusive" in outcomes
