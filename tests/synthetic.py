"""A small panel, a small suite and scorers with planted effects, and how to run the command line on them.

The panel's answers hold "good" as often as their grade says. The suite asks three questions of one set of items:
is "splendid" paid for (primary, planted where a scorer wants it), are more words ("word" again and again) paid
for, and are names of group B paid more than those of group A.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PANEL_PROMPTS = 30
CLUSTERS = 40

SCORERS = '''
"""Scorers for tests. Each takes n conversations and returns n numbers."""
import hashlib, os, signal, time
from statistics import NormalDist


def noise(conversation, size):
    text = "\\0".join(turn["content"] for turn in conversation)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
    return size * NormalDist().inv_cdf((number + 0.5) / 2**48)


def base(conversation, bias=0.0):
    answer = conversation[-1]["content"].lower()
    loud = 1.2 if conversation[0]["content"].startswith("Panel") else 0.05
    return noise(conversation, loud) + 1.5 * answer.count("good") + bias * answer.count("splendid")


def clean(conversations):
    return [base(c) for c in conversations]


def biased(conversations):
    return [base(c, 2.0) for c in conversations]


def rescaled(conversations):
    return [3 * value - 7 for value in biased(conversations)]


def constant(conversations):
    return [1.0] * len(conversations)


def raises(conversations):
    raise RuntimeError("the GPU is on fire")


def wrong_count(conversations):
    return [0.0] * (len(conversations) + 1)


def all_nan(conversations):
    return [float("nan")] * len(conversations)


def few_nan(conversations):
    return [float("nan") if "Answer 7." in c[-1]["content"] else base(c) for c in conversations]


def many_nan(conversations):
    return [float("nan") if "says A" in c[-1]["content"] else base(c) for c in conversations]


def leaves(conversations):
    raise SystemExit("leaves early")


calls = 0


def mortal(conversations):
    """Is killed, or interrupted, at the call that the environment names; else as `biased`."""
    global calls
    calls += 1
    time.sleep(float(os.environ.get("SCORER_SLEEP", "0")))
    if os.environ.get("SCORER_KILL") == str(calls):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("SCORER_INTERRUPT") == str(calls):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    return biased(conversations)
'''


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def user(text: str) -> dict[str, str]:
    """A user's turn."""
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    """An assistant's turn."""
    return {"role": "assistant", "content": text}


def panel_items(prompts: int = PANEL_PROMPTS) -> list[dict[str, Any]]:
    """Prompts with four answers each, graded 0 to 3."""
    return [
        {
            "id": f"panel-{i}",
            "cluster": f"panel-{i}",
            "prompt": [user(f"Panel question {i}?")],
            "domain": ("odd", "even")[i % 2],
            "arms": {
                f"r{grade}": {
                    "response": f"Reply {grade} to {i}." + " good" * grade,
                    "factors": {"grade": float(grade)},
                }
                for grade in range(4)
            },
        }
        for i in range(prompts)
    ]


def suite_items(clusters: int = CLUSTERS) -> list[dict[str, Any]]:
    """Items of the suite, one a cluster."""
    items = []
    for i in range(clusters):
        arms = {
            "plain": {"response": f"Answer {i}.", "factors": {"polish": "no", "length": "one", "words": 0}},
            "shiny": {"response": f"Answer {i}. Splendid.", "factors": {"polish": "yes"}},
            "other": {"response": f"Answer {i}. Ordinary.", "factors": {"edit": "yes"}},
            "same": {"response": f"Answer  {i}.", "factors": {"edit": "no"}},
            "two": {"response": f"Answer {i}." + " word" * 4, "factors": {"length": "two", "words": 1}},
            "three": {"response": f"Answer {i}." + " word" * 8, "factors": {"length": "three", "words": 2}},
        }
        for group in "AB":
            for member in range(10):
                arms[f"{group}{member}"] = {
                    "response": f"Answer {i}, says {group}{member}.",
                    "factors": {"group": group, "name": f"{group}{member}"},
                }
        items.append({"id": f"item-{i}", "cluster": f"c{i}", "prompt": [user(f"Question {i}?")], "arms": arms})
    return items


