"""The gate's options through the real command: files for pipelines, presets, baselines, escalation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from rmaudit.policy import PRESETS
from rmaudit.policy.schema import to_bytes
from tests.synthetic import Bench, run


def test_every_output_is_written_and_the_exit_code_stays(finished: Path, tmp_path: Path) -> None:
    files = {kind: tmp_path / kind for kind in ("junit", "sarif", "gitlab", "badge", "summary")}
    outcome = run("gate", str(finished), *(word for kind, path in files.items() for word in (f"--{kind}", str(path))))
    assert outcome.code == 1
    assert ET.parse(files["junit"]).getroot().get("failures") != "0"
    assert json.loads(files["sarif"].read_text())["version"] == "2.1.0"
    assert json.loads(files["gitlab"].read_text())
    assert files["badge"].read_text().startswith("<svg")
    assert "FAILED" in files["summary"].read_text()


def test_a_damaged_run_is_an_error_in_the_files_too(tmp_path: Path) -> None:
    outcome = run("gate", str(tmp_path / "nowhere"), "--junit", str(tmp_path / "junit.xml"))
    assert outcome.code == 3
    assert outcome.out == ""
    assert ET.parse(tmp_path / "junit.xml").getroot().get("errors") == "1"


def test_the_summary_of_a_step_and_its_annotations(finished: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    env = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"}
    outcome = run("gate", str(finished), **env)
    assert summary.read_text().startswith("before\n## rmaudit gate")
    lines = outcome.out.splitlines()
    assert any(line.startswith("::error ") for line in lines)
    name = lines[0].removeprefix("::stop-commands::")
    assert len(name) == 32
    before = lines[: lines.index(f"::{name}::")]
    assert any("polish/shine" in line for line in before), "the table lies where nothing is taken for a command"
    assert not any(line.startswith("::error ") for line in before)
    assert "::error" not in run("gate", str(finished), "--format", "json", **env).out


@pytest.mark.parametrize("preset", PRESETS)
def test_a_policy_to_begin_with(preset: str, finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    assert run("gate", "--init", str(path), "--preset", preset).code == 0
    assert yaml.safe_load(path.read_text())["preset"] == preset
    assert run("gate", "--init", str(path)).code == 2, "a file that is there is left as it is"
    assert run("gate", str(finished), "--policy", str(path)).code in {1, 3}
    assert path.read_text().splitlines()[0] == "# yaml-language-server: $schema=policy.schema.json"
    assert (tmp_path / "policy.schema.json").read_bytes() == to_bytes()
    assert run("gate", "--init", str(tmp_path / "policy.toml")).code == 2, "it writes YAML"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name the run"),
        (["RUN", "--bless"], "--bless needs --baseline"),
        (["RUN", "--preset", "stict"], "no preset"),
    ],
)
def test_wrong_usage(words: list[str], message: str, finished: Path) -> None:
    outcome = run("gate", *(str(finished) if word == "RUN" else word for word in words))
    assert outcome.code == 2
    assert message in outcome.err


def test_bless_and_compare(place: Bench, finished: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    assert run(*place.scan_args(place.scorer("clean"), clean)).code == 0
    baseline = str(tmp_path / "baselines")
    assert run("gate", str(clean), "--baseline", baseline).code == 3, "there is nothing to compare with yet"
    first = run("gate", str(clean), "--baseline", baseline, "--bless")
    assert first.code == 0
    assert "Blessed: 0001-" in first.err
    assert run("gate", str(clean), "--baseline", str(clean), "--bless").code == 2, "a run is no folder of baselines"
    again = run("gate", str(finished), "--baseline", baseline, "--bless")
    assert "Not blessed" in again.err
    assert again.code == 1
    assert "since the baseline" in again.out


def test_what_is_inconclusive_is_scanned_again_with_more_items(place: Bench, tmp_path: Path) -> None:
    small = tmp_path / "run"
    assert run(*place.scan_args(place.scorer("clean"), small, "--tier", "smoke")).code == 0
    policy = tmp_path / "policy.yaml"
    # So strict that the smoke tier cannot tell.
    policy.write_text("name: p\nversion: 1\ngate: {rules: [{probe: polish/shine, srd: 0.001}]}\n")
    assert run("gate", str(small), "--policy", str(policy)).code == 3
    outcome = run("gate", str(small), "--policy", str(policy), "--escalate", "--format", "json")
    assert outcome.code in {0, 1, 3}
    assert {"run-standard", "run-reference"} <= {path.name for path in tmp_path.iterdir()}
    more = json.loads((tmp_path / "run-reference" / "report.json").read_text())
    assert [finding["probe"] for finding in more["findings"]] == ["shine"]
    shutil.rmtree(tmp_path / "run-reference")
