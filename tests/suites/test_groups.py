"""Groups are compared over the means of their names, each centred within its scenario."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rmaudit.stats.permutation import MaxT
from rmaudit.suites import estimate, groups
from rmaudit.suites.spec import Arm, Groups, Item

MEASURE = Groups(design="groups", factor="origin", unit="name", margins=["gender"])
NAMES = {(origin, gender): [f"{origin}{gender}{i}" for i in range(4)] for origin in "xyz" for gender in "fm"}


def scenarios(count: int = 6, names: dict[tuple[str, str], list[str]] | None = None) -> list[Item]:
    return [
        Item(
            id=f"s{i}",
            cluster=f"s{i}",
            prompt=[{"role": "user", "content": "?"}],
            arms={
                name: Arm(response=name, factors={"origin": origin, "gender": gender, "name": name})
                for (origin, gender), members in (names or NAMES).items()
                for name in members
            }
            | {"nobody": Arm(response="nobody")},
        )
        for i in range(count)
    ]


def rewards(items: list[Item], seed: int = 0, **shift: float) -> dict[str, dict[str, float]]:
    """Noise, a level for each scenario, and a shift for names that start with a letter."""
    draw = random.Random(seed)
    result = {}
    for item in items:
        level = draw.gauss(0, 10)
        result[item.id] = {arm: level + draw.gauss(0, 0.1) + shift.get(arm[0], 0.0) for arm in item.arms}
    return result


def test_the_contrast_is_that_of_the_definition() -> None:
    items = scenarios()
    scored = rewards(items, y=0.5)
    result = groups.compare(MEASURE, items, scored, seed=0, draws=999)[0]
    means: dict[str, float] = {}
    for origin in "xyz":
        by_name = []
        for name in NAMES[origin, "f"] + NAMES[origin, "m"]:
            own = [scored[i.id][name] - np.mean([scored[i.id][a] for a in i.arms if a != "nobody"]) for i in items]
            by_name.append(np.mean(own))
        means[origin] = float(np.mean(by_name))
    for index, origin in enumerate(result.max_t.names):
        others = np.mean([means[other] for other in "xyz" if other != origin])
        assert result.max_t.contrast[index] == pytest.approx(means[origin] - others)


def test_a_planted_group_is_found_on_its_margin_and_on_no_other() -> None:
    items = scenarios()
    origin, gender = groups.compare(MEASURE, items, rewards(items, y=0.5), seed=0)
    assert (origin.margin, gender.margin) == ("origin", "gender")
    assert origin.max_t.p_omnibus < 0.01
    assert origin.max_t.contrast[origin.max_t.names.index("y")] == pytest.approx(0.5, abs=0.1)
    assert gender.max_t.p_omnibus > 0.05


def test_units_and_items_are_counted() -> None:
    origin, gender = groups.compare(MEASURE, scenarios(6), rewards(scenarios(6)), seed=0, draws=999)
    assert origin.n_units == {"x": 8, "y": 8, "z": 8}
    assert origin.n_items == {"x": 48, "y": 48, "z": 48}
    assert gender.n_units == {"f": 12, "m": 12}


def test_a_level_of_a_scenario_plays_no_part() -> None:
    """Names that occur only where rewards are high gain nothing from it."""
    shown = {key: names[:2] for key, names in NAMES.items()}, {key: names[2:] for key, names in NAMES.items()}
    items = [item for half in shown for item in scenarios(3, half)]
    items = [item.model_copy(update={"id": f"s{i}"}) for i, item in enumerate(items)]
    scored = rewards(items)
    for index, item in enumerate(items):
        scored[item.id] = {arm: reward + (100.0 if index < 3 else 0.0) for arm, reward in scored[item.id].items()}
    plain = groups.compare(MEASURE, items, rewards(items), seed=0, draws=999)[0]
    lifted = groups.compare(MEASURE, items, scored, seed=0, draws=999)[0]
    assert lifted.max_t.contrast == pytest.approx(plain.max_t.contrast, abs=1e-9)


def test_scale_and_zero_of_the_reward() -> None:
    items = scenarios()
    scored = rewards(items, y=0.05)
    moved = {item: {arm: 3 * reward - 7 for arm, reward in arms.items()} for item, arms in scored.items()}
    for plain, other in zip(
        groups.compare(MEASURE, items, scored, seed=4), groups.compare(MEASURE, items, moved, seed=4), strict=True
    ):
        assert other.max_t.contrast == pytest.approx(3 * plain.max_t.contrast, abs=1e-9)
        assert other.max_t.high == pytest.approx(3 * plain.max_t.high, abs=1e-9)
        assert other.max_t.p_omnibus == plain.max_t.p_omnibus


def test_more_margins_make_wider_intervals() -> None:
    items = scenarios()
    scored = rewards(items)
    alone = groups.compare(MEASURE.model_copy(update={"margins": []}), items, scored, seed=0)
    both = groups.compare(MEASURE, items, scored, seed=0)
    assert len(alone) == 1
    assert np.all(both[0].max_t.high >= alone[0].max_t.high)
    assert np.any(both[0].max_t.high > alone[0].max_t.high)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({("x", "f"): ["a", "b"], ("y", "m"): ["c", "d"]}, None),
        ({("x", "f"): ["a", "b"], ("y", "m"): ["c"]}, "group 'y' has one name only"),
        ({("x", "f"): ["a", "b"]}, "1 groups are named by the factor 'origin'"),
        ({("x", "f"): ["a", "b"], ("y", "f"): ["c", "d"]}, "1 groups are named by the factor 'gender'"),
    ],
)
def test_groups_that_cannot_be_compared(names: dict[tuple[str, str], list[str]], words: str | None) -> None:
    found = groups.shortage(MEASURE, scenarios(2, names))
    assert found is None if words is None else words in str(found)


@pytest.mark.parametrize(
    ("contrast", "reach", "leading"),
    [
        # Nearly as far out, and beyond the margin: the favoured group gives the name.
        ([0.45, -0.60, 0.05], [0.20, 0.25, 0.20], "favoured"),
        # The favoured group's interval is not beyond the margin: the surest group does, so that it is not missed.
        ([0.22, -0.25, 0.02], [0.18, 0.18, 0.20], "disfavoured"),
        # A large but unsure group hides no smaller, sure one.
        ([0.40, -0.25, 0.00], [0.42, 0.10, 0.20], "disfavoured"),
        ([0.04, -0.06, 0.01], [0.20, 0.20, 0.20], "disfavoured"),
    ],
)
def test_a_finding_is_named_after_a_group_it_can_be_judged_by(
    contrast: list[float], reach: list[float], leading: str
) -> None:
    middle, width = np.array(contrast), np.array(reach)
    table = MaxT(
        names=("favoured", "disfavoured", "other"),
        contrast=middle,
        low=middle - width,
        high=middle + width,
        standard_error=width / 2,
        t=2 * middle / width,
        p_omnibus=0.001,
        p_each=np.full(3, 0.001),
        critical=2.0,
    )
    result, index = estimate._leading([groups.GroupResult("group", table, {}, {})], margin=0.05)
    assert result.max_t.names[index] == leading
