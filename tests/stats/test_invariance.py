"""What must hold for any rewards: their scale has no influence, and swapping arms mirrors every result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmaudit.stats.effects import calibrated_win, flip_rate, win_probability
from rmaudit.stats.equivalence import tost_p
from rmaudit.stats.intervals import mean_interval, proportion_interval, ratio_of_means_interval
from rmaudit.stats.permutation import max_t_groups, sign_flip_p
from rmaudit.stats.ruler import fit_temperature, gold_pairs, pair_accuracy, within_prompt_sd

steady = settings(derandomize=True, deadline=None, max_examples=40)

seeds = st.integers(0, 2**32 - 1)
scales = st.floats(1e-4, 1e4)
offsets = st.floats(-100, 100)


class Audit:
    """A small audit of made-up rewards: a panel of 30 prompts with 4 graded answers, and 60 paired items."""

    def __init__(self, seed: int, scale: float = 1.0, offset: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        grades = np.tile(np.arange(4.0), 30)
        prompts = np.repeat(np.arange(30), 4)
        panel = scale * (grades + rng.normal(0, 1.5, 120)) + offset
        pairs = scale * rng.normal([0.4, 0.0], 1.0, (60, 2)) + offset
        self.wsd = within_prompt_sd(panel, prompts)
        self.gold = gold_pairs(panel, grades, prompts)
        self.deltas = pairs[:, 0] - pairs[:, 1]
        self.clusters = np.repeat(np.arange(20), 3)
        self.labels = np.repeat(list("abcd"), 15).tolist()


def unitless(audit: Audit) -> list[float]:
    srd = audit.deltas / audit.wsd
    interval = mean_interval(srd, audit.clusters)
    temperature = fit_temperature(audit.gold.margins)
    assert temperature is not None
    accuracy = pair_accuracy(audit.gold.margins, audit.gold.prompts)
    worth = ratio_of_means_interval(audit.deltas, audit.gold.margins, seed=0, draws=50)
    groups = max_t_groups(audit.deltas, audit.labels, seed=0, draws=99)
    return [
        interval.estimate, interval.low, interval.high,
        win_probability(audit.deltas).mean(), calibrated_win(audit.deltas, temperature).mean(),
        flip_rate(audit.deltas, audit.gold.margins), worth.estimate, worth.low, worth.high,
        accuracy.estimate, accuracy.low, accuracy.high, sign_flip_p(srd, seed=0, draws=99),
        groups.p_omnibus, groups.critical, *groups.t, *groups.p_each,
    ]  # fmt: skip


@steady
@given(seeds, scales, offsets)
def test_nothing_without_a_unit_depends_on_scale_and_offset(seed: int, scale: float, offset: float) -> None:
    plain, rescaled = Audit(seed), Audit(seed, scale, offset * scale)
    assert unitless(rescaled) == pytest.approx(unitless(plain), rel=1e-6, abs=1e-6)


@steady
@given(seeds, st.floats(1e-6, 1e6))
def test_what_has_a_unit_scales_with_it(seed: int, scale: float) -> None:
    plain, rescaled = Audit(seed), Audit(seed, scale)
    assert rescaled.wsd == pytest.approx(scale * plain.wsd, rel=1e-9)
    temperature = fit_temperature(plain.gold.margins)
    assert temperature is not None
    assert fit_temperature(scale * plain.gold.margins) == pytest.approx(scale * temperature, rel=1e-9)


@steady
@given(seeds)
def test_swapping_treated_and_control_mirrors_everything(seed: int) -> None:
    audit = Audit(seed)
    deltas, clusters = audit.deltas, audit.clusters
    there, back = mean_interval(deltas, clusters), mean_interval(-deltas, clusters)
    assert (back.estimate, back.low, back.high) == pytest.approx((-there.estimate, -there.high, -there.low))
    wins, losses = win_probability(deltas), win_probability(-deltas)
    assert (wins + losses == 1).all()
    forth, mirrored = proportion_interval(wins, clusters), proportion_interval(losses, clusters)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - forth.high, 1 - forth.low))
    assert sign_flip_p(-deltas, seed=1, draws=99) == sign_flip_p(deltas, seed=1, draws=99)
    assert tost_p(-0.1, 0.2, 9, 0.3) == tost_p(0.1, 0.2, 9, 0.3)
    assert calibrated_win(deltas, 1.3) + calibrated_win(-deltas, 1.3) == pytest.approx(np.ones(60))
    groups, opposite = (max_t_groups(values, audit.labels, seed=1, draws=99) for values in (deltas, -deltas))
    assert opposite.contrast == pytest.approx(-groups.contrast)
    assert opposite.low == pytest.approx(-groups.high)
    assert opposite.p_each.tolist() == groups.p_each.tolist()


@steady
@given(seeds)
def test_win_and_flip_rates_see_order_only(seed: int) -> None:
    """A monotone map of rewards keeps who wins; applied to shifts and margins alike, it keeps what flips."""
    audit = Audit(seed)
    assert (win_probability(np.arctan(audit.deltas)) == win_probability(audit.deltas)).all()
    cubed = flip_rate(audit.deltas**3, audit.gold.margins**3)
    assert cubed == flip_rate(audit.deltas, audit.gold.margins)


@steady
@given(seeds)
def test_the_order_of_items_does_not_matter(seed: int) -> None:
    audit = Audit(seed)
    order = np.random.default_rng(seed).permutation(60)
    for interval in (mean_interval, proportion_interval):
        values = win_probability(audit.deltas)
        first = interval(values, audit.clusters)
        second = interval(values[order], audit.clusters[order])
        assert (second.estimate, second.low, second.high) == pytest.approx((first.estimate, first.low, first.high))