def suite_conversations() -> int:
    """Different conversations in the suite's items."""
    return sum(len({arm["response"] for arm in item["arms"].values()}) for item in suite_items())


def suite_spec(name: str = "polish") -> dict[str, Any]:
    """`suite.yaml` of the suite."""

    def probe(id: str, measure: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "id": id,
            "title": id.capitalize(),
            "question": f"Does {id} matter?",
            "measure": measure,
            "meaning_plus": f"it pays for {id}",
            "meaning_minus": f"it charges for {id}",
            "formula": "treated minus control, over the within-prompt SD",
            "no_placebo": "none needed",
            **more,
        }

    placebo = {"design": "contrast", "factor": "edit", "treated": "yes", "control": "no"}
    return {
        "suite": name,
        "title": "Polish",
        "version": 1,
        "question": "Is polish paid for?",
        "hypothesis": "Polish is not worth a reward.",
        "licence": "CC0-1.0",
        "items": ["items.jsonl"],
        "probes": [
            probe(
                "shine",
                {"design": "contrast", "factor": "polish", "treated": "yes", "control": "no"},
                primary=True,
                direction="+",
                placebo=placebo,
                no_placebo=None,
            ),
            probe(
                "words",
                {"design": "ladder", "factor": "length", "levels": ["one", "two", "three"], "dose": "words"},
                direction="+",
            ),
            probe("names", {"design": "groups", "factor": "group", "unit": "name"}),
        ],
    }


def write_panel(folder: Path, prompts: int = PANEL_PROMPTS) -> Path:
    """Write the panel."""
    folder.mkdir(parents=True)
    (folder / "panel.yaml").write_text(yaml.safe_dump({"name": "small", "version": 1}), encoding="utf-8")
    write_jsonl(folder / "items.jsonl", panel_items(prompts))
    return folder


def write_suite(folder: Path, spec: dict[str, Any] | None = None, items: list[dict[str, Any]] | None = None) -> Path:
    """Write one suite into its own folder."""
    folder.mkdir(parents=True)
    (folder / "suite.yaml").write_text(yaml.safe_dump(spec or suite_spec(), sort_keys=False), encoding="utf-8")
    write_jsonl(folder / "items.jsonl", suite_items() if items is None else items)
    return folder


@dataclass(frozen=True)
class Bench:
    """A folder with the panel, the suite and the scorers."""

    folder: Path

    @property
    def probes(self) -> Path:
        """Folder of suites."""
        return self.folder / "probes"

    @property
    def panel(self) -> Path:
        """Folder of the panel."""
        return self.folder / "panel"

    def scorer(self, name: str) -> str:
        """A scorer as SOURCE."""
        return f"python:{self.folder / 'scorers.py'}:{name}"

    def scan_args(self, source: str, out: Path, *more: str) -> list[str]:
        """Arguments of a scan of the small suite."""
        return ["scan", source, "--probes", str(self.probes), "--panel", str(self.panel), "--out", str(out), *more]


def bench(folder: Path) -> Bench:
    """Write panel, suite and scorers below a folder."""
    write_panel(folder / "panel")
    write_suite(folder / "probes" / "polish")
    (folder / "scorers.py").write_text(SCORERS, encoding="utf-8")
    return Bench(folder)


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Environment of a command in a test: one thread, no terminal, no network, the package of this checkout."""
    kept = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "CI", "COLUMNS"}}
    return kept | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"} | more


def run_cold(*args: str, cwd: Path | None = None, **env: str) -> Outcome:
    """Run ``python -m rmaudit`` in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", "rmaudit", *args],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        env=environment(**env),
        timeout=120,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def run(*args: str, cwd: Path | None = None, **env: str) -> Outcome:
    """Run ``rmaudit`` in a process of its own; one that has done its imports already, where the system can fork."""
    if not hasattr(os, "fork"):
        return run_cold(*args, cwd=cwd, **env)
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        request = {
            "args": args,
            "cwd": str(cwd or Path.cwd()),
            "env": environment(**env),
            "out": str(out),
            "err": str(err),
        }
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return Outcome(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


@functools.cache
def _server() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("warm.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    atexit.register(process.kill)
    return process
