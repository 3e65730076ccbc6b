"""`rmaudit verify` confirms what follows from the scores, and finds whatever does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rmaudit
from rmaudit.errors import RunError, UsageError
from rmaudit.models.inspection import inspect
from rmaudit.policy import DEFAULT_POLICY, load_policy
from rmaudit.resources import demo_model_dir
from rmaudit.runs.sealed import seal, unseal
from rmaudit.verification import Point
from rmaudit.verification import verify as check
from tests.synthetic import Bench, bench, run


def change_report(run_folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = run_folder / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    change(report)
    path.write_text(json.dumps(report), encoding="utf-8")


def test_a_sound_run_is_confirmed(finished: Path) -> None:
    assert rmaudit.verify(finished) == []
    outcome = run("verify", str(finished))
    assert outcome.code == 0
    assert "Confirmed" in outcome.err


def set_path(report: dict[str, Any], path: str, value: Any) -> None:
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = report
    for part in way:
        place = place[part]
    assert place[last] != value
    place[last] = value


CHANGES = {
    "findings/0/srd/low": 0.0123,
    "findings/0/verdict": "negligible",
    "findings/0/examples/0/arms/0/reward": 0.0,
    "findings/2/groups/1/n_units": 99,
    "ruler/accuracy/estimate": 0.999,
    "headline": "All is well.",
    "model/identity": "0" * 64,
    "settings/seed": 5,
}


@pytest.mark.parametrize("path", CHANGES)
def test_one_changed_value_is_found_with_its_path(path: str, run_copy: Path) -> None:
    change_report(run_copy, lambda report: set_path(report, path, CHANGES[path]))
    found = rmaudit.verify(run_copy)
    assert len(found) == 1
    dotted = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split("/"))[1:]
    assert found[0].startswith(f"{dotted}: published {CHANGES[path]!r}"[:60])


def test_the_command_names_what_it_found(run_copy: Path) -> None:
    change_report(run_copy, lambda report: set_path(report, "findings/0/srd/low", 0.0123))
    outcome = run("verify", str(run_copy))
    assert outcome.code == 3
    assert "findings[0].srd.low: published 0.0123" in outcome.err


def test_times_and_machine_are_not_held_against_a_run(run_copy: Path) -> None:
    change_report(run_copy, lambda report: report["run"].update(seconds=1e6, host="elsewhere"))
    assert rmaudit.verify(run_copy) == []


def test_a_removed_batch_of_scores_is_found(run_copy: Path) -> None:
    lines = (run_copy / "scores.jsonl").read_bytes().splitlines(keepends=True)
    last = max(index for index, line in enumerate(lines[:-1]) if b'"end": true' in line)
    (run_copy / "scores.jsonl").write_bytes(b"".join(lines[: last + 1]))
    assert rmaudit.verify(run_copy)


@pytest.mark.parametrize("what", ["probes/polish/items.jsonl", "probes/polish/suite.yaml", "panel/items.jsonl"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_suite_that_changed_since_is_refused(what: str, how: str, tmp_path: Path) -> None:
    place = bench(tmp_path / "place")
    rmaudit.scan(place.scorer("biased"), probes=place.probes, panel=place.panel, out=tmp_path / "run")
    file = place.folder / what
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(RunError, match=file.parent.name if how == "changed" else "cannot be read"):
        rmaudit.verify(tmp_path / "run")


def test_the_policy_must_be_that_of_the_run(finished: Path, tmp_path: Path) -> None:
    other = tmp_path / "policy.yaml"
    other.write_text(DEFAULT_POLICY.read_text(encoding="utf-8").replace("name: default", "name: strict"))
    with pytest.raises(UsageError, match=f"policy default v{load_policy().version}"):
        rmaudit.verify(finished, other)


def test_a_run_elsewhere_is_verified_too(finished: Path, tmp_path: Path, place: Bench) -> None:
    moved = Path(shutil.copytree(finished, tmp_path / "elsewhere" / "renamed"))
    assert rmaudit.verify(moved) == []


def point(run_folder: Path, subject: str, **options: Any) -> Point:
    """What the whole check says of one subject; it says something of each once."""
    (found,) = [each for each in check(run_folder, **options) if each.subject == subject]
    return found


def test_every_point_of_a_sound_run_is_confirmed_or_says_why_not(finished: Path) -> None:
    told = {each.subject: each.outcome for each in check(finished)}
    assert told == dict.fromkeys(
        [
            "run.json", "items", "scores.jsonl", "report.json", "numbers of report.json", "record of the run",
            "report.html", "report.md",
        ],
        "confirmed",
    ) | dict.fromkeys(["model", "signature"], "unknown")  # fmt: skip


def edit(file: Path, old: str, new: str) -> None:
    content = file.read_text(encoding="utf-8")
    assert old in content
    file.write_text(content.replace(old, new, 1), encoding="utf-8")


def set_in(file: Path, path: str, value: Any) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    set_path(content, path, value)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def reward(run_folder: Path) -> None:
    """Change one reward as someone would who knows the checksum."""
    file = run_folder / "scores.jsonl"
    lines = file.read_bytes().splitlines()
    entry = json.loads(unseal(lines[5]) or b"")
    lines[5] = seal(entry | {"reward": entry["reward"] + 1.0})
    file.write_bytes(b"\n".join(lines) + b"\n")


def twice(run_folder: Path) -> None:
    """Say one arm twice, the second time with another reward."""
    file = run_folder / "scores.jsonl"
    *lines, last = file.read_bytes().splitlines()
    entry = json.loads(unseal(last) or b"")
    lines += [seal({key: value for key, value in entry.items() if key != "end"}), last]
    file.write_bytes(b"\n".join(lines) + b"\n")


def never_planned(run_folder: Path) -> None:
    file = run_folder / "scores.jsonl"
    *lines, last = file.read_bytes().splitlines()
    entry = json.loads(unseal(last) or b"")
    lines += [seal({key: value for key, value in entry.items() if key != "end"} | {"item": "made-up"}), last]
    file.write_bytes(b"\n".join(lines) + b"\n")


TAMPERING: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a reward": (reward, "numbers of report.json", "do not follow from the scores"),
    "a digit of a reward": (
        lambda run: flip(run),
        "scores.jsonl",
        "checksum",
    ),
    "an arm twice": (twice, "scores.jsonl", "1 are there twice"),
    "an arm that was never planned": (never_planned, "scores.jsonl", "1 were never planned"),
    "scores gone": (lambda run: (run / "scores.jsonl").unlink(), "scores.jsonl", "cannot be read"),
    "a number of the report": (
        lambda run: set_in(run / "report.json", "findings/0/srd/low", 0.0123),
        "numbers of report.json",
        "published 0.0123",
    ),
    "blanks of the report": (lambda run: edit(run / "report.json", "{", "{ "), "report.json", "byte for byte"),
    "a key of the report": (
        lambda run: edit(run / "report.json", "{", '{"extra": 1,'),
        "report.json",
        "damaged or of another version",
    ),
    "the report gone": (lambda run: (run / "report.json").unlink(), "report.json", "There is no report"),
    "the page": (lambda run: edit(run / "report.html", "present", "absent"), "report.html", "changed after"),
    "the Markdown": (lambda run: edit(run / "report.md", "severe", "none"), "report.md", "changed after"),
    "who was scored": (
        lambda run: set_in(run / "run.json", "model/identity", "0" * 64),
        "numbers of report.json",
        "model.identity",
    ),
    "the plan": (lambda run: set_in(run / "run.json", "plan_sha256", "0" * 64), "items", "not that of these items"),
    "a suite's digest": (
        lambda run: set_in(run / "run.json", "settings/suite_sha256/polish", "0" * 64),
        "items",
        "has changed since (polish)",
    ),
    "how many were planned": (
        lambda run: set_in(run / "run.json", "planned/polish", 3), "record of the run", "planned",
    ),
    "how many were scored": (
        lambda run: set_in(run / "run.json", "run/conversations", 3), "record of the run", "3 in run.json",
    ),
    "when": (
        lambda run: set_in(run / "run.json", "run/started", "2020-01-01T00:00:00+00:00"),
        "record of the run",
        "run.started",
    ),
    "what was counted from the store": (
        lambda run: set_in(run / "run.json", "run/from_store", 5), "record of the run", "from_store",
    ),
}  # fmt: skip


def flip(run_folder: Path) -> None:
    """Change one digit, as a bad disk would."""
    file = run_folder / "scores.jsonl"
    content = bytearray(file.read_bytes())
    at = content.index(b'"reward": ') + 13
    content[at] = ord("1") if content[at] != ord("1") else ord("2")
    file.write_bytes(bytes(content))


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_where_it_was_done(name: str, run_copy: Path) -> None:
    tamper, subject, words = TAMPERING[name]
    tamper(run_copy)
    found = point(run_copy, subject)
    assert found.outcome == "refuted"
    assert words in found.text


@pytest.mark.parametrize("name", ["a reward", "an arm twice", "the report gone", "the page", "when", "the plan"])
def test_tampering_ends_with_its_exit_code_and_its_reason(name: str, run_copy: Path) -> None:
    tamper, _, words = TAMPERING[name]
    tamper(run_copy)
    outcome = run("verify", str(run_copy))
    assert outcome.code == 3
    assert words in " ".join(outcome.err.split())


def test_an_unfinished_run_is_nothing_to_check(run_copy: Path) -> None:
    set_in(run_copy / "run.json", "status", "interrupted")
    assert run("verify", str(run_copy)).code == 3


def test_files_that_do_not_belong_are_named(run_copy: Path) -> None:
    (run_copy / "notes.txt").write_text("x")
    (run_copy / "more").mkdir()
    (run_copy / ".hidden").symlink_to("/etc/hostname")
    for name in ("notes.txt", "more", ".hidden"):
        assert point(run_copy, name).outcome == "unknown"
    outcome = run("verify", str(run_copy))
    assert outcome.code == 0
    assert "notes.txt" in outcome.err


def test_a_page_of_another_version_is_not_called_changed(run_copy: Path) -> None:
    for name in ("run.json", "report.json"):
        set_in(run_copy / name, "run/versions/rmaudit", "0.0.1")
    (run_copy / "report.html").write_text("<html></html>")
    found = point(run_copy, "report.html")
    assert (found.outcome, "rendered by rmaudit 0.0.1" in found.text) == ("unknown", True)


def test_a_page_that_is_not_there_is_no_lie(run_copy: Path) -> None:
    (run_copy / "report.md").unlink()
    assert point(run_copy, "report.md").outcome == "unknown"


def test_the_model_is_told_from_another(finished: Path, place: Bench) -> None:
    assert point(finished, "model", model=place.scorer("biased")).outcome == "confirmed"
    found = point(finished, "model", model=place.scorer("clean"))
    assert (found.outcome, "what was scored is" in found.text) == ("refuted", True)
    assert run("verify", str(finished), "--model", str(place.folder / "nowhere")).code == 2


def test_a_checkpoint_is_told_by_its_files(run_copy: Path, tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(demo_model_dir(), tmp_path / "demo"))
    for name in ("run.json", "report.json"):
        set_in(run_copy / name, "model/identity", inspect(str(checkpoint)).identity)
    assert point(run_copy, "model", model="demo").outcome == "confirmed"
    with (checkpoint / "config.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert point(run_copy, "model", model=str(checkpoint)).outcome == "refuted"


def test_the_answer_as_json(finished: Path, run_copy: Path) -> None:
    outcome = run("verify", str(finished), "--format", "json")
    answer = json.loads(outcome.out)
    assert (outcome.code, answer["schema"], answer["refuted"]) == (0, "rmaudit.verification/1", 0)
    flip(run_copy)
    outcome = run("verify", str(run_copy), "--format", "json")
    answer = json.loads(outcome.out)
    assert (outcome.code, answer["refuted"]) == (3, 1)
    assert {entry["outcome"] for entry in answer["points"]} == {"confirmed", "refuted", "unknown"}
