"""Further numbers about groups, on rewards whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from rmaudit.suites.details.accuracy_gap import AccuracyGap
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.bbq_score import BBQScore
from rmaudit.suites.details.group_cells import GroupCells
from rmaudit.suites.details.group_gap import GroupGap
from rmaudit.suites.details.index import computed
from rmaudit.suites.details.name_spread import NameSpread
from rmaudit.suites.estimate import item_effects
from rmaudit.suites.finding import Detail
from rmaudit.suites.panel import Scale
from rmaudit.suites.spec import Item, Probe

SCALE = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "no labels")
WORDS = {
    "id": "p", "title": "P", "question": "?", "no_placebo": "none", "formula": "f",
    "meaning_plus": "it pays", "meaning_minus": "it charges",
}  # fmt: skip
GROUPS = Probe.model_validate(
    WORDS | {"measure": {"design": "groups", "factor": "origin", "unit": "name", "margins": ["gender"]}}
)
QUESTIONS = Probe.model_validate(WORDS | {"measure": {"design": "factorial", "factors": ["asked", "answer"]}})
NAMES = [f"{origin}{gender}{number}" for origin in "xyz" for gender in "fm" for number in range(10)]


def named_items(count: int = 30) -> list[Item]:
    arms = {
        name: {
            "response": name,
            "factors": {
                "origin": name[0],
                "gender": name[1],
                "name": name,
                "cell": name[:2],
                "half": "A" if int(name[2:]) < 5 else "B",
            },
        }
        for name in NAMES
    }
    prompt = [{"role": "user", "content": "?"}]
    return [
        Item.model_validate({"id": f"i{n}", "cluster": f"c{n}", "prompt": prompt, "arms": arms}) for n in range(count)
    ]


def compared(effect: dict[str, float], noise: float = 0.1, names: float = 0.0) -> Context:
    """Rewards by the start of a name, over noise of texts and an effect of each name of its own."""
    draw = np.random.default_rng(0)
    own = {name: names * float(draw.standard_normal()) for name in NAMES}
    items = named_items()
    rewards = {
        item.id: {
            name: sum(size for start, size in effect.items() if name.startswith(start))
            + own[name]
            + noise * float(draw.standard_normal())
            for name in NAMES
        }
        for item in items
    }
    return Context(GROUPS, item_effects(GROUPS, items, rewards), items, rewards, SCALE, 0)


def values(detail: Detail) -> dict[str, float | None]:
    return {value.label: value.estimate.estimate for value in detail.values}


def test_the_gap_is_between_the_best_and_the_worst_paid_group() -> None:
    found = GroupGap(detail="group-gap").compute(compared({"x": 0.5, "y": -0.2}))
    assert found.estimate.estimate == pytest.approx(0.7, abs=0.03)
    assert found.estimate.low is not None
    assert found.estimate.high is not None
    assert 0.6 < found.estimate.low < 0.7 < found.estimate.high < 0.8
    assert list(values(found)) == ["y", "z", "x"]
    assert "Worst off: y" in str(found.note)


def test_without_a_difference_the_gap_may_be_none() -> None:
    found = GroupGap(detail="group-gap").compute(compared({}))
    assert found.estimate.estimate is not None
    assert found.estimate.estimate > 0
    assert found.estimate.low == 0.0


def test_the_gap_of_another_factor() -> None:
    found = GroupGap(detail="group-gap", factor="gender").compute(compared({"xf": 0.3, "yf": 0.3, "zf": 0.3}))
    assert found.estimate.estimate == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(("names", "low", "high"), [(0.0, 0.0, 0.03), (0.3, 0.22, 0.38)])
def test_the_spread_between_names_is_that_beyond_chance(names: float, low: float, high: float) -> None:
    found = NameSpread(detail="name-spread").compute(compared({"x": 1.0}, noise=0.3, names=names))
    assert found.estimate.estimate is not None
    assert low <= found.estimate.estimate <= high
    assert len(found.values) == 6


def test_cells_are_shown_apart_and_alike_ones_drawn_in() -> None:
    found = values(GroupCells(detail="group-cells", factor="cell").compute(compared({"xf": 0.6})))
    assert found["xf"] == pytest.approx(0.6, abs=0.05)
    assert all(value == pytest.approx(-0.12, abs=0.05) for cell, value in found.items() if cell != "xf")
    alike = values(GroupCells(detail="group-cells", factor="cell").compute(compared({}, noise=1.0)))
    assert all(abs(value or 0.0) < 0.05 for value in alike.values())


def test_small_cells_have_no_number() -> None:
    found = GroupCells(detail="group-cells", factor="cell", least=11).compute(compared({"xf": 0.6}))
    assert all(value is None for value in values(found).values())


def test_the_same_groups_on_two_lists() -> None:
    found = values(
        GroupCells(detail="group-cells", factor="origin", by="half", levels=["A", "B"]).compute(compared({"x": 0.6}))
    )
    assert [found[f"x, half {half}"] for half in "AB"] == pytest.approx([0.6, 0.6], abs=0.05)


def answered(wins: dict[str, float], count: int = 60) -> Context:
    """Each group's right answer earns more on this share of the questions."""
    arms = {
        f"{group}_{truth}": {"response": truth, "factors": {"dialect": group, "answer": truth}}
        for group in wins
        for truth in ("right", "wrong")
    }
    prompt = [{"role": "user", "content": "?"}]
    items = [
        Item.model_validate({"id": f"i{n}", "cluster": f"c{n}", "prompt": prompt, "arms": arms}) for n in range(count)
    ]
    rewards = {
        item.id: {
            f"{group}_{truth}": float((truth == "right") == (n < share * count))
            for group, share in wins.items()
            for truth in ("right", "wrong")
        }
        for n, item in enumerate(items)
    }
    return Context(GROUPS, item_effects(GROUPS, [], {}), items, rewards, SCALE, 0)


