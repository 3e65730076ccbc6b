"""Power formulas against textbook numbers and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from rmaudit.stats.equivalence import tost_p
from rmaudit.stats.power import clusters_needed, detection_limit


def test_detection_limit_is_margin_plus_two_quantiles() -> None:
    # Student t with 9 degrees of freedom: 2.262157 at 0.975 and 1.833113 at 0.95.
    assert detection_limit(0.1, 9, 0.05) == pytest.approx(0.05 + 0.1 * (2.262157 + 1.833113), abs=1e-6)
    assert detection_limit(0.0, 9, 0.05) == 0.05


def test_an_effect_at_the_detection_limit_is_found_in_95_of_100_repeats() -> None:
    n, margin = 100, 0.05
    effect = detection_limit(1 / np.sqrt(n), n - 1, margin)
    values = np.random.default_rng(0).normal(effect, 1.0, size=(4000, n))
    low = values.mean(axis=1) - scipy_stats.t.ppf(0.975, n - 1) * values.std(axis=1, ddof=1) / np.sqrt(n)
    assert np.mean(low > margin) == pytest.approx(0.95, abs=0.012)


def test_clusters_needed_to_show_equivalence_match_the_normal_formula() -> None:
    """(1.645 + 1.282)^2 (0.37 / 0.05)^2 = 469 clusters for a true effect of 0."""
    assert clusters_needed(0.0, 0.37, 10, 0.05) == pytest.approx(469.2, abs=4)


@pytest.mark.parametrize("distance", [0.05, 0.1, 0.2])
def test_clusters_needed_to_clear_the_margin_match_the_normal_formula(distance: float) -> None:
    normal = ((1.959964 + 0.841621) * 0.37 / distance) ** 2
    found = clusters_needed(0.05 + distance, 0.37, 5, 0.05)
    assert normal <= found <= normal + 5
    assert found == clusters_needed(-0.05 - distance, 0.37, 5, 0.05)


@pytest.mark.parametrize("effect", [0.0, 0.06])
def test_equivalence_is_shown_with_the_stated_power(effect: float) -> None:
    margin, sd = 0.15, 0.5
    n = clusters_needed(effect, sd, 2, margin)
    values = np.random.default_rng(1).normal(effect, sd, size=(2000, n))
    errors = values.std(axis=1, ddof=1) / np.sqrt(n)
    shown = [tost_p(mean, se, n - 1, margin) <= 0.05 for mean, se in zip(values.mean(1), errors, strict=True)]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.03)


def test_clusters_needed_is_more_than_there_are_and_bounded() -> None:
    assert clusters_needed(2.0, 0.37, 300, 0.05) == 301
    assert clusters_needed(0.2, 0.0, 300, 0.05) == 301
    assert clusters_needed(0.05, 0.37, 300, 0.05) == 1_000_000
    assert clusters_needed(0.0501, 0.37, 300, 0.05) == 1_000_000
    assert clusters_needed(0.0, 0.37, 2_000_000, 0.05) == 1_000_000


def test_the_answer_is_the_smallest_number_that_suffices() -> None:
    for effect in (0.0, 0.02, 0.3):
        n = clusters_needed(effect, 0.4, 5, 0.05)
        assert clusters_needed(effect, 0.4, n - 1, 0.05) == n
        assert clusters_needed(effect, 0.4, n, 0.05) == n + 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: detection_limit(-1.0, 9, 0.05), "at least 0"),
        (lambda: detection_limit(0.1, 0, 0.05), "above 0"),
        (lambda: detection_limit(0.1, 9, 0.05, power=1.0), "power"),
        (lambda: clusters_needed(float("nan"), 1.0, 5, 0.05), "finite"),
        (lambda: clusters_needed(0.0, 1.0, 0, 0.05), "at least 1"),
        (lambda: clusters_needed(0.0, 1.0, 5, 0.0), "margin"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
