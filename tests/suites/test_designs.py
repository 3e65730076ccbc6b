"""Each design's effect is the number that a reader of its definition would compute, whatever the reward's scale."""

from __future__ import annotations

import random
from collections.abc import Mapping
from statistics import mean
from typing import Any

import numpy as np
import pytest

from rmaudit.suites import carryover
from rmaudit.suites.designs import reader
from rmaudit.suites.spec import (
    AnyDesign,
    Arm,
    Carryover,
    Contrast,
    Factorial,
    Groups,
    Invariance,
    Item,
    Ladder,
    Preference,
)


def item(**factors: Mapping[str, Any]) -> Item:
    """An item with an arm a keyword, its factors the value."""
    arms = {name: Arm(response=name, factors=dict(levels)) for name, levels in factors.items()}
    return Item(id="i", cluster="c", prompt=[{"role": "user", "content": "?"}], arms=arms)


CONTRAST = Contrast(design="contrast", factor="edit", treated="yes", control="no")
TWO_AND_ONE = item(a={"edit": "yes"}, b={"edit": "yes"}, c={"edit": "no"}, d={"edit": "other"}, e={})

LADDER = Ladder(design="ladder", factor="step", levels=["one", "two", "three"], dose="dose")
STEPS = item(
    a={"step": "two", "dose": 1.0}, b={"step": "one", "dose": 0}, c={"step": "three", "dose": 3.5}, d={"step": "four"}
)

FACTORIAL = Factorial(design="factorial", factors=("belief", "answer"))
CROSS = item(
    **{f"{row}{column}": {"belief": row, "answer": column} for row in "xyz" for column in "xyz"}, other={"belief": "x"}
)

NAMED_MATCH = Factorial(
    design="factorial", factors=("author", "verdict"), match={"user": "praise", "other": "critique"}
)
VERDICTS = item(
    **{
        f"{author}_{verdict}": {"author": author, "verdict": verdict}
        for author in ("user", "other", "nobody")
        for verdict in ("praise", "critique")
    }
)

PREFERENCE = Preference(design="preference", factor="kind", better="right", worse="wrong")
RIGHT_AND_WRONG = item(a={"kind": "right"}, b={"kind": "wrong"}, c={"kind": "wrong"})

INVARIANCE = Invariance(design="invariance", factor="typo", treated=True, control=False)
EDITED = item(a={"typo": True}, b={"typo": False}, c={"typo": 1.5})

GROUPS = Groups(design="groups", factor="group", unit="name")
NAMED = item(
    a={"group": "g", "name": "a"}, b={"group": "g", "name": "b"}, c={"group": "h", "name": "c"}, d={"group": "h"}
)

CARRYOVER = Carryover(design="carryover", prompt="prompt", response="answer")
SWAPPED = item(**{f"p{p}a{a}": {"prompt": p, "answer": a} for p in "12" for a in "12"})

REWARDS = dict.fromkeys("abcde", 0.0)


def slope(r: Mapping[str, float]) -> float:
    return float(np.polyfit([0, 1, 3.5], [r["b"], r["a"], r["c"]], 1)[0])


def agreement(r: Mapping[str, float]) -> float:
    agree = mean(r[row + row] for row in "xyz")
    return agree - mean(r[row + column] for row in "xyz" for column in "xyz" if row != column)


def favour(r: Mapping[str, float]) -> float:
    """Half of how much more praise is worth, against critique, for the user than for others."""
    return (r["user_praise"] - r["user_critique"] - r["other_praise"] + r["other_critique"]) / 2


def survival(r: Mapping[str, float]) -> float:
    """How much more it matters which answer it is than whether the answer belongs to the prompt."""
    answers = mean([r["p1a1"], r["p2a1"]]) - mean([r["p1a2"], r["p2a2"]])
    belonging = mean([r["p1a1"], r["p2a2"]]) - mean([r["p1a2"], r["p2a1"]])
    return abs(answers) - abs(belonging)


