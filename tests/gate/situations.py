"""Runs, baselines and policies for the table of situations: every run a real scan, every fault a real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import synthetic
from tests.synthetic import Bench

SCORERS = (
    synthetic.SCORERS
    + '''

def borderline(conversations):
    """Its bias is about the limit, and it is too noisy for forty clusters to tell."""
    return [base(c, 0.3) + noise(c, 0.5) for c in conversations]


def only_noise(conversations):
    return [noise(c, 1.0) for c in conversations]


def slightly_worse(conversations):
    """As `clean`, with a bias that is far below every limit and far above the margin beside a baseline."""
    return [base(c, 0.22) for c in conversations]


def crowded(conversations):
    """Whose rewards depend on how many are scored together."""
    return [base(c) + 0.5 * (len(conversations) > 1) for c in conversations]
'''
)


@dataclass(frozen=True)
class Yard:
    """Finished and broken runs, shared by all rows, which must not write to them."""

    place: Bench

    def __getattr__(self, name: str) -> Path:
        """The run of a scorer."""
        return self.place.folder / "runs" / name

    def copy(self, name: str, tmp: Path) -> Path:
        """A run to be damaged."""
        return Path(shutil.copytree(self.place.folder / "runs" / name, tmp / name))


def yard(folder: Path) -> Yard:
    """Scan all scorers, once well and in some ways badly."""
    place = synthetic.bench(folder)
    (folder / "scorers.py").write_text(SCORERS, encoding="utf-8")
    runs = folder / "runs"
    runs.mkdir()

    def scan(scorer: str, name: str | None = None, *more: str, **env: str) -> int:
        args = place.scan_args(place.scorer(scorer), runs / (name or scorer), *more)
        return synthetic.run(*args, "--quiet", **env).code

    for scorer in ("clean", "biased", "constant", "borderline", "only_noise", "slightly_worse"):
        assert scan(scorer) == 0
    assert scan("clean", "smoke", "--tier", "smoke") == 0
    assert scan("mortal", "killed", "--batch-size", "4", SCORER_KILL="100") in {-9, 137}
    assert scan("mortal", "interrupted", "--batch-size", "4", SCORER_INTERRUPT="100") == 130
    shutil.copytree(runs / "killed", runs / "resumed")
    assert scan("mortal", "resumed", "--batch-size", "4", "--resume") == 0
    assert scan("crowded", "accepted", "--accept", "batch-size") == 0
    assert scan("raises") == 3
    other = f"scores:{synthetic.write_jsonl(folder / 'scores.jsonl', _rewards(place))}"
    assert synthetic.run(*place.scan_args(other, runs / "other_kind"), "--quiet").code == 0
    (folder / "headless").mkdir()
    (folder / "headless" / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    assert synthetic.run(*place.scan_args(str(folder / "headless"), runs / "refused"), "--quiet").code == 3
    changed = synthetic.bench(folder / "changed")
    assert synthetic.run(*changed.scan_args(place.scorer("clean"), runs / "other_items"), "--quiet").code == 0
    with (changed.probes / "polish" / "items.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    own = synthetic.write_suite(folder / "newer" / "polish", items=synthetic.suite_items(39))
    more = ["--probes", str(own.parent), "--panel", str(place.panel), "--out", str(runs / "newer_items"), "--quiet"]
    assert synthetic.run("scan", place.scorer("clean"), *more).code == 0
    return Yard(place)


def _rewards(place: Bench) -> list[dict[str, Any]]:
    """Every conversation of panel and suite with a reward, as another kind of model would have given it."""
    items = [*synthetic.panel_items(), *synthetic.suite_items()]
    return [
        {"messages": [*item["prompt"], synthetic.assistant(arm["response"])], "reward": _reward(arm["response"])}
        for item in items
        for arm in item["arms"].values()
    ]


def _reward(response: str) -> float:
    return 1.5 * response.count("good") + 0.01 * (sum(map(ord, response)) % 97)


def policy(tmp: Path, gate: dict[str, Any], name: str = "policy.yaml", **more: Any) -> list[str]:
    """A policy file, as options."""
    words = {"name": "release", "version": 1, "gate": gate} | more
    (tmp / name).write_text(yaml.safe_dump(words, sort_keys=False), encoding="utf-8")
    return ["--policy", str(tmp / name)]


def text_policy(tmp: Path, text: str, name: str = "policy.yaml") -> list[str]:
    """A policy file of this text, as options."""
    (tmp / name).write_text(text, encoding="utf-8")
    return ["--policy", str(tmp / name)]


def waiver(**changes: Any) -> dict[str, Any]:
    """A waiver of what fails, with some keys changed; ``None`` leaves one out."""
    words = {"probe": "polish/shine", "scope": "*", "reason": "retraining planned", "owner": "A. Person",
             "expires": "2999-01-31"} | changes  # fmt: skip
    return {"waivers": [{key: value for key, value in words.items() if value is not None}]}


def blessed(yard: Yard, tmp: Path, run: str = "clean", **changes: Any) -> Path:
    """A folder in which a run was blessed, with some words of its history changed."""
    folder = tmp / "baselines"
    lenient = policy(tmp, {"fail_at": "severe", "allow_inconclusive": True}, "bless.yaml")
    done = synthetic.run("gate", str(getattr(yard, run)), "--baseline", str(folder), "--bless", *lenient)
    assert done.code == 0, done
    file = folder / "baseline.json"
    words = json.loads(file.read_text(encoding="utf-8"))
    words["history"][-1] |= changes
    file.write_text(json.dumps(words), encoding="utf-8")
    return folder


def edited(path: Path, *way: str | int, value: Any) -> None:
    """Change one value of a JSON file."""
    data = place = json.loads(path.read_text(encoding="utf-8"))
    *steps, last = way
    for step in steps:
        place = place[step]
    place[last] = value
    path.write_text(json.dumps(data), encoding="utf-8")


FAULTS = {
    "crash": "import rmaudit.gate.judge as judge\njudge.decide = lambda *a: 1 // 0",
    "leaves": "import rmaudit.gate.judge as judge\njudge.decide = lambda *a: (_ for _ in ()).throw(SystemExit(0))",
    "interrupt": "import rmaudit.gate.judge as judge\n"
    "judge.decide = lambda *a: (_ for _ in ()).throw(KeyboardInterrupt())",
}


def with_fault(fault: str, *args: str) -> synthetic.Outcome:
    """``rmaudit`` with a fault in it."""
    start = "from rmaudit.cli.main import main\nsys.argv = ['rmaudit', *sys.argv[1:]]\nmain()"
    program = f"import sys\n{FAULTS[fault]}\n{start}"
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        capture_output=True,
        text=True,
        env=synthetic.environment(),
        check=False,
    )
    return synthetic.Outcome(done.returncode, done.stdout, done.stderr)
