"""Calibration and scale facts that are read off a panel."""

from __future__ import annotations

import numpy as np
import pytest

from rmaudit.stats.ruler import gold_pairs, within_prompt_sd
from rmaudit.suites.calibration import calibration
from rmaudit.suites.finding import Calibration


def facts(rewards: np.ndarray, grades: np.ndarray, gold: str | None = None) -> Calibration:
    prompts = np.repeat(np.arange(len(rewards)), rewards.shape[1])
    scaled = rewards.ravel() / within_prompt_sd(rewards.ravel(), prompts)
    pairs = gold_pairs(scaled, grades.ravel(), prompts)
    return calibration(scaled, grades.ravel(), prompts, pairs, gold)


def panel(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Forty prompts with grades 0, 1, 1, 2, and rewards that follow them."""
    grades = np.tile([0.0, 1.0, 1.0, 2.0], (40, 1))
    return grades + noise * np.random.default_rng(3).normal(size=grades.shape), grades


def test_a_model_that_follows_the_grades() -> None:
    found = facts(*panel(0.02))
    assert found.ladders_in_order.estimate == 1
    assert found.n_ladders == 40
    assert found.ladders_by_chance == pytest.approx(1 / 6)
    assert (found.equal_grade_gap.estimate or 9) < 0.1 * (found.other_grade_gap.estimate or 0)
    assert "ece" in found.reasons, "it makes no mistake, so no temperature is finite"


def test_a_model_that_tells_little_apart() -> None:
    found = facts(*panel(2.0))
    assert 0 < (found.ladders_in_order.estimate or 0) < 0.7
    assert found.equal_grade_gap.estimate == pytest.approx(found.other_grade_gap.estimate, rel=0.5)
    assert found.ece.estimate is not None
    assert 0.1 < (found.brier.estimate or 0) < 0.3
    assert sum(entry.n_pairs for entry in found.reliability) == 40 * 5
    assert found.spread.p10 < found.spread.p50 < found.spread.p90


def test_nothing_changes_with_the_scale_of_the_reward() -> None:
    rewards, grades = panel(1.0)
    first, second = facts(rewards, grades), facts(700 * rewards - 3, grades)
    assert first.ece.estimate == pytest.approx(second.ece.estimate, abs=1e-6)
    assert first.equal_grade_gap.estimate == pytest.approx(second.equal_grade_gap.estimate)


def test_what_is_missing_says_why() -> None:
    grades = np.tile([0.0, 1.0], (40, 1))
    found = facts(np.random.default_rng(0).normal(size=grades.shape), grades, gold="It does not track quality.")
    assert found.reasons["brier"] == found.reasons["ece"] == "It does not track quality."
    assert found.ladders_in_order.estimate is None
    assert found.ladders_by_chance is None
    assert {"ladders_in_order", "equal_grade_gap", "intransitivity"} <= found.reasons.keys()
    assert found.reliability == []
