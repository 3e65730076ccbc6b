"""What the README and the documentation tell to paste works in a repository that has nothing else in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from rmaudit.resources import demo_model_dir
from tests.docs.pages import blocks, read
from tests.synthetic import Bench
from tests.workflows import ROOT, Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    made = Runner(tmp_path / "repository")
    made.prepare()
    return made


def readme_workflow() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [block for block in blocks(text, "yaml") if "OWNER/rmaudit" in block]
    return block


@pytest.mark.slow
def test_the_workflow_of_the_readme_gates_a_model(runner: Runner) -> None:
    """The demo model, scanned whole: too small for every limit to be shown by 150 prompts, so it is not decided."""
    shutil.copytree(demo_model_dir(), runner.folder / "checkpoint")
    file = runner.folder / ".github" / "workflows" / "gate.yml"
    file.parent.mkdir(parents=True)
    file.write_text(readme_workflow(), encoding="utf-8")
    code = runner.workflow(file)
    assert code == 3, runner.log[-3000:]
    _check_outcome(runner, code)
    assert "NOT DECIDED" in runner.log


@pytest.mark.parametrize(("scorer", "code"), [("clean", 0), ("biased", 1), ("constant", 3), ("raises", 3)])
def test_the_action_with_every_verdict(scorer: str, code: int, runner: Runner, place: Bench) -> None:
    loading = f"--probes {place.probes} --panel {place.panel}"
    assert runner.action({"source": place.scorer(scorer), "loading": loading, "out": "audit"}) == code, runner.log
    assert runner.uploaded == ["audit", "audit-gate"], "also on failure"
    assert f"exit-code={code}" in (runner.folder.parent / "github_output").read_text()
    if scorer != "raises":
        _check_outcome(runner, code, "audit")


def _check_outcome(runner: Runner, code: int, out: str = "rmaudit-run") -> None:
    folder = runner.folder / f"{out}-gate"
    (sarif,) = json.loads((folder / "gate.sarif").read_text())["runs"]
    assert sarif["invocations"][0]["exitCode"] == code
    junit = ET.parse(folder / "junit.xml").getroot()
    assert (junit.get("failures") == "0") == (code != 1)
    assert "rmaudit gate" in (runner.folder.parent / "github_step_summary").read_text()
    assert (runner.folder / out / "report.html").is_file()


@pytest.mark.parametrize(("scorer", "code"), [("clean", 0), ("biased", 1), ("constant", 3)])
def test_the_job_for_gitlab(scorer: str, code: int, runner: Runner, place: Bench) -> None:
    (block,) = [block for block in blocks(read("gate.md"), "yaml") if "RMAUDIT_SOURCE" in block]
    given = yaml.safe_load(block)
    job_file = yaml.safe_load((ROOT / given["include"]).read_text(encoding="utf-8"))
    job = job_file["rmaudit"]
    variables = job_file["variables"] | given["variables"]
    install, *script = job["script"]
    assert install.startswith("python -m pip install")  # what `prepare` stands for
    # The small suite in place of the shipped ones, by the variable that is there for further options.
    loading = f"--probes {place.probes} --panel {place.panel}"
    variables |= {"RMAUDIT_SOURCE": place.scorer(scorer), "RMAUDIT_LOADING": loading}
    assert runner.script("\n".join(script), **variables) == code, runner.log
    reports = job["artifacts"]["reports"]
    assert ET.parse(runner.folder / reports["junit"]).getroot().tag == "testsuites"
    entries = json.loads((runner.folder / reports["codequality"]).read_text())
    assert bool(entries) == (code != 0)
    assert job["artifacts"]["when"] == "always"
    assert all((runner.folder / path).exists() for path in job["artifacts"]["paths"])


def test_the_hooks_for_pre_commit(runner: Runner, place: Bench) -> None:
    """Their commands, as pre-commit calls them: entry and args, in the repository's root."""
    shutil.copytree(place.probes, runner.folder / "probes")
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
    check, gate = hooks["rmaudit-probes-check"], hooks["rmaudit-gate"]
    assert runner.script(" ".join([check["entry"], *check["args"]])) == 0, runner.log
    with (runner.folder / "probes" / "polish" / "items.jsonl").open("a", encoding="utf-8") as file:
        file.write("{}\n")
    assert runner.script(" ".join([check["entry"], *check["args"]])) == 2
    assert "items.jsonl:41" in runner.log
    assert runner.script(f"{gate['entry']} nowhere") == 3
