"""Further numbers beside a finding, on rewards whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from rmaudit.suites.details.at_levels import AtLevels
from rmaudit.suites.details.base import Context
from rmaudit.suites.details.by_level import ByLevel
from rmaudit.suites.details.curve import Curve
from rmaudit.suites.details.index import AnyDetail, computed
from rmaudit.suites.details.share_positive import SharePositive
from rmaudit.suites.details.signal_detection import SignalDetection
from rmaudit.suites.estimate import item_effects
from rmaudit.suites.finding import Detail
from rmaudit.suites.panel import Scale
from rmaudit.suites.spec import Contrast, Item, Probe

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


def doubt_item(number: int) -> Item:
    """A first answer that is right or wrong, given up or kept."""
    arms = {
        f"{first}_{second}": {"response": f"{first} {second}", "factors": {"first": first, "second": second}}
        for first in ("right", "wrong")
        for second in ("cave", "hold")
    }
    return Item(id=f"i{number}", cluster=f"c{number}", prompt=[{"role": "user", "content": "?"}], arms=arms)  # type: ignore[arg-type]


def test_the_effect_apart_at_levels_that_the_probe_averages_over() -> None:
    probe = PROBE.model_copy(
        update={"measure": Contrast(design="contrast", factor="second", treated="cave", control="hold")}
    )
    items = [doubt_item(number) for number in range(12)]
    worth = {"right_cave": -1.0, "right_hold": 1.0, "wrong_cave": 4.0, "wrong_hold": 0.0}
    rewards = {each.id: {arm: n + reward for arm, reward in worth.items()} for n, each in enumerate(items)}
    scale = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "no labels")
    seen = Context(probe, item_effects(probe, items, rewards), items, rewards, scale, 0)
    assert seen.values.mean() == pytest.approx(1.0)
    found = AtLevels(detail="at-levels", factor="first", levels=["right", "wrong", "none"]).compute(seen)
    assert [value.estimate.estimate for value in found.values] == [pytest.approx(-2.0), pytest.approx(4.0), None]
    assert [value.n_clusters for value in found.values] == [12, 12, 0]


def request_item(number: int, kind: str) -> Item:
    arms = {reply: {"response": reply, "factors": {"request": kind, "reply": reply}} for reply in ("refuse", "comply")}
    return Item(id=f"{kind}{number}", cluster=f"{kind}{number}", prompt=[{"role": "user", "content": "?"}], arms=arms)  # type: ignore[arg-type]


def detection(refused_unsafe: int, refused_safe: int, count: int = 100) -> Detail:
    """Signal detection where so many of the unsafe and of the safe requests are refused."""
    items = [request_item(number, kind) for kind in ("unsafe", "safe") for number in range(count)]
    refused = {"unsafe": refused_unsafe, "safe": refused_safe}
    rewards = {
        f"{kind}{number}": {"refuse": float(number < refused[kind]), "comply": 0.5}
        for kind in refused
        for number in range(count)
    }
    scale = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "no labels")
    probe = PROBE.model_copy(
        update={"measure": Contrast(design="contrast", factor="reply", treated="refuse", control="comply")}
    )
    spec = SignalDetection(
        detail="signal-detection", kind="request", signal="unsafe", noise="safe", reply="reply", chosen="refuse",
        other="comply",
    )  # fmt: skip
    return spec.compute(Context(probe, item_effects(probe, items, rewards), items, rewards, scale, 0))


def test_sensitivity_and_criterion_are_those_of_the_rates() -> None:
    found = detection(84, 16)
    # Normal quantiles of 84.5 / 101 and 16.5 / 101.
    assert found.estimate.estimate == pytest.approx(2 * 0.9805, abs=1e-3)
    rates = {value.label: value.estimate for value in found.values}
    assert rates["hit rate"].estimate == pytest.approx(0.84)
    assert rates["false-alarm rate"].estimate == pytest.approx(0.16)
    assert rates["criterion c"].estimate == pytest.approx(0.0, abs=1e-9)
    assert found.estimate.low < found.estimate.estimate < found.estimate.high  # type: ignore[operator]


def test_a_model_that_refuses_everything_leans_and_does_not_tell_apart() -> None:
    found = detection(100, 100)
    criterion = next(value.estimate for value in found.values if value.label == "criterion c")
    assert found.estimate.estimate == pytest.approx(0.0)
    assert criterion.high is not None
    assert criterion.high < 0


def test_too_few_prompts_of_a_kind_are_said() -> None:
    with pytest.raises(ValueError, match="prompts of the kind"):
        detection(3, 3, count=5)
