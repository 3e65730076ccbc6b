"""Results on stdout, everything else on stderr; nothing of a text acts on a terminal; no line is wider than 100."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests import synthetic
from tests.synthetic import Bench, Outcome, run, run_cold

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "\x1b[2J\x1b]52;c;ZXZpbA==\x07[/INST] [link=http://evil]x[/link] \u202e ::error::x </script> \x00 | a | b |"


def check_plain(outcome: Outcome) -> None:
    for stream in (outcome.out, outcome.err):
        assert not CONTROL.search(stream), CONTROL.findall(stream)
    paths = re.compile(r"/\S{60,}")  # a path is never broken, whatever its length
    for line in paths.sub("PATH", outcome.out).splitlines():
        assert len(line) <= 100, line


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench whose texts, names and errors are hostile."""
    place = synthetic.bench(tmp_path_factory.mktemp("hostile"))
    items = synthetic.suite_items()
    for item in items:
        item["id"] += HOSTILE
        item["prompt"][0]["content"] += HOSTILE + "\ud800"
        for arm in item["arms"].values():
            arm["response"] += HOSTILE + "\ud800"
    synthetic.write_jsonl(place.probes / "polish" / "items.jsonl", items)
    scorers = (place.folder / "scorers.py").read_text()
    scorers = scorers.replace("text.encode()", 'text.encode("utf-8", "surrogatepass")')
    scorers += f"\ndef shouts(conversations):\n    raise ValueError({HOSTILE!r})\n"
    scorers += f"\ndef prints(conversations):\n    print({HOSTILE[:20]!r})\n    return biased(conversations)\n"
    (place.folder / "scorers.py").write_text(scorers)
    return place


def test_json_on_stdout_is_the_report_and_nothing_else(place: Bench, tmp_path: Path) -> None:
    outcome = run(*place.scan_args(place.scorer("biased"), tmp_path / "run", "--format", "json"))
    assert outcome.code == 0
    assert outcome.out.encode() == (tmp_path / "run" / "report.json").read_bytes()
    assert json.loads(outcome.out)["schema"] == "rmaudit.report/1"
    assert "Scoring" in outcome.err


def test_json_of_the_gate(finished: Path) -> None:
    outcome = run("gate", str(finished), "--format", "json")
    answer = json.loads(outcome.out)
    assert outcome.code == answer["exit_code"] == 1
    assert answer["outcome"] == "fail"
    assert {check["name"]: check["outcome"] for check in answer["checks"]}["polish/shine"] == "fail"
    assert outcome.err == ""


def test_a_scorer_that_prints_does_not_spoil_the_json(hostile: Bench, tmp_path: Path) -> None:
    outcome = run(*hostile.scan_args(hostile.scorer("prints"), tmp_path / "run", "--format", "json"))
    assert json.loads(outcome.out)


def test_quiet_prints_nothing(place: Bench, finished: Path, tmp_path: Path) -> None:
    outcome = run(*place.scan_args(place.scorer("biased"), tmp_path / "run", "--quiet"))
    assert outcome == Outcome(0, "", "")
    assert run("gate", str(finished), "-q") == Outcome(1, "", "")


@pytest.mark.parametrize("env", [{}, {"CI": "1"}, {"COLUMNS": "300"}, {"NO_COLOR": "1"}])
def test_piped_output_is_plain_and_narrow(env: dict[str, str], place: Bench, tmp_path: Path) -> None:
    outcome = run(*place.scan_args(place.scorer("biased"), tmp_path / "run"), **env)
    check_plain(outcome)
    assert "Bias is present: polish" in outcome.out
    assert "report.html" in outcome.out
    check_plain(run("gate", str(tmp_path / "run"), **env))


def test_colour_is_for_those_who_ask_for_it(place: Bench, tmp_path: Path) -> None:
    """And brings nothing but colour."""
    outcome = run(*place.scan_args(place.scorer("biased"), tmp_path / "run"), FORCE_COLOR="1", CI="1")
    assert COLOURS.search(outcome.out)
    check_plain(Outcome(outcome.code, COLOURS.sub("", outcome.out), outcome.err))


@pytest.mark.parametrize("args", [["probes", "list"], ["probes", "show", "polish"], ["probes", "check"]])
def test_commands_about_probes_are_plain_and_narrow(args: list[str], place: Bench, hostile: Bench) -> None:
    for folder in (place.probes, hostile.probes):
        where = [str(folder)] if args[-1] == "check" else ["--probes", str(folder)]
        outcome = run(*args, *where)
        assert outcome.code == 0, outcome
        check_plain(outcome)
        assert "polish" in outcome.out


def test_hostile_texts_reach_no_terminal(hostile: Bench, tmp_path: Path) -> None:
    outcome = run(*hostile.scan_args(hostile.scorer("biased"), tmp_path / "run"))
    assert outcome.code == 0, outcome.err
    assert "[/INST]" in outcome.out
    check_plain(outcome)
    check_plain(run("gate", str(tmp_path / "run")))
    assert run("verify", str(tmp_path / "run")).code == 0
    json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))


def test_hostile_errors_reach_no_terminal(hostile: Bench, tmp_path: Path) -> None:
    outcome = run(*hostile.scan_args(hostile.scorer("shouts"), tmp_path / "run"))
    assert outcome.code == 3
    assert "[/INST]" in outcome.err
    check_plain(outcome)
    again = run("gate", str(tmp_path / "run"))
    assert again.code == 3
    check_plain(again)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_old_terminal_gets_what_it_can_show(encoding: str, place: Bench, tmp_path: Path) -> None:
    outcome = run_cold(*place.scan_args(place.scorer("biased"), tmp_path / "run"), PYTHONIOENCODING=encoding)
    assert outcome.code == 0, outcome.err
    assert "polish" in outcome.out


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("env", "bar"), [({"TERM": "xterm"}, True), ({"TERM": "xterm", "CI": "1"}, False)])
def test_a_bar_is_for_terminals_and_never_for_ci(env: dict[str, str], bar: bool, place: Bench, tmp_path: Path) -> None:
    import pty
    import subprocess

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rmaudit", *place.scan_args(place.scorer("clean"), tmp_path / "run")],
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env=synthetic.environment(**env),
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
    assert (b"\x1b[" in seen) == bar


def test_exported_conversations_with_rewards_make_a_scan(place: Bench, tmp_path: Path) -> None:
    asked = tmp_path / "asked.jsonl"
    outcome = run("probes", "export", str(asked), "--probes", str(place.probes), "--panel", str(place.panel))
    assert outcome.code == 0
    lines = [json.loads(line) for line in asked.read_text(encoding="ascii").splitlines()]
    assert len({json.dumps(line) for line in lines}) == len(lines) > 100
    rewards = [line | {"reward": float(len(line["messages"][-1]["content"]))} for line in lines]
    (tmp_path / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rewards), encoding="ascii")
    scan_args = ["--probes", str(place.probes), "--panel", str(place.panel), "--out", str(tmp_path / "run")]
    assert run("scan", f"scores:{tmp_path / 'scores.jsonl'}", *scan_args).code == 0
    outcome = run("probes", "export", str(tmp_path / "no" / "where.jsonl"))
    assert outcome.code == 2
    assert "does not exist" in outcome.err
