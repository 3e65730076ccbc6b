"""Every outcome has its exit code, its one paragraph, and nothing half-written. Each row runs as a user would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from rmaudit.policy import DEFAULT_POLICY
from tests import synthetic
from tests.synthetic import Bench, Outcome, run, run_cold

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def check_refusal(outcome: Outcome, code: int, *words: str) -> None:
    """The code, and one paragraph on stderr with the given words; nothing on stdout."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert not CONTROL.search(outcome.err)
    paragraph = outcome.err.split("rmaudit: ", 1)[1].strip()
    assert paragraph
    assert "\n\n" not in paragraph
    for word in words:
        assert word in paragraph, paragraph


class Case(NamedTuple):
    """One row: arguments made from the bench and an empty folder, the code, and words of the message."""

    name: str
    args: Callable[[Bench, Path], list[str]]
    code: int
    words: tuple[str, ...]


def scan(scorer: str, *more: str) -> Callable[[Bench, Path], list[str]]:
    return lambda place, tmp: place.scan_args(place.scorer(scorer), tmp / "run", *more)


def scan_source(source: Callable[[Bench, Path], str]) -> Callable[[Bench, Path], list[str]]:
    return lambda place, tmp: place.scan_args(source(place, tmp), tmp / "run")


def scores_file(content: str) -> Callable[[Bench, Path], list[str]]:
    def args(place: Bench, tmp: Path) -> list[str]:
        (tmp / "scores.jsonl").write_text(content, encoding="utf-8")
        return place.scan_args(f"scores:{tmp / 'scores.jsonl'}", tmp / "run")

    return args


def scores_with_holes(place: Bench, tmp: Path) -> list[str]:
    """A scores file for the panel alone: the suite's conversations are missing."""
    rows = [
        {"messages": [*item["prompt"], synthetic.assistant(arm["response"])], "reward": float(i)}
        for i, item in enumerate(synthetic.panel_items())
        for arm in item["arms"].values()
    ]
    synthetic.write_jsonl(tmp / "scores.jsonl", rows)
    return place.scan_args(f"scores:{tmp / 'scores.jsonl'}", tmp / "run")


def broken_suite(place: Bench, tmp: Path) -> list[str]:
    spec = synthetic.suite_spec() | {"itmes": ["items.jsonl"]}
    folder = synthetic.write_suite(tmp / "probes" / "polish", spec)
    return [
        "scan",
        place.scorer("biased"),
        "--probes",
        str(folder.parent),
        "--panel",
        str(place.panel),
        "--out",
        str(tmp / "run"),
    ]


def no_model(place: Bench, tmp: Path) -> str:
    (tmp / "empty").mkdir()
    (tmp / "empty" / "notes.txt").write_text("nothing here")
    return str(tmp / "empty")


