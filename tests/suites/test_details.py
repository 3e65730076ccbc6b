"""Further numbers beside a finding, on rewards whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from rmaudit.suites.details.base import Context
from rmaudit.suites.details.by_level import ByLevel
from rmaudit.suites.details.curve import Curve
from rmaudit.suites.details.index import AnyDetail, computed
from rmaudit.suites.details.share_positive import SharePositive
from rmaudit.suites.estimate import item_effects
from rmaudit.suites.panel import Scale
from rmaudit.suites.spec import Item, Probe

PROBE = Probe.model_validate(
    {
        "id": "p", "title": "P", "question": "?", "no_placebo": "none", "formula": "f",
        "measure": {"design": "contrast", "factor": "step", "treated": "high", "control": "low"},
        "meaning_plus": "it pays", "meaning_minus": "it charges",
    }
)  # fmt: skip
STEPS = ("low", "middle", "high")
DOMAINS = ("cooking", "travel")


def item(number: int) -> Item:
    arms = {step: {"response": step, "factors": {"step": step}} for step in STEPS}
    return Item(
        id=f"i{number}", cluster=f"c{number}", prompt=[{"role": "user", "content": "?"}], arms=arms,
        domain=DOMAINS[number % 2] if number < 40 else "rare",
    )  # fmt: skip


def context() -> Context:
    """Effects: +1 in cooking, -0.5 in travel, +1 on two rare items; the middle step is worth 3."""
    items = [item(number) for number in range(42)]
    worth = {"cooking": 1.0, "travel": -0.5, "rare": 1.0}
    rewards = {
        each.id: {"low": float(n), "middle": n + 3.0, "high": n + worth[str(each.domain)]}
        for n, each in enumerate(items)
    }
    scale = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "no labels")
    return Context(PROBE, item_effects(PROBE, items, rewards), items, rewards, scale, 0)


def test_the_share_of_prompts_with_a_positive_effect() -> None:
    found = SharePositive(detail="share-positive").compute(context()).estimate
    assert found.estimate == pytest.approx(22 / 42)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 22 / 42 < found.high


def test_the_effect_by_domain_and_no_number_for_a_rare_one() -> None:
    values = {value.label: value for value in ByLevel(detail="by-level", by="domain").compute(context()).values}
    assert values["cooking"].estimate.estimate == pytest.approx(1.0)
    assert values["travel"].estimate.estimate == pytest.approx(-0.5)
    assert values["rare"].estimate.estimate is None
    assert [values[name].n_clusters for name in ("cooking", "travel", "rare")] == [20, 20, 2]


def test_the_curve_starts_at_zero_and_shows_the_middle() -> None:
    found = Curve(detail="curve", factor="step", levels=list(STEPS)).compute(context())
    assert [value.label for value in found.values] == list(STEPS)
    assert [value.estimate.estimate for value in found.values] == pytest.approx([0.0, 3.0, 20 / 42 - 10 / 42 + 2 / 42])


@pytest.mark.parametrize(
    "spec", [ByLevel(detail="by-level", by="mood"), Curve(detail="curve", factor="mood", levels=["a", "b"])]
)
def test_what_cannot_be_computed_says_why(spec: AnyDetail) -> None:
    (found,) = computed([spec], context())
    assert found.estimate.estimate is None
    assert found.reason
    assert "mood" in found.reason
