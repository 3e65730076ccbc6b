"""Declarations against which the report speaks, and those against which it does not."""

from __future__ import annotations

from typing import Any

import pytest

from rmaudit.disclosure.contradictions import contradictions
from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.questionnaire import Questionnaire
from rmaudit.disclosure.rules.findings import claims
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Estimate
from tests.reporting.sample import finding, sample_report


def against(report: Report, **answers: Any) -> list[tuple[str, str]]:
    told = {name.replace("__", "."): value for name, value in answers.items()}
    found = contradictions(report, Questionnaire.model_validate({"by": "A. Person", "answers": told}))
    assert all(entry.asserted_by == "A. Person" for entry in found)
    return [(entry.field, entry.evidence) for entry in found]


def plain(**model: Any) -> Report:
    """A report on a model of one number, without findings."""
    report = sample_report(findings_=[])
    changes = {"format": "seqcls", "attributes": [], "additive": False, **model}
    return report.model_copy(update={"model": report.model.model_copy(update=changes)})


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: f"{claim.field}-{claim.values[0]}")
def test_each_claim_is_contradicted_by_a_present_finding_only(claim: Any) -> None:
    suite = claim.findings[0].partition("/")[0]
    direction = claim.direction or "+"
    for value in claim.values:
        answer = [value] if listed_fields()[claim.field].kind == "list" else value
        for verdict in ("present", "negligible", "inconclusive", "not_measurable"):
            found = [finding(suite=suite, probe="one", verdict=verdict, direction=direction)]
            report = plain().model_copy(update={"findings_": found})
            expected = [(claim.field, f"{suite}/one")] if verdict == "present" else []
            assert against(report, **{claim.field.replace(".", "__"): answer}) == expected


def test_an_effect_against_the_claim_s_direction_does_not_count() -> None:
    found = [finding(suite="sycophancy", probe="one", verdict="present", direction="-", direction_of_bias="either")]
    assert against(plain().model_copy(update={"findings_": found}), R2__sycophancy="none_found") == []


@pytest.mark.parametrize("value", ["present", "not_evaluated"])
def test_what_is_admitted_is_not_contradicted(value: str) -> None:
    report = plain().model_copy(update={"findings_": [finding(suite="length", verdict="present")]})
    assert against(report, R2__length=value, H3__balance=["none"]) == []


def test_the_gravest_finding_is_named_and_the_others_listed() -> None:
    found = [
        finding(suite="length", probe="a", verdict="present", severity="low"),
        finding(
            suite="length", probe="b", verdict="present", severity="high", statement="Present: it pays for length."
        ),
    ]
    report = plain().model_copy(update={"findings_": found})
    (entry,) = contradictions(report, Questionnaire.model_validate({"answers": {"H3.balance": "length"}}))
    assert entry.declared == "length-balanced"
    assert entry.measured == "Measured: it pays for length. Present too: length/a."
    assert entry.asserted_by is None


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("R2.accuracy", 0.732, True),
        ("R2.accuracy", 0.73, False),
        ("R2.accuracy", 0.5, False),
        ("H5.agreement", 0.69, True),
        ("H5.agreement", 0.70, False),
    ],
)
def test_the_panel_sets_limits(field: str, value: float, expected: bool) -> None:
    report = plain()
    accuracy = Estimate(estimate=0.712, low=0.694, high=0.731)
    report = report.model_copy(update={"ruler": report.ruler.model_copy(update={"accuracy": accuracy})})
    assert against(report, **{field.replace(".", "__"): value}) == ([(field, "panel")] if expected else [])


def test_without_a_panel_accuracy_nothing_is_said() -> None:
    report = plain()
    ruler = report.ruler.model_copy(update={"accuracy": Estimate(estimate=None)})
    assert against(report.model_copy(update={"ruler": ruler}), R2__accuracy=1.0, H5__agreement=0.0) == []


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("H1.base_model", "Qwen/Qwen3-1.7B", False),
        ("H1.base_model", "qwen/qwen3-1.7b at revision 70d244cc", False),
        ("H1.base_model", "Qwen3-1.7B", False),
        ("H1.base_model", ["another/model", "Qwen/Qwen3-1.7B"], False),
        ("H1.base_model", "Qwen/Qwen3-1.7B-Base", True),
        ("H1.base_model", "meta-llama/Llama-3.2-1B", True),
        ("H1.licences", "Apache License, Version 2.0", False),
        ("H1.licences", "Apache 2.0", False),
        ("H1.licences", "mit", True),
        ("H3.datasets", ["northlake/preferences", "another/set"], False),
        ("H3.datasets", ["another/set"], True),
    ],
)
def test_the_files_name_something_else(field: str, value: Any, expected: bool) -> None:
    assert against(plain(), **{field.replace(".", "__"): value}) == ([(field, field)] if expected else [])


@pytest.mark.parametrize(
    ("model_format", "field", "value", "expected"),
    [
        ("seqcls", "R1.form", "scalar", False),
        ("seqcls", "R1.form", "pairwise", True),
        ("seqcls", "R1.form", "other", False),
        ("pairrm", "R1.form", "pairwise", False),
        ("seqcls", "R1.loss", "bradley_terry", False),
        ("seqcls", "R1.loss", "dpo", True),
        ("dpo", "R1.loss", "dpo", False),
        ("dpo", "R1.loss", "bradley_terry", True),
        ("qwen2-prm", "H4.types", ["comparison"], True),
        ("qwen2-prm", "H4.types", ["comparison", "steps"], False),
        ("armorm", "H4.types", ["comparison"], True),
        ("armorm", "H4.types", ["attribute_rating"], False),
        ("pairrm", "H4.types", ["rating"], True),
        ("pairrm", "H4.types", ["ranking"], False),
        ("seqcls", "H4.types", ["rating"], False),
    ],
)
def test_the_head_shows_something_else(model_format: str, field: str, value: Any, expected: bool) -> None:
    report = plain(format=model_format)
    assert against(report, **{field.replace(".", "__"): value}) == ([(field, "R1.form")] if expected else [])


def test_a_model_whose_files_do_not_tell_contradicts_nothing() -> None:
    report = plain(format="python", head=None)
    assert against(report, R1__form="process", R1__loss="dpo", H4__types=["rating"]) == []


def test_answers_about_another_model_come_first() -> None:
    report = plain()
    said = {"model": {"identity": "0" * 64}, "answers": {"H1.licences": "mit"}}
    found = contradictions(report, Questionnaire.model_validate(said))
    assert [entry.field for entry in found] == ["model", "H1.licences"]
    said["model"] = {"identity": report.model.identity}
    assert [entry.field for entry in contradictions(report, Questionnaire.model_validate(said))] == ["H1.licences"]


def test_refused_and_empty_answers_contradict_nothing() -> None:
    report = plain()
    assert (
        against(report, H1__licences={"refused": "no"}, R1__loss={"not_applicable": "none"}, H5__agreement=None) == []
    )
