"""The list filled in with what an audit knows, and with what people declare."""

from __future__ import annotations

import pytest

from rmaudit.disclosure.filled import disclosure_items, filled
from rmaudit.disclosure.items import NOT_PROVIDED, listed_fields, listed_items, standard
from rmaudit.disclosure.records import DisclosureField
from rmaudit.models.training_files import Told
from rmaudit.reporting.outline import completeness
from tests.reporting.sample import sample_findings, sample_report

CARD = {"base_model": "Qwen/Qwen3-1.7B", "datasets": ["a/b", "c/d"], "license": "apache-2.0"}


def answers(items: list) -> dict[str, DisclosureField]:
    return {answer.id: answer for item in items for answer in item.fields}


def declared(field: str, value: str | None, provenance: str = "declared", reason: str | None = None) -> DisclosureField:
    return DisclosureField(
        id=field,
        question="?",
        value=value,
        provenance=provenance,
        evidence=None,
        reason=reason,
        asserted_by="A. Person",
    )


def test_every_question_is_there_once_and_none_is_blank() -> None:
    items = disclosure_items(sample_report().model, [], None)
    assert [answer.id for item in items for answer in item.fields] == list(listed_fields())
    for answer in answers(items).values():
        assert answer.value or answer.reason == NOT_PROVIDED


def test_an_item_of_which_nothing_is_known_is_missing() -> None:
    items = {item.id: item for item in disclosure_items(sample_report().model, [], None)}
    h2 = items["H2"]
    assert (h2.provenance, h2.value, h2.evidence, h2.reason) == ("missing", None, None, NOT_PROVIDED)


def test_what_is_known_is_filled_in_with_its_source() -> None:
    report = sample_report()
    items = disclosure_items(report.model, sample_findings(), CARD, report.ruler)
    found = answers(items)
    assert found["H1.base_model"].value == "Qwen/Qwen3-1.7B"
    assert found["H3.datasets"].value == "a/b, c/d"
    assert found["R1.form"].value == "several numbers for an answer, made into one"
    assert "score.weight [1, 2048]" in (found["R1.head"].value or "")
    assert (found["R2.length"].value or "").startswith("present (high)")
    assert found["R2.length"].evidence == "length/padding-ladder"
    assert (found["R2.accuracy"].value or "").startswith("71.2% [69.4%, 73.1%]")
    assert "length/padding-ladder (high)" in (found["S2.expected_failures"].value or "")
    assert {item.id: item.provenance for item in items} == {
        "H1": "extracted",
        "H2": "missing",
        "H3": "extracted",
        "H4": "missing",
        "H5": "missing",
        "R1": "extracted",
        "R2": "measured",
        "P1": "missing",
        "S1": "measured",
        "S2": "measured",
        "S3": "missing",
        "S4": "missing",
    }
    assert all(answer.evidence for answer in found.values() if answer.provenance != "missing")


def test_questions_that_the_list_says_are_known_are_known() -> None:
    report = sample_report()
    training = {name: Told(value="x", evidence="y") for name in ("tokenizer", "method", "curve", "computation")}
    found = answers(disclosure_items(report.model, sample_findings(), CARD, report.ruler, training))
    suites = {finding.suite for finding in sample_findings()}
    for name, asked in listed_fields().items():
        if asked.extracted:
            assert found[name].provenance == "extracted", name
        elif asked.measured and (not asked.measured.startswith("suite ") or asked.measured[6:] in suites):
            assert found[name].provenance == "measured", name
        else:
            assert found[name].provenance == "missing", name


def test_a_pickle_that_was_not_opened_is_the_reason() -> None:
    training = {"method": Told(value=None, evidence="training_args.bin", reason="It is a pickle.")}
    found = answers(disclosure_items(sample_report().model, [], None, None, training))["R1.method"]
    assert (found.provenance, found.value, found.reason) == ("missing", None, "It is a pickle.")


def test_what_is_declared_stands_beside_what_is_known() -> None:
    known = answers(disclosure_items(sample_report().model, [], CARD))
    known = {name: answer for name, answer in known.items() if answer.provenance == "extracted"}
    items = filled(known, {"H1.base_model": declared("H1.base_model", "another")})
    told = [(answer.provenance, answer.value) for answer in items[0].fields if answer.id == "H1.base_model"]
    assert told == [("extracted", "Qwen/Qwen3-1.7B"), ("declared", "another")]
    assert items[0].value == "base model: Qwen/Qwen3-1.7B; base model (declared): another; licences: apache-2.0"


@pytest.mark.parametrize("card", [{}, {"base_model": ""}, {"tags": ["x"]}])
def test_an_empty_card_tells_nothing(card: dict) -> None:
    items = {item.id: item for item in disclosure_items(sample_report().model, [], card)}
    assert items["H1"].provenance == "missing"


def test_a_refusal_is_not_silence() -> None:
    items = {item.id: item for item in filled({}, {"H2.pay": declared("H2.pay", None, "refused", "a secret")})}
    assert items["H2"].provenance == "refused"
    assert (items["H2"].reason or "").startswith("Refused: pay (a secret). Not provided: evaluators, number")
    assert items["H3"].provenance == "missing"


def test_completeness_counts_questions_in_three_parts() -> None:
    known = {
        "H1.base_model": declared("H1.base_model", "x", "extracted"),
        "R2.length": declared("R2.length", "y", "measured"),
    }
    said = {
        "H1.base_model": declared("H1.base_model", "z"),
        "H2.number": declared("H2.number", "3"),
        "H2.pay": declared("H2.pay", None, "refused", "no"),
    }
    total = len(listed_fields())
    assert completeness(filled(known, said)) == (2, 1, total - 3, 1, total)
    assert completeness(filled({}, {})) == (0, 0, total, 0, total)


def test_an_item_without_questions_counts_as_one() -> None:
    items = [item.model_copy(update={"fields": []}) for item in filled({}, {})]
    assert completeness(items).total == len(listed_items())


def test_the_list_is_cited_and_says_supports() -> None:
    assert standard().relation == "supports"
    assert "Casper" in standard().citation
    text = standard().model_dump_json().lower()
    assert "complies" not in text
    assert "compliant" not in text
