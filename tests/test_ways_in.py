"""Ways into a pipeline, each shown working: the action's script, the pytest fixture, the callback, the cache key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from transformers import TrainerControl, TrainerState

from rmaudit.resources import demo_model_dir
from rmaudit.training import AuditCallback
from tests.synthetic import Bench, run

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "integrations" / "github" / "gate.sh"


def action(place: Bench, folder: Path, scorer: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run what the action runs, in a plain shell."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = bin_folder / "rmaudit"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rmaudit "$@"\n')
    command.chmod(0o755)
    env = os.environ | {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RMAUDIT_SOURCE": place.scorer(scorer) if scorer.isidentifier() else scorer,
        "RMAUDIT_LOADING": f"--probes {place.probes} --panel {place.panel}",
        "RMAUDIT_OUT": str(folder / "run"),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    return subprocess.run(["bash", str(SCRIPT)], env=env | settings, capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize(("scorer", "code"), [("clean", 0), ("biased", 1), ("raises", 3)])
def test_the_action_ends_as_its_commands_do(scorer: str, code: int, place: Bench, tmp_path: Path) -> None:
    done = action(place, tmp_path, scorer)
    assert done.returncode == code, done.stderr
    assert f"exit-code={code}" in (tmp_path / "output").read_text()
    if code != 3:
        assert "rmaudit gate" in (tmp_path / "summary.md").read_text()
        assert json.loads((tmp_path / "run-gate" / "gate.sarif").read_text())["version"] == "2.1.0"


def test_the_action_takes_no_option_for_a_value(place: Bench, tmp_path: Path) -> None:
    done = action(place, tmp_path, "clean", RMAUDIT_TIER="--help")
    assert done.returncode == 2
    assert "must not begin with a dash" in done.stderr


@pytest.mark.parametrize("file", ["action.yml", ".github/workflows/gate.yml"])
def test_every_action_is_pinned_and_no_input_is_text_of_a_script(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    steps = data["runs"]["steps"] if "runs" in data else [s for job in data["jobs"].values() for s in job["steps"]]
    for step in steps:
        if "uses" in step and not step["uses"].startswith("./"):
            _, _, commit = step["uses"].partition("@")
            assert len(commit) == 40, step["uses"]
        assert "${{" not in step.get("run", "")


pytest_plugins = ["pytester"]


@pytest.mark.parametrize(("scorer", "passed"), [("clean", 1), ("biased", 0)])
def test_the_fixture_for_pytest(scorer: str, passed: int, place: Bench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        from pathlib import Path

        def test_release(assert_reward_model_passes):
            assert_reward_model_passes(
                {place.scorer(scorer)!r}, probes=Path({str(place.probes)!r}), panel=Path({str(place.panel)!r})
            )
        """
    )
    # An installed rmaudit brings the plugin by itself, and a plugin must not come twice.
    installed = any(point.value == "rmaudit.pytest_plugin" for point in entry_points(group="pytest11"))
    words = [] if installed else ["-p", "rmaudit.pytest_plugin"]
    result = pytester.runpytest("-p", "no:cacheprovider", *words)
    result.assert_outcomes(passed=passed, failed=1 - passed)
    if not passed:
        result.stdout.fnmatch_lines(["*FAILED: a requirement is shown not to be met*"])


def test_the_callback_audits_what_was_saved_and_can_stop(place: Bench, tmp_path: Path) -> None:
    shutil.copytree(demo_model_dir(), tmp_path / "checkpoint-5")
    callback = AuditCallback(stop_on="not passed", probes=place.probes, panel=place.panel, tier="smoke")
    state, control = TrainerState(global_step=5), TrainerControl()
    args = SimpleNamespace(output_dir=str(tmp_path))
    control = callback.on_save(args, state, control)  # type: ignore[arg-type]
    outcome = callback.results[5].decision.outcome
    assert (tmp_path / "checkpoint-5-audit" / "report.json").is_file()
    assert control.should_training_stop == (outcome != "pass")


def test_a_checkpoint_that_cannot_be_measured_stops_only_where_that_was_asked(place: Bench, tmp_path: Path) -> None:
    (tmp_path / "checkpoint-5").mkdir()
    for stop_on, stops in (("fail", False), ("not passed", True)):
        callback = AuditCallback(stop_on=stop_on, probes=place.probes, panel=place.panel)  # type: ignore[arg-type]
        args, state = SimpleNamespace(output_dir=str(tmp_path)), TrainerState(global_step=5)
        control = callback.on_save(args, state, TrainerControl())  # type: ignore[arg-type]
        assert control.should_training_stop == stops
        assert callback.results == {}


def test_the_key_of_a_cache_changes_with_model_and_options(tmp_path: Path) -> None:
    key = run("cache", "key", "demo")
    assert key.code == 0
    assert key.out == run("cache", "key", str(demo_model_dir())).out
    assert key.out != run("cache", "key", "demo", "--dtype", "bfloat16").out
    assert run("cache", "path").out.strip().endswith("scores")


def test_the_container_is_offline_and_without_rights() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last_stage = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM")) :]
    users = [line.split()[1] for line in last_stage if line.startswith("USER")]
    assert users == ["auditor"]
    assert not [line for line in last_stage[last_stage.index("USER auditor") :] if line.startswith(("RUN", "ADD"))]
    assert any("HF_HUB_OFFLINE=1" in line and "TRANSFORMERS_OFFLINE=1" in line for line in last_stage)
