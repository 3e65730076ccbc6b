"""A scan that was killed or stopped at any point is gone on with, and ends as if nothing had happened."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rmaudit.runs.scores import read_scores
from tests.synthetic import Bench, environment, run
from tests.test_determinism import without_run

BATCH = "100"
CALLS = 2 + 11
"""Calls of the scorer for the batches; the self-test makes more in between, after the panel's two."""


def arguments(place: Bench, out: Path, *more: str) -> list[str]:
    return place.scan_args(place.scorer("mortal"), out, "--batch-size", BATCH, *more)


@pytest.fixture(scope="module")
def whole(place: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without an interruption."""
    out = tmp_path_factory.mktemp("whole") / "run"
    outcome = run(*arguments(place, out))
    assert outcome.code == 0, outcome.err
    return out


def check_equal(resumed: Path, whole: Path) -> None:
    assert without_run(resumed) == without_run(whole)
    assert (resumed / "scores.jsonl").read_bytes() == (whole / "scores.jsonl").read_bytes()
    assert json.loads((resumed / "run.json").read_text())["status"] == "complete"
    assert {path.name for path in resumed.iterdir()} == {path.name for path in whole.iterdir()}


@pytest.mark.parametrize("call", [1, 2, 3, 4, 20, 24])
def test_killed_while_scoring(call: int, place: Bench, whole: Path, tmp_path: Path) -> None:
    """At the first batch, the second, in the self-test and later."""
    killed = run(*arguments(place, tmp_path / "run"), SCORER_KILL=str(call))
    assert killed.code == -signal.SIGKILL
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "started"
    assert not (tmp_path / "run" / "report.json").exists()
    assert run("gate", str(tmp_path / "run")).code == 3
    resumed = run(*arguments(place, tmp_path / "run", "--resume"))
    assert resumed.code == 0, resumed.err
    check_equal(tmp_path / "run", whole)


def test_killed_again_and_again(place: Bench, whole: Path, tmp_path: Path) -> None:
    """Each attempt lives for two calls more than its self-test needs, so each makes some progress."""
    for attempt in range(60):
        more = ["--resume"] if attempt else []
        outcome = run(*arguments(place, tmp_path / "run", *more), SCORER_KILL="18")
        if outcome.code == 0:
            break
        assert outcome.code == -signal.SIGKILL
    assert attempt > 1
    check_equal(tmp_path / "run", whole)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_killed_from_outside(share: float, place: Bench, whole: Path, tmp_path: Path) -> None:
    """Killed when a share of the scores is on the disk, wherever the process may be then."""
    scores = tmp_path / "run" / "scores.jsonl"
    target = share * (whole / "scores.jsonl").stat().st_size
    process = subprocess.Popen(
        [sys.executable, "-m", "rmaudit", *arguments(place, tmp_path / "run")],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment(SCORER_SLEEP="0.02"),
    )
    deadline = time.monotonic() + 60
    while not (scores.exists() and scores.stat().st_size >= target):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    resumed = run(*arguments(place, tmp_path / "run", "--resume"))
    assert resumed.code == 0, resumed.err
    check_equal(tmp_path / "run", whole)


@pytest.mark.parametrize("call", [1, 20])
def test_ctrl_c_exits_130_with_the_command_that_goes_on(call: int, place: Bench, whole: Path, tmp_path: Path) -> None:
    stopped = run(*arguments(place, tmp_path / "a run"), SCORER_INTERRUPT=str(call))
    assert stopped.code == 130
    assert stopped.out == ""
    assert "Traceback" not in stopped.err
    assert json.loads((tmp_path / "a run" / "run.json").read_text())["status"] == "interrupted"
    command = shlex.split(stopped.err.strip().splitlines()[-1].split("go on with: ")[1])
    assert command[0] == "rmaudit"
    resumed = run(*command[1:])
    assert resumed.code == 0, resumed.err
    check_equal(tmp_path / "a run", whole)


def stopped_from_outside(place: Bench, out: Path, *signals: signal.Signals) -> tuple[int, str]:
    """A scan whose batches are slow, signalled when two of them are on the disk."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rmaudit", *arguments(place, out)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment(SCORER_SLEEP="0.3"),
    )
    scores = out / "scores.jsonl"
    deadline = time.monotonic() + 60
    while not (scores.exists() and scores.read_bytes().count(b'"end"') >= 3):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    for number in signals:
        time.sleep(0.1)
        process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    return process.returncode, error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_scan_behind_its_batch(
    number: signal.Signals, place: Bench, whole: Path, tmp_path: Path
) -> None:
    code, error = stopped_from_outside(place, tmp_path / "run", number)
    assert code == 130
    assert "Stopping after this batch" in error
    assert (tmp_path / "run" / "scores.jsonl").read_bytes().endswith(b"\n")
    last = json.loads((tmp_path / "run" / "scores.jsonl").read_bytes().splitlines()[-1])
    assert last["end"] is True
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    command = shlex.split(error.strip().splitlines()[-1].split("go on with: ")[1])
    assert run(*command[1:]).code == 0
    check_equal(tmp_path / "run", whole)


