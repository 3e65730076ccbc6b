"""Equivalence tests against statsmodels' own, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

from rmaudit.stats.equivalence import non_superiority_p, tost_p
from rmaudit.stats.intervals import mean_interval, standard_error


@pytest.mark.parametrize("shift", [-0.3, -0.04, 0.0, 0.05, 0.2])
@pytest.mark.parametrize("margin", [0.05, 0.2])
def test_tost_agrees_with_statsmodels(shift: float, margin: float) -> None:
    rng = np.random.default_rng(0)
    treated, control = rng.normal(shift, 0.4, 60), rng.normal(0.0, 0.4, 60)
    deltas = treated - control
    ours = tost_p(deltas.mean(), *standard_error(deltas, range(60)), margin)
    assert ours == pytest.approx(DescrStatsW(deltas).ttost_mean(-margin, margin)[0], abs=1e-12)
    assert ours == pytest.approx(ttost_paired(treated, control, -margin, margin)[0], abs=1e-12)


def test_non_superiority_is_the_upper_side_alone() -> None:
    values = np.random.default_rng(1).normal(-0.5, 0.5, 40)
    se, df = standard_error(values, range(40))
    upper = DescrStatsW(values).ttest_mean(0.1, alternative="smaller")[1]
    assert non_superiority_p(values.mean(), se, df, 0.1) == pytest.approx(upper, abs=1e-14)
    # Far below the margin is fine for non-superiority, and no equivalence.
    assert non_superiority_p(values.mean(), se, df, 0.1) < 1e-6
    assert tost_p(values.mean(), se, df, 0.1) > 0.99


def test_tost_at_5_percent_is_the_90_percent_interval_inside_the_margin() -> None:
    rng = np.random.default_rng(2)
    decisions = set()
    for _ in range(50):
        values = rng.normal(rng.uniform(-0.2, 0.2), 0.5, 80)
        interval = mean_interval(values, range(80), confidence=0.9)
        inside = interval.low > -0.15 and interval.high < 0.15
        assert inside == (tost_p(values.mean(), *standard_error(values, range(80)), 0.15) < 0.05)
        decisions.add(inside)
    assert decisions == {True, False}


def test_tost_on_the_margin_holds_its_level() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0.3, 1.0, size=(1000, 200))
    shown = [tost_p(row.mean(), row.std(ddof=1) / np.sqrt(200), 199, 0.3) <= 0.05 for row in values]
    assert 0.03 <= np.mean(shown) <= 0.07


def test_without_error_the_estimate_decides() -> None:
    assert tost_p(0.04, 0.0, 9, 0.05) == 0.0
    assert tost_p(0.05, 0.0, 9, 0.05) == 1.0
    assert tost_p(-0.06, 0.0, 9, 0.05) == 1.0
    assert non_superiority_p(-1.0, 0.0, 9, 0.05) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.1, 9, 0.0), "margin"),
        ((0.0, -0.1, 9, 0.1), "negative"),
        ((0.0, 0.1, 0, 0.1), "above 0"),
        ((float("nan"), 0.1, 9, 0.1), "finite"),
    ],
)
def test_what_cannot_be_tested_is_refused(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tost_p(*arguments)
