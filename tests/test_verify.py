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
from rmaudit.policy import DEFAULT_POLICY, load_policy
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