def gate_policy(change: Callable[[dict[str, object]], None]) -> Callable[[Bench, Path], list[str]]:
    def args(place: Bench, tmp: Path) -> list[str]:
        policy = yaml.safe_load(DEFAULT_POLICY.read_text(encoding="utf-8"))
        change(policy)
        (tmp / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
        return ["gate", str(tmp / "run"), "--policy", str(tmp / "policy.yaml")]

    return args


REFUSED = [
    Case("folder without a model", scan_source(no_model), 3, ("empty",)),
    Case("missing folder", scan_source(lambda place, tmp: str(tmp / "nowhere")), 2, ("nowhere", "SOURCE")),
    Case("missing python file", scan_source(lambda place, tmp: f"python:{tmp}/no.py:score"), 2, ("no.py",)),
    Case("no such function", scan("biasd"), 2, ("biased",)),
    Case("empty scores file", scores_file(""), 3, ("empty",)),
    Case("scores file that is no JSON", scores_file('{"messages": \n'), 2, ("line 1", "JSON")),
    Case(
        "scores file with NaN",
        scores_file('{"messages": [{"role": "assistant", "content": "a"}], "reward": NaN}\n'),
        2,
        ("line 1", "finite"),
    ),
    Case("scores file with holes", scores_with_holes, 3, (f"{synthetic.suite_conversations():,} of",)),
    Case("callable raises", scan("raises"), 3, ("the GPU is on fire", "scorers.py, line")),
    Case("callable leaves", scan("leaves"), 3, ("exit('leaves early')", "scorers.py:leaves")),
    Case("callable gives the wrong count", scan("wrong_count"), 3, ("expected 120", "got 121")),
    Case("callable gives NaN only", scan("all_nan"), 3, ("12 of 12 conversations got no reward", "--accept finite")),
    Case("callable gives NaN too often", scan("many_nan"), 3, ("more than the 5%",)),
    Case("broken suite", broken_suite, 2, ("itmes", "suite.yaml", "rmaudit probes check")),
    Case("unknown suite", scan("biased", "--suite", "polsh"), 2, ("polsh", "Did you mean polish?")),
    Case(
        "no probe folder",
        lambda place, tmp: ["scan", place.scorer("biased"), "--probes", str(tmp / "no")],
        2,
        ("--probes",),
    ),
    Case(
        "no panel",
        lambda place, tmp: place.scan_args(place.scorer("biased"), tmp / "run", "--panel", str(tmp)),
        2,
        ("panel.yaml", "--panel"),
    ),
    Case(
        "resume without a place",
        lambda place, tmp: [*place.scan_args(place.scorer("biased"), tmp)[:-2], "--resume"],
        2,
        ("--resume", "--out"),
    ),
    Case(
        "out is a file",
        lambda place, tmp: place.scan_args(place.scorer("biased"), place.folder / "scorers.py"),
        2,
        ("scorers.py", "--out"),
    ),
    Case("scan with a missing policy", scan("biased", "--policy", "nowhere.yaml"), 2, ("nowhere.yaml",)),
    Case("gate on nothing", lambda place, tmp: ["gate", str(tmp / "nowhere")], 3, ("nowhere", "rmaudit scan")),
    Case("gate on a folder without a run", lambda place, tmp: ["gate", str(tmp)], 3, ("run.json",)),
    Case(
        "gate with a misspelt key",
        gate_policy(lambda p: p["gate"].update(fail_att="low")),
        2,
        ("fail_att", "did you mean 'fail_at'"),
    ),
    Case("gate with a wrong value", gate_policy(lambda p: p["gate"].update(fail_at="huge")), 2, ("gate.fail_at",)),
    Case("verify nothing", lambda place, tmp: ["verify", str(tmp / "nowhere")], 3, ("run.json",)),
    Case(
        "report on nothing",
        lambda place, tmp: ["report", str(tmp / "nowhere"), "-o", str(tmp / "a.md")],
        3,
        ("nowhere",),
    ),
    Case(
        "score nothing",
        lambda place, tmp: ["score", place.scorer("biased"), str(tmp / "no.jsonl"), "-o", str(tmp / "out.jsonl")],
        2,
        ("no.jsonl",),
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refusal(case: Case, place: Bench, tmp_path: Path) -> None:
    check_refusal(run(*case.args(place, tmp_path), cwd=tmp_path), case.code, *case.words)
    assert not list(tmp_path.rglob("report.*"))
    assert not list(tmp_path.rglob("out.jsonl"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "args", [["scan"], ["scan", "demo", "--colour"], ["scam", "demo"], ["scan", "demo", "--tier", "huge"]]
)
def test_wrong_usage(args: list[str], tmp_path: Path) -> None:
    outcome = run(*args, cwd=tmp_path)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Usage:" in outcome.err
    assert "Traceback" not in outcome.err


def test_scan_with_findings_is_0_and_the_gate_fails_it_with_1(place: Bench, tmp_path: Path) -> None:
    outcome = run_cold(*place.scan_args(place.scorer("biased"), tmp_path / "run"))
    assert outcome.code == 0, outcome.err
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "run.json",
        "scores.jsonl",
        "report.json",
        "report.html",
        "report.md",
    }
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "complete"
    gate = run_cold("gate", str(tmp_path / "run"))
    assert gate.code == 1, gate
    assert "FAILED" in gate.out
    assert gate.err == ""


def test_clean_model_passes_the_gate(place: Bench, tmp_path: Path) -> None:
    assert run(*place.scan_args(place.scorer("clean"), tmp_path / "run")).code == 0
    gate = run("gate", str(tmp_path / "run"))
    assert gate.code == 0, gate
    assert "PASSED" in gate.out


def test_constant_model_is_scanned_but_no_gate_passes_it(place: Bench, tmp_path: Path) -> None:
    outcome = run(*place.scan_args(place.scorer("constant"), tmp_path / "run"))
    assert outcome.code == 0, outcome
    assert "Nothing could be measured" in outcome.out
    assert run("gate", str(tmp_path / "run")).code == 3


def test_few_nan_are_counted_and_warned_of(place: Bench, tmp_path: Path) -> None:
    """The scorer fails on one item, in five of its arms."""
    outcome = run(*place.scan_args(place.scorer("few_nan"), tmp_path / "run"))
    assert outcome.code == 0, outcome
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert any("5 conversations have no reward" in warning for warning in report["warnings"])
    assert "5 conversations have no reward" in outcome.out
    counts = {finding["probe"]: (finding["n_errors"], finding["n_items"]) for finding in report["findings"]}
    some, all_ = (1, synthetic.CLUSTERS - 1), (0, synthetic.CLUSTERS)
    assert counts == {"shine": some, "words": some, "names": all_}
    lines = [json.loads(line) for line in (tmp_path / "run" / "scores.jsonl").read_text().splitlines()[1:]]
    lost = [line for line in lines if line["reward"] is None]
    assert len(lost) == 5
    assert all("nan" in line["reason"] for line in lost)


def test_a_run_is_never_overwritten(run_copy: Path, place: Bench) -> None:
    before = {path.name: path.read_bytes() for path in run_copy.iterdir()}
    check_refusal(run(*place.scan_args(place.scorer("clean"), run_copy)), 2, str(run_copy), "--resume")
    check_refusal(run(*place.scan_args(place.scorer("biased"), run_copy, "--resume")), 2, "complete")
    assert {path.name: path.read_bytes() for path in run_copy.iterdir()} == before


def test_a_folder_with_other_things_is_left_alone(place: Bench, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    check_refusal(run(*place.scan_args(place.scorer("clean"), tmp_path)), 2, "not empty")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("status", ["started", "failed", "interrupted"])
@pytest.mark.parametrize("command", ["gate", "verify"])
def test_an_unfinished_run_is_no_result(command: str, status: str, run_copy: Path) -> None:
    manifest = json.loads((run_copy / "run.json").read_text())
    (run_copy / "run.json").write_text(json.dumps(manifest | {"status": status}))
    check_refusal(run(command, str(run_copy)), 3, status, "--resume")


@pytest.mark.parametrize("file", ["report.json", "run.json"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\xff" + b, None])
def test_gate_on_a_damaged_run(file: str, damage: Callable[[bytes], bytes] | None, run_copy: Path) -> None:
    path = run_copy / file
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    check_refusal(run("gate", str(run_copy)), 3, str(run_copy))


def test_a_suite_that_the_policy_requires_and_the_run_lacks(run_copy: Path, tmp_path: Path) -> None:
    policy = yaml.safe_load(DEFAULT_POLICY.read_text(encoding="utf-8"))
    policy["gate"] |= {"required_suites": ["honesty"], "fail_at": "severe"}
    policy["measurement"]["bands"]["severe"] = 9.0
    policy["measurement"] |= {"severe_flip_rate": 9.0, "severe_exchange_rate": 9.0}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    outcome = run("gate", str(run_copy), "--policy", str(tmp_path / "policy.yaml"))
    assert outcome.code == 3
    assert "honesty" in outcome.out


CRASH = """
import sys
import rmaudit.audit.scanning as scanning
scanning.load_policy = lambda path: 1 // 0
from rmaudit.cli.main import main
sys.argv = ["rmaudit", *sys.argv[1:]]
main()
"""


def crash(place: Bench, tmp_path: Path, **env: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-c", CRASH, *place.scan_args(place.scorer("biased"), tmp_path / "run")],
        capture_output=True,
        text=True,
        env=synthetic.environment(**env),
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_a_fault_of_ours_is_4(place: Bench, tmp_path: Path) -> None:
    check_refusal(crash(place, tmp_path), 4, "internal error", "ZeroDivisionError", "RMAUDIT_DEBUG=1")
    assert not (tmp_path / "run").exists()
    assert "Traceback" in crash(place, tmp_path, RMAUDIT_DEBUG="1").err


def test_a_crash_while_rendering_leaves_no_report(place: Bench, tmp_path: Path) -> None:
    program = CRASH.replace(
        "scanning.load_policy = lambda path: 1 // 0",
        "import rmaudit.reporting.markdown\nrmaudit.reporting.markdown.render = lambda report: 1 // 0",
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *place.scan_args(place.scorer("biased"), tmp_path / "run")],
        capture_output=True,
        text=True,
        env=synthetic.environment(),
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "scores.jsonl"}
    check_refusal(run("gate", str(tmp_path / "run")), 3, "failed")


@pytest.mark.parametrize(
    ("args", "code"),
    [(["gate", "RUN"], 1), (["gate", "RUN", "--format", "json"], 1), (["gate", "nowhere"], 3), (["probes", "list"], 0)],
)
def test_a_reader_who_went_away_changes_no_exit_code(args: list[str], code: int, finished: Path) -> None:
    """With ``set -o pipefail``, a gate that failed must not pass because its output went through ``head``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rmaudit", *(str(finished) if arg == "RUN" else arg for arg in args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=synthetic.environment(),
    )
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()
    assert process.wait(60) == code


@pytest.mark.parametrize("error", ["SystemExit(1)", "SystemExit(0)", "GeneratorExit()", "BrokenPipeError()"])
def test_whatever_ends_the_program_is_no_verdict(error: str, place: Bench, tmp_path: Path) -> None:
    program = CRASH.replace("1 // 0", "(_ for _ in ()).throw(" + error + ")")
    command = [sys.executable, "-c", program, *place.scan_args(place.scorer("biased"), tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, env=synthetic.environment(), check=False)
    check_refusal(Outcome(done.returncode, done.stdout, done.stderr), 4, error.split("(")[0])


def test_paths_with_spaces_and_letters_beyond_ascii(place: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "Prüfung eins"
    shutil.copytree(place.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    outcome = run(*Bench(folder).scan_args(Bench(folder).scorer("clean"), folder / "lauf ä"))
    assert outcome.code == 0, outcome.err
    assert run("verify", str(folder / "lauf ä")).code == 0


def test_a_full_disk_while_writing_the_report(place: Bench, tmp_path: Path) -> None:
    program = CRASH.replace(
        "scanning.load_policy = lambda path: 1 // 0",
        """
import rmaudit.runs.folder as folder
write = folder.write_atomically
def full(path, content):
    if path.name.startswith("report"):
        raise OSError(28, "No space left on device")
    write(path, content)
folder.write_atomically = full
""",
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *place.scan_args(place.scorer("biased"), tmp_path / "run")],
        capture_output=True,
        text=True,
        env=synthetic.environment(),
        check=False,
    )
    check_refusal(Outcome(done.returncode, done.stdout, done.stderr), 3, "No space left on device", "--resume")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "scores.jsonl"}
    resumed = run(*place.scan_args(place.scorer("biased"), tmp_path / "run", "--resume"))
    assert resumed.code == 0, resumed.err


@pytest.mark.parametrize(
    ("name", "format", "code"),
    [
        ("a.html", None, 0),
        ("a.md", None, 0),
        ("a.json", None, 0),
        ("a.txt", "md", 0),
        ("a.txt", None, 2),
        ("nowhere/a.md", None, 2),
        ("folder", "md", 2),
    ],
)
def test_rendering_again(name: str, format: str | None, code: int, finished: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    more = ["--format", format] if format else []
    outcome = run("report", str(finished), "-o", str(tmp_path / name), *more)
    if code:
        check_refusal(outcome, code, name)
        return
    assert (outcome.code, outcome.out) == (0, "")
    kind = format or name.split(".")[1]
    assert (tmp_path / name).read_bytes() == (finished / f"report.{kind}").read_bytes()


@pytest.mark.parametrize(
    ("name", "format", "files"),
    [
        ("a.csv", None, ["a.csv"]),
        ("a.cdx.json", None, ["a.cdx.json"]),
        ("a.md", "reward-report", ["a.md"]),
        (".", "hf", [".eval_results/rmaudit.yaml", "README.md"]),
        ("card.md", "hf", [".eval_results/rmaudit.yaml", "card.md"]),
    ],
)
def test_rendering_for_machines(
    name: str, format: str | None, files: list[str], finished: Path, tmp_path: Path
) -> None:
    more = ["--format", format] if format else []
    outcome = run("report", str(finished), "-o", str(tmp_path / name), *more)
    assert (outcome.code, outcome.out) == (0, "")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == files


def test_a_format_that_is_not_there(finished: Path, tmp_path: Path) -> None:
    outcome = run("report", str(finished), "-o", str(tmp_path / "a.md"), "--format", "docx")
    check_refusal(outcome, 2, "docx", "cyclonedx")


def test_a_damaged_card_is_left_as_it_is(finished: Path, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("---\nlicense: [mit\n---\n", encoding="utf-8")
    outcome = run("report", str(finished), "-o", str(tmp_path), "--format", "hf")
    check_refusal(outcome, 2, "not valid YAML")
    assert card.read_text(encoding="utf-8") == "---\nlicense: [mit\n---\n"
    assert list(tmp_path.iterdir()) == [card]
