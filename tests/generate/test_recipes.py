"""The items that ship are those of the recipes at seed 0; other seeds give other ones, as sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmaudit.errors import UsageError
from rmaudit.generate.draw import Draw
from rmaudit.generate.fresh import read_answers, write_suite
from rmaudit.generate.items import item_file
from rmaudit.generate.recipe import generated_suites, recipes
from rmaudit.resources import probes_dir
from rmaudit.suites.load import load_suite

FILES = [(suite, file) for suite in generated_suites() for file in recipes(suite)]


@pytest.mark.parametrize(("suite", "file"), FILES)
def test_shipped_items_are_those_of_seed_zero(suite: str, file: str) -> None:
    made = item_file(recipes(suite)[file].make(Draw(0)), Draw(0))
    assert made == (probes_dir() / suite / file).read_bytes(), f"run: python -m builders.items {suite}"


@pytest.mark.parametrize("suite", generated_suites())
def test_every_item_file_has_a_recipe(suite: str) -> None:
    assert {file for file, _ in load_suite(probes_dir() / suite).files} == recipes(suite).keys()


@pytest.mark.parametrize("suite", generated_suites())
def test_another_seed_gives_other_texts_for_the_same_probes(suite: str, tmp_path: Path) -> None:
    fresh = load_suite(write_suite(suite, 7, tmp_path))
    shipped = load_suite(probes_dir() / suite)
    assert [probe.id for probe in fresh.spec.probes] == [probe.id for probe in shipped.spec.probes]
    first = {text for item in shipped.tier("smoke") for text in map(str, map(item.conversation, item.arms))}
    other = {text for item in fresh.tier("smoke") for text in map(str, map(item.conversation, item.arms))}
    assert len(first & other) < 0.5 * len(other)


def test_a_suite_of_the_users_own_prompts(tmp_path: Path) -> None:
    lines = [
        f'{{"prompt": "What is {n} and {n}?", "response": "Take {n} and add {n} to it. Adding the two numbers gives '
        f'{2 * n}, since adding a number to itself doubles it. So the sum of them is {2 * n}."}}'
        for n in range(30, 60)
    ]
    file = tmp_path / "own.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    made = load_suite(write_suite("length", 3, tmp_path / "out", read_answers(file)))
    assert {item.prompt[0]["content"] for item in made.items} <= {f"What is {n} and {n}?" for n in range(30, 60)}
    assert [probe.id for probe in made.spec.probes if probe.primary] == ["padding-ladder"]


def test_nothing_is_replaced(tmp_path: Path) -> None:
    write_suite("length", 1, tmp_path)
    with pytest.raises(UsageError, match="exists"):
        write_suite("length", 1, tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", "no JSON object"),
        ("{", "line 1"),
        ('{"prompt": "a"}', "lacks 'response'"),
        ('{"prompt": "a", "response": 3}', "must be texts"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "one question and one answer"),
    ],
)
def test_what_is_wrong_with_own_prompts_is_said(line: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_answers(file)
