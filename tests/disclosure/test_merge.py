"""A report with declared answers."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.merge import disclosed, warning
from rmaudit.disclosure.questionnaire import DeclaredFile, read_disclosure
from rmaudit.reporting import schema
from rmaudit.reporting.outline import completeness
from rmaudit.reporting.report import Report
from tests.reporting.sample import sample_report

CONTRARY = """\
by: A. Person
date: 2026-10-02
answers:
  H1.base_model: another/model
  H2.number: {value: 12, by: B. Person, date: 2026-09-01, evidence: page 3, note: about}
  H2.pay: {refused: a secret}
  H3.balance: [length]
"""


def declared(folder: Path, text: str) -> DeclaredFile:
    path = folder / "disclosure.yaml"
    path.write_text(text, encoding="utf-8")
    return read_disclosure(path)


def test_an_empty_file_changes_nothing_but_names_itself(tmp_path: Path) -> None:
    bare = sample_report()
    report = disclosed(bare, declared(tmp_path, "answers: {}\n"))
    assert report.contradictions == []
    assert report.warnings == bare.warnings
    assert report.declaration is not None
    assert (report.declaration.file, report.declaration.by, report.declaration.standard) == ("disclosure.yaml", None, 1)
    answers = [answer for item in report.disclosure for answer in item.fields]
    assert [answer.id for answer in answers] == list(listed_fields())
    assert all(answer.reason for answer in answers if answer.provenance == "missing")
    assert completeness(report.disclosure).declared == 0
    assert completeness(report.disclosure).measured > 5


def test_declared_answers_carry_who_when_and_where(tmp_path: Path) -> None:
    report = disclosed(sample_report(), declared(tmp_path, CONTRARY))
    answers = {(answer.id, answer.provenance): answer for item in report.disclosure for answer in item.fields}
    number, base = answers["H2.number", "declared"], answers["H1.base_model", "declared"]
    assert (number.value, number.asserted_by, number.date, number.evidence, number.reason) == (
        "12",
        "B. Person",
        "2026-09-01",
        "page 3",
        "about",
    )
    assert (base.asserted_by, base.date, base.evidence) == ("A. Person", "2026-10-02", "disclosure.yaml")
    assert answers["H2.pay", "refused"].reason == "a secret"
    assert answers["H1.base_model", "extracted"].value == "Qwen/Qwen3-1.7B", "what files tell is never replaced"


def test_contradictions_are_warnings_too(tmp_path: Path) -> None:
    bare = sample_report()
    report = disclosed(bare, declared(tmp_path, CONTRARY))
    assert [entry.field for entry in report.contradictions] == ["H1.base_model", "H3.balance"]
    assert report.warnings == [*bare.warnings, *map(warning, report.contradictions)]
    assert report.warnings[-1].startswith(
        "Contradiction in H3.balance. Declared by A. Person: length-balanced. Measured:"
    )


def test_a_second_file_takes_the_place_of_the_first(tmp_path: Path) -> None:
    twice = disclosed(disclosed(sample_report(), declared(tmp_path, CONTRARY)), declared(tmp_path, "by: B\n"))
    once = disclosed(sample_report(), declared(tmp_path, "by: B\n"))
    assert twice == once


def test_no_number_changes(tmp_path: Path) -> None:
    bare, report = sample_report(), disclosed(sample_report(), declared(tmp_path, CONTRARY))
    kept = set(Report.model_fields) - {"warnings", "disclosure", "contradictions", "declaration"}
    assert all(getattr(bare, name) == getattr(report, name) for name in kept)


def test_the_merged_report_fits_its_schema_and_reads_back(tmp_path: Path) -> None:
    report = disclosed(sample_report(), declared(tmp_path, CONTRARY))
    jsonschema.validate(json.loads(report.to_json()), schema.build())
    path = tmp_path / "report.json"
    path.write_bytes(report.to_json())
    assert Report.load(path).contradictions == report.contradictions