def test_accuracy_by_group_and_the_widest_gap() -> None:
    found = AccuracyGap(detail="accuracy-gap", group="dialect").compute(answered({"a": 0.9, "b": 0.5, "c": 0.8}))
    assert values(found) == pytest.approx({"a": 0.9, "b": 0.5, "c": 0.8})
    assert found.estimate.estimate == pytest.approx(0.4)
    assert found.estimate.low is not None
    assert found.estimate.high is not None
    assert 0.1 < found.estimate.low < 0.4 < found.estimate.high < 0.7


def test_equal_accuracy_is_no_gap() -> None:
    found = AccuracyGap(detail="accuracy-gap", group="dialect").compute(answered({"a": 0.7, "b": 0.7}))
    assert (found.estimate.estimate, found.estimate.low) == (0.0, 0.0)


def questions(choose: dict[str, str], undecided: bool) -> Context:
    """The answer that is paid best, by whom the question asks about."""
    people = ("stereotyped", "other")
    arms: dict[str, object] = {}
    for asked in people:
        for answer in people:
            truth = {} if undecided else {"truth": "right" if answer == "other" else "wrong"}
            factors = {"asked": asked, "answer": answer, **truth}
            arms[f"{asked}_{answer}"] = {"response": answer, "factors": factors}
        if undecided:
            arms[f"{asked}_open"] = {"response": "open", "factors": {"asked": asked, "undecided": "yes"}}
    prompt = [{"role": "user", "content": "?"}]
    items = [
        Item.model_validate({"id": f"i{n}", "cluster": f"c{n}", "prompt": prompt, "arms": arms}) for n in range(40)
    ]
    rewards = {item.id: {arm: float(arm == choose[arm.split("_")[0]]) for arm in arms} for item in items}
    return Context(QUESTIONS, item_effects(QUESTIONS, items, rewards), items, rewards, SCALE, 0)


@pytest.mark.parametrize(
    ("choose", "undecided", "score", "accuracy"),
    [
        # Each time the answer of the stereotype.
        ({"stereotyped": "stereotyped_stereotyped", "other": "other_other"}, True, 1.0, 0.0),
        ({"stereotyped": "stereotyped_other", "other": "other_stereotyped"}, True, -1.0, 0.0),
        ({"stereotyped": "stereotyped_open", "other": "other_open"}, True, 0.0, 1.0),
        # Half of the answers leave it open, the others are biased: (1 - 1/2) * 1.
        ({"stereotyped": "stereotyped_stereotyped", "other": "other_open"}, True, 0.5, 0.5),
        # A liking for one person is no bias.
        ({"stereotyped": "stereotyped_other", "other": "other_other"}, False, 0.0, 1.0),
    ],
)
def test_the_bias_score_of_bbq(choose: dict[str, str], undecided: bool, score: float, accuracy: float) -> None:
    found = BBQScore(detail="bbq-score").compute(questions(choose, undecided))
    assert found.estimate.estimate == pytest.approx(score)
    assert values(found)["accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize(
    "spec",
    [GroupGap(detail="group-gap"), NameSpread(detail="name-spread"), GroupCells(detail="group-cells", factor="x")],
)
def test_a_probe_without_groups_gets_no_such_number(spec: DetailSpec) -> None:
    (found,) = computed([spec], questions({"stereotyped": "a", "other": "b"}, undecided=True))  # type: ignore[list-item]
    assert "does not compare groups" in str(found.reason)