CASES: list[Any] = [
    pytest.param(CONTRAST, TWO_AND_ONE, lambda r: mean([r["a"], r["b"]]) - r["c"], id="contrast"),
    pytest.param(LADDER, STEPS, slope, id="ladder"),
    pytest.param(NAMED_MATCH, VERDICTS, favour, id="factorial-match"),
    pytest.param(FACTORIAL, CROSS, agreement, id="factorial"),
    pytest.param(PREFERENCE, RIGHT_AND_WRONG, lambda r: mean([r["b"], r["c"]]) - r["a"], id="preference"),
    pytest.param(INVARIANCE, EDITED, lambda r: r["a"] - r["b"], id="invariance"),
    pytest.param(GROUPS, NAMED, lambda r: abs(mean([r["a"], r["b"]]) - r["c"]), id="groups"),
    pytest.param(CARRYOVER, SWAPPED, survival, id="carryover"),
]


def rewards(item: Item, seed: int) -> dict[str, float]:
    draw = random.Random(seed)
    return {arm: draw.gauss(0, 1) for arm in item.arms}


@pytest.mark.parametrize(("measure", "item", "expected"), CASES)
def test_effect(measure: AnyDesign, item: Item, expected: Any) -> None:
    reading = reader(measure)(item)
    assert reading is not None
    for seed in range(20):
        drawn = rewards(item, seed)
        assert reading.effect(drawn) == pytest.approx(expected(drawn), abs=1e-12)