def test_a_second_signal_ends_it_at_once(place: Bench, whole: Path, tmp_path: Path) -> None:
    code, error = stopped_from_outside(place, tmp_path / "run", signal.SIGTERM, signal.SIGTERM)
    assert code == 130
    assert "go on with" in error
    assert run(*arguments(place, tmp_path / "run", "--resume")).code == 0
    check_equal(tmp_path / "run", whole)


@pytest.mark.parametrize("call", [1, 5, 20])
def test_killed_with_a_store_and_gone_on_with(call: int, place: Bench, whole: Path, tmp_path: Path) -> None:
    """What is in the store and not yet in the run is not scored again, and the result is the same."""
    store = ["--store", str(tmp_path / "store")]
    killed = run(*arguments(place, tmp_path / "run", *store), SCORER_KILL=str(call))
    assert killed.code == -signal.SIGKILL
    resumed = run(*arguments(place, tmp_path / "run", *store, "--resume"))
    assert resumed.code == 0, resumed.err
    assert without_run(tmp_path / "run") == without_run(whole)
    again = run(*arguments(place, tmp_path / "again", *store))
    assert again.code == 0, again.err
    assert without_run(tmp_path / "again") == without_run(whole)


def test_gate_names_the_command_that_goes_on(place: Bench, whole: Path, tmp_path: Path) -> None:
    run(*arguments(place, tmp_path / "run"), SCORER_KILL="2")
    command = shlex.split(run("gate", str(tmp_path / "run")).err.split("Go on with it by: ")[1])
    assert run(*command[1:]).code == 0
    check_equal(tmp_path / "run", whole)


@pytest.mark.parametrize("line", [1, 2, -1])
def test_torn_file_is_gone_on_with(line: int, place: Bench, whole: Path, tmp_path: Path) -> None:
    """Torn within the header, within the first batch, within the last."""
    run_folder = unfinished(whole, tmp_path / "run")
    lines = (whole / "scores.jsonl").read_bytes().splitlines(keepends=True)
    kept = lines[: line - 1] if line > 0 else lines[:-1]
    torn = lines[line - 1 if line > 0 else -1]
    (run_folder / "scores.jsonl").write_bytes(b"".join(kept) + torn[: len(torn) // 2])
    resumed = run(*arguments(place, run_folder, "--resume"))
    assert resumed.code == 0, resumed.err
    check_equal(run_folder, whole)


def test_killed_before_the_first_file_and_while_writing_it(place: Bench, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run.json.0123abcd.part").write_text('{"schema"')
    resumed = run(*arguments(place, tmp_path / "run", "--resume"))
    assert resumed.code == 0, resumed.err
    check_equal(tmp_path / "run", whole)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        (["--seed", "1"], "seed"),
        (["--batch-size", "64"], "batch_size"),
        (["--tier", "smoke"], "tier"),
        (["source"], "model"),
    ],
)
def test_another_scan_is_not_a_continuation(
    changed: list[str], word: str, place: Bench, whole: Path, tmp_path: Path
) -> None:
    run_folder = unfinished(whole, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run_folder.iterdir()}
    args = arguments(place, run_folder, "--resume", *changed)
    if changed == ["source"]:
        args = [place.scorer("biased") if arg == place.scorer("mortal") else arg for arg in args[:-1]]
    outcome = run(*args)
    assert outcome.code == 2, outcome
    assert f"in {word}." in outcome.err
    assert {path.name: path.read_bytes() for path in run_folder.iterdir()} == before


def test_a_byte_that_changed_on_the_disk_stops_the_resume(place: Bench, whole: Path, tmp_path: Path) -> None:
    """A digit of a reward, so that the line is still JSON."""
    run_folder = unfinished(whole, tmp_path / "run")
    lines = (run_folder / "scores.jsonl").read_bytes().splitlines(keepends=True)
    reward = lines[5].index(b'"reward": ') + 12
    lines[5] = lines[5][:reward] + (b"1" if lines[5][reward : reward + 1] != b"1" else b"2") + lines[5][reward + 1 :]
    (run_folder / "scores.jsonl").write_bytes(b"".join(lines))
    outcome = run(*arguments(place, run_folder, "--resume"))
    assert outcome.code == 3
    assert "line 6 is damaged" in outcome.err
    assert not (run_folder / "report.json").exists()


def test_two_scans_never_write_to_one_run(place: Bench, whole: Path, tmp_path: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-m", "rmaudit", *arguments(place, tmp_path / "run")],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment(SCORER_SLEEP="0.05"),
    )
    while not (tmp_path / "run" / "scores.jsonl").exists():
        assert first.poll() is None
        time.sleep(0.01)
    second = run(*arguments(place, tmp_path / "run", "--resume"))
    assert second.code == 2
    assert "Another scan is writing" in second.err
    assert first.wait(60) == 0
    check_equal(tmp_path / "run", whole)


def unfinished(whole: Path, folder: Path) -> Path:
    """A finished run as it was just before its outputs were written."""
    folder.mkdir()
    shutil.copy(whole / "scores.jsonl", folder)
    manifest = json.loads((whole / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(manifest | {"status": "started"}))
    assert read_scores(folder / "scores.jsonl").batches == CALLS
    return folder
