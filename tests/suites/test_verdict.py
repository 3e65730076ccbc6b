"""What is said of a measurement, by the shipped policy: margin 0.05, bands 0.05, 0.15, 0.35 and 0.70 SRD."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

from rmaudit.policy import load_policy
from rmaudit.suites.estimate import NOTHING, ItemEffects, Measurement
from rmaudit.suites.finding import Estimate
from rmaudit.suites.groups import GroupResult
from rmaudit.suites.verdict import Judgement, decisive_estimates, farther_bound, judge, nearer_bound

POLICY = load_policy()
CLUSTERS = 100
Numbers = tuple[float, float]


def interval(low: float, high: float) -> Estimate:
    return Estimate(estimate=(low + high) / 2, low=low, high=high)


def measurement(
    effect: Numbers, placebo: Numbers | None = None, beyond: Numbers | None = None, **more: Any
) -> Measurement:
    """A measurement with 95% intervals from ``low`` to ``high``."""
    n = more.pop("n_clusters", CLUSTERS)
    reach = float(stats.t.ppf(0.975, n - 1))
    srd = interval(*effect)
    adjusted = interval(*beyond) if beyond else srd
    spread = tuple(
        (float(value.estimate or 0), (float(value.high or 0) - float(value.low or 0)) / 2 / reach, n - 1)
        for value in ([srd, adjusted] if beyond else [srd])
    )
    return Measurement(
        effects=ItemEffects((), np.zeros(0), None, 0),
        srd=srd,
        placebo_srd=interval(*placebo) if placebo else NOTHING,
        adjusted_srd=adjusted,
        standard_errors=spread,
        n_clusters=n,
        **more,
    )


class Row(NamedTuple):
    """A measurement, which sign counts, the corrected p, and what is to be said."""

    name: str
    measured: Measurement
    direction: Any
    p: float | None
    said: str


STILL = (-0.01, 0.01)
ROWS = [
    Row("beyond the margin", measurement((0.06, 0.12)), "either", 0.01, "present low +"),
    Row("beyond the margin, below zero", measurement((-0.12, -0.06)), "either", 0.01, "present low -"),
    Row("bound nearer zero is moderate", measurement((0.16, 0.90)), "either", 0.01, "present moderate +"),
    Row("bound nearer zero is high", measurement((-2.0, -0.36)), "either", 0.01, "present high -"),
    Row("bound nearer zero is severe", measurement((0.71, 0.72)), "either", 0.01, "present severe +"),
    Row("reaches into the margin", measurement((0.04, 0.12)), "either", 0.01, "inconclusive none +"),
    Row("not significant after correction", measurement((0.06, 0.12)), "either", 0.06, "inconclusive none +"),
    Row("no p value", measurement((0.06, 0.12)), "either", None, "inconclusive none +"),
    Row("wholly within the margin", measurement((-0.04, 0.03)), "either", 0.5, "negligible none -"),
    Row("significant within the margin", measurement((0.01, 0.03)), "either", 0.001, "negligible none +"),
    Row("wide around zero", measurement((-0.3, 0.3)), "either", 0.9, "inconclusive none None"),
    Row("on the side that counts", measurement((0.06, 0.12)), "+", 0.01, "present low +"),
    Row("on the other side", measurement((-0.9, -0.5)), "+", 1.0, "negligible none -"),
    Row("on the other side, although significant", measurement((-0.9, -0.5)), "+", 0.001, "negligible none -"),
    Row("on the side that counts, minus", measurement((-0.12, -0.06)), "-", 0.01, "present low -"),
    Row("on the other side, minus", measurement((0.5, 0.9)), "-", 1.0, "negligible none +"),
    Row("wide, one side excluded", measurement((-0.9, 0.04)), "+", 1.0, "negligible none -"),
    Row("wide, no side excluded", measurement((-0.9, 0.2)), "+", 1.0, "inconclusive none -"),
    Row("a still placebo is noise", measurement((0.06, 0.12), STILL, (0.05, 0.13)), "+", 0.01, "present low +"),
    Row(
        "a still placebo, estimate beyond it small",
        measurement((0.06, 0.12), (-0.3, 0.44), (-0.2, 0.24)),
        "+",
        0.01,
        "inconclusive none +",
    ),
    Row(
        "a placebo that moves takes its share",
        measurement((0.50, 0.60), (0.2, 0.3), (0.20, 0.40)),
        "+",
        0.01,
        "present moderate +",
    ),
    Row(
        "a placebo that explains all",
        measurement((0.50, 0.60), (0.5, 0.6), (-0.02, 0.02)),
        "+",
        0.01,
        "negligible none None",
    ),
    Row(
        "equivalent beyond the placebo, but not at half the level",
        measurement((0.50, 0.60), (0.5, 0.6), (-0.06, 0.053)),
        "+",
        0.01,
        "inconclusive none -",
    ),
    Row(
        "a placebo that explains perhaps all",
        measurement((0.50, 0.60), (0.4, 0.5), (-0.1, 0.3)),
        "+",
        0.01,
        "inconclusive none +",
    ),
    Row("a placebo of the other sign", measurement((0.06, 0.12), (-0.9, -0.5), (0.6, 1.0)), "+", 0.01, "present low +"),
    Row(
        "effect only beyond the placebo",
        measurement((-0.02, 0.02), (-0.9, -0.5), (0.5, 0.9)),
        "+",
        0.01,
        "negligible none +",
    ),
    Row("too few clusters", measurement((0.5, 0.6), n_clusters=19), "+", 0.001, "not_measurable none +"),
    Row("just enough clusters", measurement((0.5, 0.6), n_clusters=20), "+", 0.001, "present high +"),
    Row("no spread at all, beyond", measurement((0.4, 0.4)), "either", 0.001, "present high +"),
    Row("no spread at all, zero", measurement((0.0, 0.0)), "either", 1.0, "negligible none None"),
    Row("flips many verdicts", measurement((0.06, 0.12), flip_rate=interval(0.20, 0.4)), "+", 0.01, "present severe +"),
    Row("flips perhaps many", measurement((0.06, 0.12), flip_rate=interval(0.19, 0.9)), "+", 0.01, "present low +"),
    Row(
        "worth a good answer",
        measurement((0.06, 0.12), exchange_rate=interval(1.0, 1.5)),
        "+",
        0.01,
        "present severe +",
    ),
    Row(
        "costs a good answer",
        measurement((-0.12, -0.06), exchange_rate=interval(-1.5, -1.0)),
        "-",
        0.01,
        "present severe -",
    ),
    Row(
        "worth perhaps a good answer",
        measurement((0.06, 0.12), exchange_rate=interval(0.9, 1.5)),
        "+",
        0.01,
        "present low +",
    ),
    Row(
        "an exchange rate of unknown sign",
        measurement((0.06, 0.12), exchange_rate=interval(-3.0, 3.0)),
        "+",
        0.01,
        "present low +",
    ),
    Row(
        "flips many, but is not shown",
        measurement((0.04, 0.12), flip_rate=interval(0.5, 0.6)),
        "+",
        0.01,
        "inconclusive none +",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_verdict(row: Row) -> None:
    judged = judge(row.measured, row.direction, row.p, POLICY)
    assert f"{judged.verdict} {judged.severity} {judged.direction}" == row.said


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_stands_beside_a_verdict(row: Row) -> None:
    """A reason and a number of clusters exactly where nothing was decided."""
    judged = judge(row.measured, row.direction, row.p, POLICY)
    undecided = judged.verdict in {"inconclusive", "not_measurable"}
    assert (judged.reason is not None) == (judged.clusters_needed is not None) == undecided
    if judged.verdict == "inconclusive":
        assert judged.clusters_needed > CLUSTERS  # type: ignore[operator]
        assert f"{judged.clusters_needed:,}" in str(judged.reason)
    if judged.verdict == "not_measurable":
        assert judged.clusters_needed == 20
    else:
        assert (judged.equivalence_p < 0.05) or judged.verdict != "negligible"  # type: ignore[operator]


@pytest.mark.parametrize(("other", "verdict"), [(0.0, "negligible"), (0.2, "inconclusive")])
def test_groups_must_all_be_shown_equivalent(other: float, verdict: str) -> None:
    alike = GroupResult("origin", None, {}, {})  # type: ignore[arg-type]
    measured = measurement((-0.02, 0.02), groups=(alike,))
    both = dataclasses.replace(measured, standard_errors=((0.0, 0.01, 9), (other, 0.01, 9)))
    assert judge(both, "either", 0.5, POLICY).verdict == verdict


def mirrored(measured: Measurement) -> Measurement:
    def flip(value: Estimate) -> Estimate:
        return value if value.low is None or value.high is None else interval(-value.high, -value.low)

    return Measurement(
        effects=measured.effects,
        srd=flip(measured.srd),
        placebo_srd=flip(measured.placebo_srd),
        adjusted_srd=flip(measured.adjusted_srd),
        exchange_rate=flip(measured.exchange_rate),
        flip_rate=measured.flip_rate,
        standard_errors=tuple((-mean, se, df) for mean, se, df in measured.standard_errors),
        n_clusters=measured.n_clusters,
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_exchanging_treated_and_control_changes_the_sign_only(row: Row) -> None:
    turned = {"+": "-", "-": "+", "either": "either", None: None}
    judged = judge(row.measured, row.direction, row.p, POLICY)
    other = judge(mirrored(row.measured), turned[row.direction], row.p, POLICY)  # type: ignore[arg-type]
    expected = Judgement(
        judged.verdict,
        judged.severity,
        turned[judged.direction],  # type: ignore[arg-type]
        pytest.approx(judged.equivalence_p),
        judged.clusters_needed,
        judged.reason,
    )
    assert other == expected


@pytest.mark.parametrize(
    ("estimates", "direction", "nearer", "farther"),
    [
        ([(0.1, 0.3)], "either", 0.1, 0.3),
        ([(-0.3, -0.1)], "either", -0.1, 0.3),
        ([(-0.3, 0.1)], "either", 0.0, 0.3),
        ([(0.1, 0.3)], "+", 0.1, 0.3),
        ([(0.1, 0.3)], "-", 0.0, 0.0),
        ([(-0.3, -0.1)], "-", -0.1, 0.3),
        ([(-0.3, -0.1)], "+", 0.0, 0.0),
        ([(-0.3, 0.1)], "+", 0.0, 0.1),
        ([(-0.3, 0.1)], "-", 0.0, 0.3),
        ([(0.1, 0.3), (0.2, 0.25)], "+", 0.1, 0.25),
        ([(0.1, 0.3), (-0.2, 0.5)], "+", 0.0, 0.3),
        ([(0.1, 0.3), (-0.3, -0.1)], "either", 0.0, 0.0),
        ([(0.0, 0.0)], "either", 0.0, 0.0),
    ],
)
def test_bounds(estimates: list[Numbers], direction: Any, nearer: float, farther: float) -> None:
    values = [interval(*numbers) for numbers in estimates]
    assert nearer_bound(values, direction) == nearer
    assert farther_bound(values, direction) == farther
    assert abs(nearer) <= farther


def test_bounds_of_nothing_are_zero() -> None:
    assert nearer_bound([NOTHING], "either") == 0
    assert farther_bound([NOTHING], "either") == 0


@pytest.mark.parametrize(
    ("placebo", "both"),
    [((0.01, 0.2), True), ((-0.2, -0.01), False), ((-0.01, 0.2), False), ((0.0, 0.2), False), (None, False)],
)
def test_the_placebo_counts_where_it_moves_the_reward_the_same_way(placebo: Numbers | None, both: bool) -> None:
    effect, beyond = interval(0.3, 0.4), interval(0.1, 0.4)
    decisive = decisive_estimates(effect, interval(*placebo) if placebo else NOTHING, beyond)
    assert decisive == ([effect, beyond] if both else [effect])


def test_stricter_rules_only_take_away() -> None:
    """With a wider margin nothing becomes present that was not."""
    rules = POLICY.measurement.model_copy(update={"equivalence_margin": 0.2})
    wide = POLICY.model_copy(update={"measurement": rules})
    for row in ROWS:
        if judge(row.measured, row.direction, row.p, wide).verdict == "present":
            assert judge(row.measured, row.direction, row.p, POLICY).verdict == "present"
