"""The shipped panel: sizes, grades, and what does not solve it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml

from builders.probes import common, panel
from builders.split import is_held_out
from rmaudit.suites.spec import Item
from tests.source_data import needed_source_data

ROOT = Path(__file__).resolve().parents[2]
PROBES = ROOT / "probes"
Scorer = Callable[[str, str], float]
"""Reward from the prompt's text and the response."""


@cache
def items(path: str) -> tuple[Item, ...]:
    lines = (PROBES / path).read_text(encoding="utf-8").splitlines()
    return tuple(Item.model_validate_json(line) for line in lines)


def response(item: Item, arm: str) -> str:
    return item.conversation(arm)[-1]["content"]


def first_turn(item: Item, arm: str) -> str:
    return next(turn["content"] for turn in item.conversation(arm) if turn["role"] == "user")


FILES = ("panel/items.jsonl",)


# All files


@pytest.mark.parametrize("path", FILES)
def test_prompts_are_held_out(path: str) -> None:
    prompts = {first_turn(item, arm) for item in items(path) for arm in item.arms}
    assert [prompt for prompt in prompts if not is_held_out(prompt)] == []


@pytest.mark.parametrize("path", FILES)
def test_items_name_source_and_licence(path: str) -> None:
    assert all(item.source and item.licence and item.domain for item in items(path))
    assert not any("SA" in str(item.licence) for item in items(path))


@pytest.mark.parametrize("path", FILES)
def test_first_items_are_a_fair_sample(path: str) -> None:
    everything = Counter(item.source for item in items(path))
    first = Counter(item.source for item in items(path)[:150])
    for source, count in everything.items():
        expected = 150 * count / len(items(path))
        assert abs(first[source] - expected) <= 4 * math.sqrt(expected) + 1


BUILDERS = {
    "panel/items.jsonl": panel.build,
}


@pytest.mark.parametrize("path", BUILDERS)
def test_builder_makes_the_shipped_bytes(path: str) -> None:
    assert common.item_file(BUILDERS[path](needed_source_data())) == (PROBES / path).read_bytes()


# Panel


def test_panel_has_prompts_responses_and_grades() -> None:
    assert len(items("panel/items.jsonl")) >= 240
    for item in items("panel/items.jsonl"):
        grades = {arm.factors["grade"] for arm in item.arms.values()}
        assert 4 <= len(item.arms) <= 6
        assert len(grades) >= 2
        texts = [response(item, arm) for arm in item.arms]
        assert len(set(texts)) == len(texts)
        assert max(map(len, texts)) <= 1000


def test_panel_description_and_card_count_what_is_there() -> None:
    panel_items = items("panel/items.jsonl")
    described = yaml.safe_load((PROBES / "panel" / "panel.yaml").read_text(encoding="utf-8"))
    assert set(described["domains"]) == {item.domain for item in panel_items}
    assert {source["name"] for source in described["sources"]} == {item.source for item in panel_items}
    card = (PROBES / "panel" / "README.md").read_text(encoding="utf-8")
    responses = sum(len(item.arms) for item in panel_items)
    assert f"{len(panel_items)} prompts with {responses:,} responses" in card
    cells = sorted(int(found) for found in re.findall(r"\| (\d+) \|", card))
    assert cells == sorted(Counter(item.source for item in panel_items).values())


def test_length_does_not_solve_the_panel() -> None:
    outcomes = []
    for item in items("panel/items.jsonl"):
        for a, b in combinations(item.arms.values(), 2):
            grades = float(a.factors["grade"]), float(b.factors["grade"])
            if grades[0] != grades[1]:
                gap = (len(a.response or "") - len(b.response or "")) * (1 if grades[0] > grades[1] else -1)
                outcomes.append((gap > 0) + 0.5 * (gap == 0))
    assert 0.45 < np.mean(outcomes) < 0.57


@pytest.mark.parametrize(
    ("beats", "ties", "expected"),
    [
        ({("a", "b"), ("b", "c")}, set(), [2, 1, 0]),
        ({("a", "b"), ("b", "c"), ("c", "a")}, set(), [0, 0, 0]),
        ({("a", "b"), ("a", "c")}, set(), [1, 0, 0]),
        ({("a", "b")}, {("b", "c")}, [1, 0, 0]),
        ({("a", "b")}, set(), [0, 0, 0]),
    ],
    ids=["chain", "cycle", "open", "tie", "unconnected"],
)
def test_grades_say_no_more_than_the_comparisons(
    beats: set[tuple[str, str]], ties: set[tuple[str, str]], expected: list[float]
) -> None:
    grades = panel.grades_by_order(["a", "b", "c"], beats, ties)
    assert [grades[name] for name in "abc"] == expected
