"""The hostile corpus through the real command: nothing runs, nothing hangs, memory stays low, each is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import synthetic
from tests.models import hostile, tiny

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="pipes and limits are tested where there are any")

SECONDS = 10.0
BYTES = 2 << 30
LINE = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}

TORCH_FREE = [case for case in hostile.CASES if not case.needs_torch]
WITH_TORCH = [case for case in hostile.CASES if case.needs_torch]


@dataclass(frozen=True)
class Outcome:
    code: int | None
    seconds: float
    peak: int
    said: str


class Runner:
    """Commands in processes of their own; see `hostile_runner`."""

    def __init__(self, place: Path, *words: str) -> None:
        self.place = place
        self.out = place / "out.jsonl"
        (place / "in.jsonl").write_text(json.dumps(LINE) + "\n")
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("hostile_runner.py")), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=synthetic.environment(),
        )

    def score(self, root: Path, *options: str, seconds: float = SECONDS) -> Outcome:
        return self.run(
            "score", str(root), str(self.place / "in.jsonl"), "-o", str(self.out), *options, seconds=seconds
        )

    def run(self, *args: str, seconds: float = SECONDS) -> Outcome:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        log = self.place / "log"
        request = {"args": args, "cwd": str(self.place), "log": str(log), "seconds": seconds}
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        answer: dict[str, Any] = json.loads(self.server.stdout.readline())
        said = re.sub(r"\s+", " ", log.read_text(errors="replace"))
        self.out.unlink(missing_ok=True)
        return Outcome(answer["code"], answer["seconds"], answer["peak"], said)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(tmp_path_factory.mktemp("runner"))
    yield made
    made.server.kill()
    made.server.wait()


@pytest.fixture(scope="module")
def warm_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Has imported the libraries, which takes seconds, before it is asked."""
    made = Runner(tmp_path_factory.mktemp("warm"), "warm")
    yield made
    made.server.kill()
    made.server.wait()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("sound") / "checkpoint")


def check(chosen: hostile.Case, runner: Runner, sound: Path, place: Path) -> None:
    """Look at the checkpoint and score with it, without and with the permission to read pickles."""
    root, marker = hostile.make(chosen, sound, place)
    outcomes = [runner.run("inspect", str(root)), runner.score(root, "--allow-pickle")]
    if not chosen.needs_torch:  # what is told by then is no pickle
        outcomes.append(runner.score(root))
    for outcome in outcomes:
        assert not marker.exists(), f"code ran: {outcome}"
        assert outcome.code == chosen.exit_code, outcome
        assert outcome.peak < BYTES, outcome
        assert "internal error" not in outcome.said, outcome
        assert re.search(chosen.says, outcome.said), outcome


@pytest.mark.parametrize("chosen", TORCH_FREE, ids=lambda case: case.name)
def test_refused_before_anything_is_imported(chosen: hostile.Case, runner: Runner, sound: Path, tmp_path: Path) -> None:
    check(chosen, runner, sound, tmp_path)


@pytest.mark.parametrize("chosen", WITH_TORCH, ids=lambda case: case.name)
def test_harmless_to_the_libraries(chosen: hostile.Case, warm_runner: Runner, sound: Path, tmp_path: Path) -> None:
    check(chosen, warm_runner, sound, tmp_path)


def test_the_payload_would_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    hostile.Payload(marker).__reduce__()[0](str(marker))
    assert marker.is_dir()


def test_a_fresh_process_refuses_too(sound: Path, tmp_path: Path) -> None:
    (chosen,) = [case for case in hostile.CASES if case.name == "torch_file"]
    root, marker = hostile.make(chosen, sound, tmp_path)
    (tmp_path / "in.jsonl").write_text(json.dumps(LINE) + "\n")
    outcome = synthetic.run_cold(
        *("score", str(root), str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"), "--allow-pickle")
    )
    assert outcome.code == 3
    assert "asks for posix.mkdir" in re.sub(r"\s+", " ", outcome.err)
    assert not marker.exists()
    assert not (tmp_path / "out.jsonl").exists()
