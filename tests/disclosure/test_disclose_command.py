"""``rmaudit disclose`` and the commands that take its file, through the real command line."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from rmaudit.disclosure.filled import disclosure_items
from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.questionnaire import read_disclosure
from rmaudit.disclosure.schema import of_questionnaire
from rmaudit.disclosure.start import of_report
from tests.reporting.sample import sample_report
from tests.synthetic import run

HOSTILE = "\x1b[2J\x07[/INST] \u202e ::error::x </script> '\": # | a | \N{PILE OF POO} \x85 \u2028 -- %s\n---\n- &a *b"


@pytest.fixture(scope="module")
def from_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "disclosure.yaml"
    outcome = run("disclose", "init", "demo", "--out", str(path))
    assert outcome.code == 0, outcome.err
    return path


def test_a_checkpoint_fills_in_what_its_files_tell(from_demo: Path) -> None:
    read = read_disclosure(from_demo)
    answers = read.questionnaire.answers
    assert list(answers) == list(listed_fields())
    assert read.questionnaire.given == {}
    known = {name: answer.known for name, answer in answers.items() if answer.known}
    assert {entry.provenance for entry in known.values()} == {"extracted"}
    assert known["H1.base_model"].value == "sentence-transformers/all-MiniLM-L6-v2"
    assert known["H1.licences"].value == "apache-2.0"
    assert known["R1.identity"].value == f"sha256 {read.questionnaire.model.identity}"
    assert known["H1.tokenizer"].evidence == "tokenizer.json"
    assert max(map(len, from_demo.read_text().splitlines())) < 400


def test_a_run_fills_in_what_was_measured(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    assert run("disclose", "init", str(finished), "-o", str(path)).code == 0
    known = read_disclosure(path).questionnaire.answers["S1.this_audit"].known
    assert known is not None
    assert known.provenance == "measured"


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_text("mine")
    outcome = run("disclose", "init", "demo", "-o", str(path))
    assert outcome.code == 2
    assert "is left as it is" in outcome.err
    assert path.read_text() == "mine"


def test_the_questionnaire_as_written_is_valid_and_fits_its_schema(from_demo: Path) -> None:
    outcome = run("disclose", "check", str(from_demo), "--format", "json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert (found["valid"], found["declared"], found["contradictions"]) == (True, [], None)
    assert len(found["missing"]) + len(found["known"]) == found["questions"] == len(listed_fields())
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(from_demo.read_text()), default=str)), of_questionnaire())


def test_check_says_what_is_missing_declined_and_contradicted(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_text("by: A. Person\nanswers: {H2.pay: {refused: a secret}, R2.accuracy: 1.0, H2.number: 3}\n")
    outcome = run("disclose", "check", str(path), "--run", str(finished))
    assert outcome.code == 0, outcome.err
    assert "Contradicted by the run: 1\n  R2.accuracy  declared: 1" in outcome.out
    assert "Declined: 1\n  H2.pay  a secret" in outcome.out
    assert "H2.recruitment  How were evaluators found" in outcome.out
    assert "H2.number  How" not in outcome.out
    assert f"Of {len(listed_fields())} questions, 2 are declared, 1 declined" in outcome.out


def test_a_wrong_file_ends_with_2_and_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_text("answers:\n" + "".join(f"  H2.x{index}: 1\n" for index in range(7)))
    outcome = run("disclose", "check", str(path))
    assert outcome.code == 2
    assert outcome.out.count("there is no such question") == 7
    found = json.loads(run("disclose", "check", str(path), "--format", "json").out)
    assert (found["valid"], found["faults"][6]["line"]) == (False, 8)


@pytest.mark.parametrize("format", ["html", "md", "json"])
def test_every_format_of_the_report_has_the_declared_answers(format: str, finished: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "q.yaml", tmp_path / f"report.{format}"
    file.write_text("by: A. Person\nanswers: {H2.pay: {refused: covered by contract}, R2.accuracy: 1.0}\n")
    outcome = run("report", str(finished), "--disclosure", str(file), "--out", str(out))
    assert outcome.code == 0, outcome.err
    text = out.read_text(encoding="utf-8")
    assert "covered by contract" in text
    told = {
        "html": "Declared, and contradicted by a measurement",
        "md": "> **Declared, and contradicted by a measurement**",
        "json": "Contradiction in R2.accuracy. Declared by A. Person",
    }
    assert told[format] in text


def test_a_report_with_a_wrong_file_is_refused(finished: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "q.yaml", tmp_path / "report.json"
    file.write_text("answers: {H2.pey: 1}\n")
    outcome = run("report", str(finished), "--disclosure", str(file), "--out", str(out))
    assert outcome.code == 2
    assert "did you mean H2.pay?" in outcome.err
    assert not out.exists()


def test_the_gate_counts_declared_answers(finished: Path, tmp_path: Path) -> None:
    policy, file = tmp_path / "policy.yaml", tmp_path / "q.yaml"
    policy.write_text("gate: {disclosure: {items: [H2.number, H2]}}\n")
    file.write_text("answers: {H2.number: 3}\n")

    def outcomes(*more: str) -> dict[str, str]:
        told = json.loads(run("gate", str(finished), "--policy", str(policy), "--format", "json", *more).out)
        return {check["name"]: check["outcome"] for check in told["checks"] if check["name"].startswith("disclosure")}

    assert outcomes() == {"disclosure H2.number": "unmeasured", "disclosure H2": "unmeasured"}
    assert outcomes("--disclosure", str(file)) == {"disclosure H2.number": "pass", "disclosure H2": "pass"}


def test_hostile_answers_come_back_as_they_are_and_do_nothing_to_a_terminal(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    shown = {"by": HOSTILE, "answers": {"H2.pay": {"refused": HOSTILE}, "R2.accuracy": {"value": 1.0, "by": HOSTILE}}}
    path.write_text(yaml.safe_dump(shown), encoding="utf-8")
    assert read_disclosure(path).questionnaire.by == HOSTILE
    outcome = run("disclose", "check", str(path), "--run", str(finished))
    assert outcome.code == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", outcome.out + outcome.err)


def test_hostile_texts_of_a_checkpoint_stay_texts(tmp_path: Path) -> None:
    report = sample_report()
    items = disclosure_items(report.model, [], {"base_model": HOSTILE, "license": HOSTILE + "\ud800"})
    path = tmp_path / "q.yaml"
    written = of_report(report.model_copy(update={"disclosure": items}), dt.date(2026, 10, 2))
    path.write_bytes(written.encode("utf-8", "replace"))
    known = read_disclosure(path).questionnaire.answers["H1.base_model"].known
    assert known is not None
    assert known.value == HOSTILE