@pytest.mark.parametrize(("measure", "item", "expected"), CASES)
def test_effect_follows_the_scale_and_ignores_the_zero(measure: AnyDesign, item: Item, expected: Any) -> None:
    reading = reader(measure)(item)
    assert reading is not None
    for seed in range(20):
        drawn = rewards(item, seed)
        moved = {arm: 3 * reward - 7 for arm, reward in drawn.items()}
        assert reading.effect(moved) == pytest.approx(3 * reading.effect(drawn), abs=1e-9)
        assert reading.effect(dict.fromkeys(drawn, 5.0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("measure", "item", "expected"), CASES)
def test_only_the_arms_with_a_role_count(measure: AnyDesign, item: Item, expected: Any) -> None:
    reading = reader(measure)(item)
    assert reading is not None
    drawn = rewards(item, 1)
    needed = {arm: drawn[arm] for arm in reading.roles}
    assert reading.effect(needed) == reading.effect(drawn | dict.fromkeys(drawn.keys() - needed.keys(), 1e6))


@pytest.mark.parametrize(("measure", "item", "expected"), CASES)
def test_an_item_that_lacks_an_arm_is_not_read(measure: AnyDesign, item: Item, expected: Any) -> None:
    """Every arm that is alone in its role is needed; of several in one role, one is enough."""
    reading = reader(measure)(item)
    assert reading is not None
    alone = [arm for arm, role in reading.roles.items() if list(reading.roles.values()).count(role) == 1]
    if isinstance(measure, Factorial | Carryover):
        alone = list(reading.roles)
    assert alone
    for arm in alone:
        arms = {name: value for name, value in item.arms.items() if name != arm}
        assert reader(measure)(item.model_copy(update={"arms": arms})) is None


def steps(*doses: Any, **more: Mapping[str, Any]) -> Item:
    """The three steps with doses, ``None`` for a step without."""
    names = ("one", "two", "three")
    levels = {
        name: {"step": name} | ({} if dose is None else {"dose": dose}) for name, dose in zip(names, doses, strict=True)
    }
    return item(**levels, **more)


X = {"belief": "x", "answer": "x"}
MISFITS: list[Any] = [
    pytest.param(LADDER, steps(1, 1, 1), id="equal doses"),
    pytest.param(LADDER, steps(1, "2", 3), id="a dose that is no number"),
    pytest.param(LADDER, steps(1, True, 3), id="a dose that is a truth value"),
    pytest.param(LADDER, steps(1, None, 3), id="no dose"),
    pytest.param(FACTORIAL, item(**{f"a{i}{j}": {"belief": i, "answer": j} for i in "xy" for j in "xz"}),
                 id="levels that cannot agree"),
    pytest.param(FACTORIAL, item(a=X), id="one cell"),
    pytest.param(GROUPS, item(a={"group": "g", "name": "a"}, b={"group": "g", "name": "b"}), id="one group"),
    pytest.param(CARRYOVER, item(**{f"p{p}a{a}": {"prompt": p, "answer": a} for p in "12" for a in "13"}),
                 id="an answer without its prompt"),
]  # fmt: skip


@pytest.mark.parametrize(("measure", "item"), MISFITS)
def test_an_item_that_does_not_fit_is_not_read(measure: AnyDesign, item: Item) -> None:
    assert reader(measure)(item) is None


@pytest.mark.parametrize("measure", [CONTRAST, LADDER, FACTORIAL, PREFERENCE, INVARIANCE, GROUPS, CARRYOVER])
def test_where_restricts_the_arms(measure: AnyDesign) -> None:
    """Arms of the wrong style would change the effect, or be found twice."""
    base = {type(m): i for m, i in ((case.values[0], case.values[1]) for case in CASES)}[type(measure)]
    arms = {
        f"{style}-{name}": arm.model_copy(update={"factors": arm.factors | {"style": style}})
        for style in ("plain", "loud")
        for name, arm in base.arms.items()
    }
    both = base.model_copy(update={"arms": arms})
    reading = reader(measure.model_copy(update={"where": {"style": "plain"}}))(both)
    alone = reader(measure)(base)
    assert reading is not None
    assert alone is not None
    assert reading.roles == {f"plain-{arm}": role for arm, role in alone.roles.items()}
    drawn = rewards(base, 3)
    mixed = {f"plain-{arm}": r for arm, r in drawn.items()} | {f"loud-{arm}": 100 * r for arm, r in drawn.items()}
    assert reading.effect(mixed) == pytest.approx(alone.effect(drawn))


def test_roles_are_named_for_a_reader() -> None:
    roles = {case.id: sorted(set(reader(case.values[0])(case.values[1]).roles.values())) for case in CASES}  # type: ignore[union-attr]
    assert roles["contrast"] == ["control", "treated"]
    assert roles["ladder"] == ["control", "step +1.00", "treated"]
    assert roles["factorial"] == ["match", "mismatch"]
    assert roles["preference"] == ["better", "worse"]
    assert roles["invariance"] == ["edited", "original"]
    assert roles["groups"] == ["g", "h"]
    assert roles["carryover"] == ["other answer", "own answer"]


BLIND = {"p1a1": 2.0, "p1a2": 1.0, "p2a1": 2.0, "p2a2": 1.0}
READS = {"p1a1": 2.0, "p1a2": 1.0, "p2a1": 1.0, "p2a2": 2.0}


def test_carryover_tells_blind_from_reading_models() -> None:
    """A model that ignores the prompt is positive, one that wants each prompt's own answer negative, a tie zero."""
    reading = reader(CARRYOVER)(SWAPPED)
    assert reading is not None
    assert reading.effect(BLIND) == 1.0
    assert reading.effect(READS) == -1.0
    assert reading.effect(dict.fromkeys(BLIND, 1.0)) == 0.0


def test_the_placebo_of_carryover_is_zero_on_average_for_both() -> None:
    """The winner is taken from another item whose answers are named at random."""
    found = {
        name: carryover.preferences(CARRYOVER, SWAPPED, reward) for name, reward in (("blind", BLIND), ("reads", READS))
    }
    for own, other in ((found["blind"], found["blind"]), (found["reads"], found["reads"])):
        effects = [carryover.mismatched_effect(own, other, swap=swap) for swap in (False, True)]
        assert effects[0] != 0
        assert sum(effects) == 0


def test_a_step_with_two_wordings_counts_once() -> None:
    reading = reader(LADDER)(steps(1, 2, 3, again={"step": "three", "dose": 3}))
    assert reading is not None
    assert reading.effect({"one": 0.0, "two": 1.0, "three": 1.0, "again": 3.0}) == pytest.approx(1.0)


def test_a_cell_with_two_wordings_counts_once() -> None:
    cross = {f"{i}{j}": {"belief": i, "answer": j} for i in "xy" for j in "xy"}
    reading = reader(FACTORIAL)(item(**cross, again=X))
    assert reading is not None
    assert reading.effect({"xx": 2.0, "again": 4.0, "yy": 1.0, "xy": 0.0, "yx": 0.0}) == pytest.approx(2.0)
