"""Repeats with a known effect added, against the same computed draw by draw."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rmaudit.stats.multiplicity import benjamini_hochberg, holm, raw_level
from rmaudit.stats.spike import repeats, scattered, slope_through_zero, smallest_detected, with_addition


def test_every_repeat_draws_as_many_clusters_as_there_are() -> None:
    counts = repeats(30, 50, seed=1)
    assert counts.shape == (50, 30)
    assert (counts.sum(axis=1) == 30).all()
    assert (counts == repeats(30, 50, seed=1)).all()
    assert not (counts == repeats(30, 50, seed=2)).all()


def test_what_is_added_is_scattered_and_right_on_average() -> None:
    shares = scattered(41, seed=0)
    assert shares.mean() == pytest.approx(1.0, abs=1e-12)
    assert 0.5 < shares.min() < 0.52
    assert 1.48 < shares.max() < 1.5
    assert abs(np.corrcoef(shares, np.arange(41))[0, 1]) < 0.5, "they must not go with the order of the items"


@pytest.mark.parametrize("size", [0.0, 0.3, -2.0])
def test_means_and_standard_errors_are_those_of_the_drawn_clusters(size: float) -> None:
    rng = np.random.default_rng(0)
    base, gain = rng.normal(size=(2, 25))
    counts = repeats(25, 20, seed=3)
    found = with_addition(counts, base, gain)(size)
    for row, times in enumerate(counts.astype(int)):
        drawn = np.repeat(base + size * gain, times)
        assert found.mean[row] == pytest.approx(drawn.mean())
        assert found.error[row] == pytest.approx(stats.sem(drawn))


def test_the_limit_is_where_the_share_reaches_what_is_wanted() -> None:
    found = smallest_detected(lambda size: float(stats.norm.cdf(size, loc=3.0)), 0.95, start=0.1, largest=20.0)
    assert found == pytest.approx(3.0 + 1.6449, abs=0.002)
    assert smallest_detected(lambda size: 0.5, 0.95, start=0.1, largest=20.0) is None


def test_the_slope_is_least_squares_through_zero() -> None:
    sizes, recovered = np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.8, 2.3])
    assert slope_through_zero(sizes, recovered) == pytest.approx(
        np.linalg.lstsq(sizes[:, None], recovered, rcond=None)[0][0]
    )


@pytest.mark.parametrize("method", ["holm", "fdr_bh"])
@pytest.mark.parametrize("others", [[], [0.5], [0.001, 0.02, 0.9], [0.02, 0.02, 0.02], [0.0001] * 6, [0.03, None, 1.0]])
def test_the_raw_level_is_where_the_corrected_p_reaches_alpha(method: str, others: list[float | None]) -> None:
    correct = holm if method == "holm" else benjamini_hochberg
    level = raw_level(others, 0.05, method)  # type: ignore[arg-type]
    below, above = correct([level * 0.999, *others])[0], correct([level * 1.001, *others])[0]
    assert below is not None
    assert above is not None
    assert below < 0.05 < above
