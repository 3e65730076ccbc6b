"""The run folder is made once, refuses what is not its own, and says in what state it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmaudit.errors import RunError, RunExistsError, UsageError
from rmaudit.reporting.report import read_report
from rmaudit.runs.folder import RunFolder


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs" / "one")
    assert folder.create(resume=False) is False
    assert folder.path.is_dir()
    assert folder.create(resume=False) is False  # still empty


def test_a_run_is_entered_only_to_go_on(finished: Path) -> None:
    with pytest.raises(RunExistsError, match="--resume"):
        RunFolder(finished).create(resume=False)
    assert RunFolder(finished).create(resume=True) is True


@pytest.mark.parametrize("resume", [False, True])
def test_other_peoples_folders_are_left_alone(resume: bool, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunExistsError, match="not empty"):
        RunFolder(tmp_path).create(resume=resume)


@pytest.mark.parametrize("below", ["file", "file/run"])
def test_a_place_where_no_folder_can_be(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--out"):
        RunFolder(tmp_path / below).create(resume=False)


def test_leftovers_of_a_killed_write_are_removed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / ".run.json.01234567.part").touch()
    assert folder.create(resume=False) is False
    with folder.held():
        assert not list(tmp_path.iterdir())


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    second = RunFolder(tmp_path).held()
    with RunFolder(tmp_path).held(), pytest.raises(RunExistsError, match="Another scan"), second:
        pytest.fail("held twice")
    with RunFolder(tmp_path).held():
        pass


def test_the_manifest_comes_back_as_it_was(run_copy: Path) -> None:
    folder = RunFolder(run_copy)
    before = (run_copy / "run.json").read_bytes()
    folder.write_manifest(folder.manifest())
    assert (run_copy / "run.json").read_bytes() == before
    assert folder.complete_manifest().status == "complete"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no run.json"), (b"", "damaged"), (b"{}", "damaged"), (b'{"status": "done"}', "damaged"), (b"\xff", "dam")],
)
def test_a_damaged_manifest(content: bytes | None, words: str, run_copy: Path) -> None:
    (run_copy / "run.json").unlink()
    if content is not None:
        (run_copy / "run.json").write_bytes(content)
    with pytest.raises(RunError, match=words):
        RunFolder(run_copy).manifest()


def test_an_unfinished_run_says_why_and_how_to_go_on(run_copy: Path) -> None:
    manifest = json.loads((run_copy / "run.json").read_text())
    manifest |= {"status": "failed", "reason": "the GPU is on fire"}
    (run_copy / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=r"failed, not complete \(the GPU is on fire\).*--out .*--resume"):
        read_report(run_copy)


def test_a_report_is_read_from_its_file_too(finished: Path) -> None:
    assert read_report(finished / "report.json") == read_report(finished)


@pytest.mark.parametrize("damage", [lambda b: b[:-10], lambda b: b.replace(b'"srd"', b'"sdr"', 1), lambda b: b"[]"])
def test_a_damaged_report(damage: object, run_copy: Path) -> None:
    path = run_copy / "report.json"
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(RunError, match=r"report\.json is damaged"):
        read_report(run_copy)


def test_the_manifest_holds_what_was_planned(finished: Path) -> None:
    manifest = RunFolder(finished).complete_manifest()
    assert manifest.planned == {"polish": 26 * 40}
    assert manifest.run.conversations == 26 * 40 + 4 * 30
    assert manifest.run.unique_conversations == 26 * 40 + 4 * 30
    assert len(manifest.plan_sha256) == 64
    assert manifest.settings.suite_sha256.keys() == {"panel", "polish"}
