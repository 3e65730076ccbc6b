"""The questionnaire: what a file may say, and what is told of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rmaudit.disclosure.items import ListedField, listed_fields
from rmaudit.disclosure.questionnaire import DeclaredFile, InvalidDisclosureError, read_disclosure, shown
from rmaudit.errors import UsageError

TOP = "schema: rmaudit.disclosure/1\nstandard: 1\nby: A. Person\ndate: 2026-10-02\nanswers:\n"


def read(folder: Path, text: str) -> DeclaredFile:
    path = folder / "disclosure.yaml"
    path.write_text(text, encoding="utf-8")
    return read_disclosure(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidDisclosureError) as caught:
        read(folder, text)
    assert caught.value.exit_code == 2
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize("asked", listed_fields().values(), ids=listed_fields())
def test_every_example_is_a_valid_answer(asked: ListedField, tmp_path: Path) -> None:
    answer = yaml.safe_dump({"answers": {asked.id: {"value": asked.example}}})
    given = read(tmp_path, answer).questionnaire.given[asked.id]
    assert shown(asked, given)


def test_values_in_every_form(tmp_path: Path) -> None:
    text = TOP + (
        "  H2.number: 12\n"
        "  H2.pay: {refused: a secret}\n"
        "  H2.recruitment:\n    value: |\n      By open call,\n      in two countries.\n    evidence: https://example.org\n"
        "  H3.collected_from: 2024-02-01\n"
        "  H3.balance: length\n"
        "  H4.types: [comparison, rating]\n"
        "  H4.scale: {not_applicable: there is none}\n"
        "  H5.process: {value: '  '}\n"
        "  H5.agreement:\n"
    )
    file = read(tmp_path, text)
    given = file.questionnaire.given
    told = {name: shown(listed_fields()[name], answer) for name, answer in given.items()}
    assert told == {
        "H2.number": "12",
        "H2.pay": None,
        "H2.recruitment": "By open call,\nin two countries.\n",
        "H3.collected_from": "2024-02-01",
        "H3.balance": "length-balanced",
        "H4.types": "which of two answers is better, a number or grade for one answer, overall",
        "H4.scale": "not applicable: there is none",
    }
    assert given["H2.pay"].refused == "a secret"
    assert file.lines["H2.pay"] == 7
    assert len(file.sha256) == 64


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  H2.recrutment: x", "line 6, H2.recrutment: there is no such question; did you mean H2.recruitment?"),
        ("  H3.recruitment: x", "line 6, H3.recruitment: there is no such question; did you mean H2.recruitment?"),
        ("  H2.pay: {refuse: x}", "line 6, H2.pay.refuse: there is no such key; did you mean refused?"),
        ("  H2.pay: {value: x, refused: y}", "line 6, H2.pay: value and refused are both given; keep one"),
        ("  H2.pay: yes", "line 6, H2.pay.value: YAML reads this word as true or false; put it in quotes"),
        ("  H2.number: many", "line 6, H2.number: 'many' is no number"),
        ("  H2.number: -1", "line 6, H2.number: -1 is outside 0"),
        ("  H5.agreement: 72", "line 6, H5.agreement: 72 is outside 0 to 1 (72% is 0.72)"),
        ("  H5.agreement: .nan", "line 6, H5.agreement: nan is outside 0 to 1"),
        ("  S2.accepted_on: soon", "line 6, S2.accepted_on: 'soon' is no day"),
        ("  R1.loss: bradley-terry", "line 6, R1.loss: 'bradley-terry' is none of the choices; did you mean bradley"),
        ("  R1.loss: [dpo]", "line 6, R1.loss: a list, where one value is asked for"),
        ("  H3.balance: [length, lenght]", "line 6, H3.balance: 'lenght' is none of the choices; did you mean length?"),
        ("  H2.pay: a\n  H2.pay: b", "line 7, answers.H2.pay: it is there already, in line 6"),
        ("  H2.pay: {date: soon}", "line 6, H2.pay.date: "),
    ],
)
def test_faults_are_told_with_their_line(line: str, expected: str, tmp_path: Path) -> None:
    (told,) = faults(tmp_path, f"{TOP}{line}\n")
    assert told.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("standard: 2\n", "line 1, standard: this version of rmaudit has version 1"),
        ("schema: other/1\n", "line 1, schema: "),
        ("answer: {}\n", "line 1, answer: there is no such key; did you mean answers?"),
        ("answers: [a]\n", "line 1, answers: "),
        ("model: {identity: abc}\n", "line 1, model.identity: "),
        ("- a\n", "line 1, it holds no answers"),
        ("", "line 1, it holds no answers"),
    ],
)
def test_faults_outside_the_answers(text: str, expected: str, tmp_path: Path) -> None:
    assert faults(tmp_path, text)[0].startswith(expected)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    told = faults(
        tmp_path, TOP.replace("standard: 1", "standard: 2") + "  H2.pey: x\n  H2.number: many\n  R1.loss: no\n"
    )
    assert [fault.partition(",")[0] for fault in told] == ["line 2", "line 6", "line 7", "line 8"]


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x\n", "a: [\n", "answers: {a: \x00}\n", "x: " + "[" * 5000])
def test_what_is_no_plain_yaml_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"disclosure\.yaml"):
        read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read .*Check that it is there"):
        read_disclosure(tmp_path / "none.yaml")
    with pytest.raises(UsageError):
        read_disclosure(tmp_path)


def test_an_empty_file_of_answers_is_valid(tmp_path: Path) -> None:
    assert read(tmp_path, TOP).questionnaire.given == {}
