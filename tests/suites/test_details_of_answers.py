"""Details about confidence, content, prompts and mistakes, on rewards whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from rmaudit.suites.details.accuracy import Accuracy
from rmaudit.suites.details.base import Context
from rmaudit.suites.details.by_arm_level import ByArmLevel
from rmaudit.suites.details.overconfidence import Overconfidence
from rmaudit.suites.details.own_errors import OwnErrors
from rmaudit.suites.details.percentile import Percentile
from rmaudit.suites.details.prompt_dependence import PromptDependence
from rmaudit.suites.details.proper_score import ProperScore
from rmaudit.suites.details.rank_flips import RankFlips
from rmaudit.suites.details.variance_shares import VarianceShares
from rmaudit.suites.estimate import item_effects
from rmaudit.suites.panel import Scale
from rmaudit.suites.spec import Item, Probe

ITEMS = 60
LEVELS = [1.0, 3.0, 5.0, 7.0, 9.0]


def probe(**measure: Any) -> Probe:
    return Probe.model_validate(
        {
            "id": "p", "title": "P", "question": "?", "no_placebo": "none", "formula": "f", "measure": measure,
            "meaning_plus": "it pays", "meaning_minus": "it charges",
        }
    )  # fmt: skip


def context(
    measure: Mapping[str, Any], factors: Callable[[int], dict[str, dict[str, Any]]], reward: Callable[[int, str], float]
) -> Context:
    """Items with these arms and rewards."""
    items, rewards = [], {}
    for number in range(ITEMS):
        arms = {name: {"response": name, "factors": levels} for name, levels in factors(number).items()}
        items.append(
            Item(id=f"i{number}", cluster=f"c{number}", prompt=[{"role": "user", "content": "?"}], arms=arms)  # type: ignore[arg-type]
        )
        rewards[f"i{number}"] = {name: reward(number, name) for name in arms}
    scale = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "no labels")
    chosen = probe(**measure)
    return Context(chosen, item_effects(chosen, items, rewards), items, rewards, scale, 0)


def stated(reward: Callable[[float, bool], float]) -> Context:
    """Each confidence after a right and a wrong answer."""

    def arms(_: int) -> dict[str, dict[str, Any]]:
        return {
            f"{truth}_{n:g}": {"stated": n, "correct": truth, "dose": n / 10} for truth in ("yes", "no") for n in LEVELS
        }

    def paid(_: int, arm: str) -> float:
        truth, level = arm.split("_")
        return reward(float(level) / 10, truth == "yes")

    return context({"design": "ladder", "factor": "stated", "levels": LEVELS, "dose": "dose"}, arms, paid)


CONFIDENCE = {"factor": "stated", "levels": LEVELS, "truth": "correct"}


def test_a_proper_score_has_no_regret_and_no_incentive_to_overclaim() -> None:
    brier = stated(lambda c, right: -((c - right) ** 2))
    assert ProperScore(detail="proper-score-regret", highest=10, **CONFIDENCE).compute(brier).estimate.estimate == 0
    assert Overconfidence(detail="overconfidence-incentive", **CONFIDENCE).compute(brier).estimate.estimate == 1


def test_paying_for_confidence_alone_is_an_incentive_to_overclaim() -> None:
    boast = stated(lambda c, right: c + right)
    best = Overconfidence(detail="overconfidence-incentive", **CONFIDENCE).compute(boast)
    assert (best.estimate.estimate, best.estimate.low, best.estimate.high) == (9, 9, 9)
    assert [value.estimate.estimate for value in best.values] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    regret = ProperScore(detail="proper-score-regret", highest=10, **CONFIDENCE).compute(boast).estimate.estimate
    beliefs = np.arange(0.05, 1, 0.1)
    nearest = ((np.array(LEVELS)[None] / 10 - beliefs[:, None]) ** 2).min(axis=1)
    assert regret == pytest.approx(float(((0.9 - beliefs) ** 2 - nearest).mean()))


def preference(reward: Callable[[int, str], float]) -> Context:
    def arms(number: int) -> dict[str, dict[str, Any]]:
        return {"good": {"answer": "right"}, "bad": {"answer": "wrong", "mistake": "small" if number % 2 else "large"}}

    return context({"design": "preference", "factor": "answer", "better": "right", "worse": "wrong"}, arms, reward)


def test_accuracy_by_kind_of_mistake() -> None:
    found = Accuracy(detail="accuracy", by="mistake").compute(
        preference(lambda number, arm: float(arm == "good") if number % 2 else 0.0)
    )
    assert found.estimate.estimate == pytest.approx(0.75)
    assert {value.label: value.estimate.estimate for value in found.values} == {"large": 0.5, "small": 1.0}


def test_margins_that_give_mistakes_away() -> None:
    def reward(number: int, arm: str) -> float:
        margin = 2.0 + number / 100 if number % 3 else -(0.1 + number / 1000)
        return margin if arm == "good" else 0.0

    assert OwnErrors(detail="own-errors").compute(preference(reward)).estimate.estimate == 1
    with pytest.raises(ValueError, match="wrong 0 times"):
        OwnErrors(detail="own-errors").compute(preference(lambda number, arm: float(arm == "good")))


def edited(reward: Callable[[int, str], float]) -> Context:
    def arms(number: int) -> dict[str, dict[str, Any]]:
        kind = "case" if number % 2 else "space"
        return {
            "right": {"answer": "right", "edit": "none"},
            "wrong": {"answer": "wrong"},
            "edited": {"edit": "edited", "kind": kind},
            "wrapped": {"edit": "wrapped", "kind": "box"},
        }

    return context({"design": "invariance", "factor": "edit", "treated": "edited", "control": "none"}, arms, reward)


def test_effects_absolute_changes_and_flips_by_kind_of_edit() -> None:
    def reward(number: int, arm: str) -> float:
        change = (3.0 if number % 4 == 1 else -3.0) if number % 2 else 0.5
        return {"right": 2.0, "wrong": 1.0, "edited": 2.0 + change, "wrapped": 0.0}[arm]

    made = edited(reward)
    signed = ByArmLevel(detail="by-arm-level", by="kind").compute(made)
    assert {value.label: value.estimate.estimate for value in signed.values} == pytest.approx(
        {"case": 0.0, "space": 0.5}
    )
    size = ByArmLevel(detail="by-arm-level", by="kind", absolute=True).compute(made)
    assert {value.label: value.estimate.estimate for value in size.values} == pytest.approx({"case": 3.0, "space": 0.5})
    flips = RankFlips(
        detail="rank-flips", factor="answer", wrong="wrong", edited={"edit": ["edited", "wrapped"]}, by="kind"
    )
    shares = {value.label: value.estimate.estimate for value in flips.compute(made).values}
    assert shares == pytest.approx({"case": 0.5, "space": 0.0, "box": 1.0})


def test_shares_of_content_style_and_mix() -> None:
    rng = np.random.default_rng(0)
    content, style, rest = 2.0, 1.0, 0.5
    worth = {
        number: (content * rng.normal(size=(3, 1)) + style * rng.normal(size=(1, 3)) + rest * rng.normal(size=(3, 3)))
        for number in range(ITEMS)
    }

    def arms(_: int) -> dict[str, dict[str, Any]]:
        return {f"{row}{column}": {"content": row, "style": column} for row in range(3) for column in range(3)}

    made = context(
        {"design": "contrast", "factor": "content", "treated": 0, "control": 1},
        arms,
        lambda number, arm: float(worth[number][int(arm[0]), int(arm[1])]),
    )
    found = VarianceShares(
        detail="variance-shares", content="content", contents=[0, 1, 2], style="style", styles=[0, 1, 2]
    ).compute(made)
    shares = [value.estimate.estimate or 0.0 for value in found.values]
    total = content**2 + style**2 + rest**2
    assert sum(shares) == pytest.approx(1)
    assert shares == pytest.approx([content**2 / total, style**2 / total, rest**2 / total], abs=0.12)
    assert found.estimate == found.values[0].estimate


def crossed(reward: Callable[[int, str], float]) -> Context:
    def arms(_: int) -> dict[str, dict[str, Any]]:
        return {
            f"{prompt}{answer}": {"prompt": prompt, "response": answer, "belongs": "yes" if prompt == answer else "no"}
            for prompt in "12"
            for answer in "12"
        }

    return context({"design": "carryover", "prompt": "prompt", "response": "response"}, arms, reward)


def test_prompt_dependence_of_a_blind_and_of_a_reading_model() -> None:
    asked = PromptDependence(detail="prompt-dependence", response="response", factor="belongs", own="yes", changed="no")
    blind = asked.compute(crossed(lambda number, arm: float(number % 7) + (arm[1] == "2")))
    assert blind.estimate.estimate == pytest.approx(0, abs=1e-9)
    assert blind.values[0].estimate.estimate == 0.5
    reads = asked.compute(
        crossed(lambda number, arm: np.sin(number * (1 + (arm[0] == arm[1]))) + 3.0 * (arm[0] == arm[1]))
    )
    assert (reads.estimate.estimate or 0) > 0.5
    assert reads.values[0].estimate.estimate == 1


def test_the_percentile_of_a_text_that_is_no_answer() -> None:
    def arms(_: int) -> dict[str, dict[str, Any]]:
        real = {f"real_{n}": {"real": "yes", "sense": "answer"} for n in range(4)}
        return real | {
            "salad": {"real": "no", "sense": "nonsense", "kind": "salad"},
            "dot": {"real": "no", "kind": "dot"},
        }

    def reward(number: int, arm: str) -> float:
        return {"salad": 2.5 if number % 2 else -1.0, "dot": 9.0}.get(arm, float(arm[-1]) if arm[-1].isdigit() else 0.0)

    made = context({"design": "preference", "factor": "sense", "better": "answer", "worse": "nonsense"}, arms, reward)
    found = Percentile(detail="percentile", factor="real", real="yes", others=["no"], by="kind").compute(made)
    assert {value.label: value.estimate.estimate for value in found.values} == pytest.approx({"salad": 0.5, "dot": 1.0})
    assert "69th percentile" in (found.note or "")
