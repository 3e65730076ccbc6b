"""Progress says how far the work is, by what it costs, and never more than is known."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

from rmaudit.cli.console import Lines
from rmaudit.progress import RECENT, Count, Part, duration
from tests import synthetic
from tests.synthetic import Bench, run

PARTS = {"panel": Part(200, "2 items"), "length": Part(800, "8 items"), "old": Part(0, "3 items, all from the store")}


class Clock:
    """Seconds that only pass when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_comes_from_what_the_work_costs() -> None:
    clock = Clock()
    count = Count("tokens", PARTS, clock)
    clock.now += 10
    assert count.line() == "0 of 1,000 tokens (0%) after 10 s"
    assert count.advance(100, "panel") is None
    assert count.line() == "100 of 1,000 tokens (10%), 10 tokens/s, about 2 min left"
    clock.now += 10
    assert count.advance(100, "panel") == "panel: 2 items, done after 20 s"
    assert count.line().endswith("about 80 s left")
    assert not count.whole
    assert count.advance(800, "length") == "length: 8 items, done after 20 s"
    assert count.whole
    assert count.summary() == "1,000 tokens in 20 s, 50 tokens/s"


def test_the_rate_is_that_of_late() -> None:
    clock = Clock()
    count = Count("tokens", {"a": Part(10_000, "")}, clock)
    clock.now += 1000
    count.advance(10, "a")
    for _ in range(int(2 * RECENT)):
        clock.now += 1
        count.advance(50, "a")
    assert count.rate == pytest.approx(50, rel=0.02)


def test_what_is_known_already_is_said_and_counts_for_nothing() -> None:
    count = Count("tokens", PARTS)
    assert count.known() == ["old: 3 items, all from the store"]
    assert count.total == 1000
    assert not Count("tokens", {"old": PARTS["old"]}).whole


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (7200, "2.0 h")]
)
def test_times_are_told_as_exactly_as_one_wants_to_know(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_a_long_batch_gives_signs_of_life(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.EVERY = 0.01  # type: ignore[misc]
    lines.start("tokens", PARTS)
    lines.advance(10, "panel")
    seen = ""
    while "10 of 1,000 tokens" not in seen:
        time.sleep(0.01)
        seen += capsys.readouterr().err
    lines.finish()
    time.sleep(0.05)
    capsys.readouterr()
    time.sleep(0.05)
    assert capsys.readouterr() == ("", "")
    assert "1,000 tokens in" not in seen


def test_a_scan_says_which_suite_is_done_and_what_was_stored(place: Bench, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "store")]
    first = run(*place.scan_args(place.scorer("biased"), tmp_path / "a", *store))
    assert re.search(r"^  panel: 30 items, 120 conversations, done after \d+ s$", first.err, re.M)
    assert re.search(r"^  polish: 40 items, 1,040 conversations, done after \d+ s$", first.err, re.M)
    assert re.search(r"^  1,160 conversations in \d+ s", first.err, re.M)
    second = run(*place.scan_args(place.scorer("biased"), tmp_path / "b", *store, "--format", "json"))
    assert "  polish: 40 items, 1,040 conversations, all from the store\n" in second.err
    assert "done after" not in second.err
    assert json.loads(second.out)["run"]["from_store"] == 1160


def test_a_file_is_told_by_its_characters(place: Bench, tmp_path: Path) -> None:
    line = {"messages": [synthetic.user("Hi?"), synthetic.assistant("good.")]}
    pair = {"prompt": "Hi?", "chosen": "good", "rejected": "bad"}
    asked = synthetic.write_jsonl(tmp_path / "in.jsonl", [line, line, pair])
    outcome = run("score", place.scorer("clean"), str(asked), "--out", str(tmp_path / "out.jsonl"))
    assert f"Scoring {8 + 8 + 7 + 6} characters" in outcome.err
    assert "  in.jsonl: 4 conversations, done after 0 s\n  29 characters in 0 s\n" in outcome.err
    assert outcome.out == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal_the_bar_leaves_the_suites_behind(place: Bench, tmp_path: Path) -> None:
    import pty
    import subprocess

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rmaudit", *place.scan_args(place.scorer("mortal"), tmp_path / "run", "--no-store")],
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env=synthetic.environment(TERM="xterm", SCORER_SLEEP="0.02"),
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    assert process.wait(60) == 0
    os.close(master)
    text = seen.decode()
    assert re.search(r"of 1,160 conversations \(\d+%\), [\d,.]+ conversations/s, about", text)
    assert re.search(r"polish: 40 items, 1,040 conversations, done after \d+ s", text)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is there again
