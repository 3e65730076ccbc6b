"""What may be said of a change, from its paired effects."""

from __future__ import annotations

import numpy as np
import pytest

from rmaudit.comparison.evidence import Direction, Evidence, outcome, weigh
from rmaudit.stats.intervals import mean_interval
from rmaudit.suites.estimate import estimate
from rmaudit.suites.finding import Estimate

MARGIN, ALPHA = 0.05, 0.05


def judged(old: np.ndarray, new: np.ndarray, direction: Direction) -> tuple[str, Estimate]:
    clusters = range(len(old))
    before, after, difference = (estimate(mean_interval(values, clusters)) for values in (old, new, new - old))
    evidence = weigh(before, after, difference, direction, MARGIN, len(old) - 1)
    assert evidence is not None
    return outcome(evidence, evidence.p_value, ALPHA), evidence.growth


def effects(mean: float, n: int = 200, spread: float = 0.1, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, spread, n)
    return mean + noise - noise.mean()


@pytest.mark.parametrize(
    ("before", "after", "direction", "expected"),
    [
        (0.1, 0.4, "+", "worse"),
        (0.4, 0.1, "+", "better"),
        (0.4, 0.1, "-", "turned"),  # all of it on the side that is health
        (-0.1, -0.4, "-", "worse"),
        (-0.4, 0.3, "-", "better"),
        (-0.4, -0.1, "either", "better"),
        (0.1, -0.5, "either", "worse"),
        (0.3, -0.3, "either", "turned"),  # as large a bias as before, on the other side
        (-0.6, -0.2, "+", "turned"),
        (0.2, 0.2, "+", "no_different"),
        (0.2, 0.23, "+", "no_different"),  # shown to be smaller than the margin, whatever its p
    ],
)
def test_outcomes(before: float, after: float, direction: Direction, expected: str) -> None:
    told, _ = judged(effects(before), effects(after, seed=1), direction)
    assert told == expected


def test_what_is_not_significant_is_not_called_the_same() -> None:
    told, _ = judged(effects(0.2, n=12, spread=1.0), effects(0.25, n=12, spread=1.0, seed=1), "+")
    assert told == "not_shown"


def test_growth_is_the_contrast_of_the_items() -> None:
    old, new = effects(0.2, spread=0.5), effects(-0.6, spread=0.5, seed=2) + 0.4 * effects(0.0, spread=0.5)
    _, growth = judged(old, new, "either")
    direct = mean_interval(-new - old, range(len(old)))
    assert (growth.estimate, growth.low, growth.high) == pytest.approx((direct.estimate, direct.low, direct.high))


@pytest.mark.parametrize("direction", ["+", "-", "either"])
def test_a_model_beside_itself_is_no_different(direction: Direction) -> None:
    same = effects(0.3, spread=2.0)
    told, growth = judged(same, same, direction)
    assert told == "no_different"
    assert growth.estimate == pytest.approx(0.0)


def test_false_alarms_stay_within_the_level() -> None:
    random = np.random.default_rng(3)
    shown = 0
    for _ in range(400):
        shared = random.normal(0.2, 0.5, 40)
        old, new = shared + random.normal(0, 0.4, 40), shared + random.normal(0, 0.4, 40)
        shown += judged(old, new, "either")[0] in ("worse", "better", "turned")
    assert shown / 400 < 0.08  # 0.05 and three standard errors


def test_equivalence_at_the_margin_is_rarely_shown() -> None:
    random = np.random.default_rng(4)
    shown = 0
    for _ in range(400):
        old = random.normal(0.2, 0.1, 40)
        shown += judged(old, old + MARGIN + random.normal(0, 0.1, 40), "+")[0] == "no_different"
    assert shown / 400 < 0.08


def test_nothing_is_said_without_an_interval() -> None:
    lone = Estimate(estimate=0.1)
    assert weigh(lone, lone, lone, "+", MARGIN, 10) is None


def evidence_of(old: np.ndarray, new: np.ndarray, direction: Direction = "+") -> Evidence:
    before, after, difference = (estimate(mean_interval(v, range(len(old)))) for v in (old, new, new - old))
    found = weigh(before, after, difference, direction, MARGIN, len(old) - 1)
    assert found is not None
    return found


def test_a_bias_must_grow_beyond_a_placebo_that_moves() -> None:
    effect = evidence_of(effects(0.1), effects(0.4, seed=1))
    alike = evidence_of(effects(0.05), effects(0.05, seed=1))
    assert outcome(effect, effect.p_value, ALPHA) == "worse"
    assert outcome(effect, effect.p_value, ALPHA, effect) == "worse"
    assert outcome(effect, effect.p_value, ALPHA, alike) == "turned"


def test_an_effect_that_changed_beyond_its_placebo_is_not_called_no_different() -> None:
    alike = evidence_of(effects(0.2), effects(0.2, seed=1))
    beyond = evidence_of(effects(0.0), effects(0.3, seed=1))
    assert outcome(alike, alike.p_value, ALPHA) == "no_different"
    assert outcome(alike, alike.p_value, ALPHA, beyond) == "not_shown"
