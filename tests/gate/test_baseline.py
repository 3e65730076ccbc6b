"""Runs beside an earlier one: paired by item, blessed explicitly, refused where they cannot be compared."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

import rmaudit
from rmaudit.comparison.pairing import changes, open_run
from rmaudit.errors import RunError
from rmaudit.gate.baseline import baseline_run, bless, read_baseline
from rmaudit.gate.judge import bless_if_passed, judge
from rmaudit.policy import Policy, load_policy
from tests.synthetic import Bench

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def clean(place: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clean") / "run"
    rmaudit.scan(place.scorer("clean"), probes=place.probes, panel=place.panel, out=out)
    return out


def policy(**changes: object) -> Policy:
    shipped = load_policy()
    baseline = shipped.gate.baseline.model_copy(update=changes)
    gate = shipped.gate.model_copy(update={"baseline": baseline, "fail_at": "severe"})
    return shipped.model_copy(update={"gate": gate})


def test_the_change_of_an_effect_is_that_of_its_items(finished: Path, clean: Path) -> None:
    before, after = open_run(clean), open_run(finished)
    found = {change.probe: change for change in changes(before, after)}
    shine = found["shine"]
    assert shine.difference.estimate == pytest.approx(
        (shine.after.estimate or 0.0) - (shine.before.estimate or 0.0), abs=1e-9
    )
    published = next(finding for finding in after.report.findings if finding.probe == "shine")
    assert shine.after.estimate == pytest.approx(published.srd.estimate, rel=1e-4)


def test_a_run_beside_itself_has_not_changed(finished: Path) -> None:
    run = open_run(finished)
    for change in changes(run, run):
        numbers = (change.difference.estimate, change.difference.low, change.difference.high)
        assert numbers == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_what_grew_fails_and_what_shrank_passes(finished: Path, clean: Path) -> None:
    worse = judge(finished, policy(demand="shown not worse"), clean)
    assert any(check.outcome == "fail" and "since the baseline" in check.name for check in worse.decision.checks)
    better = judge(clean, policy(demand="shown not worse"), finished)
    assert all(check.outcome == "pass" for check in better.decision.checks if "since the baseline" in check.name)


def test_runs_that_differ_in_more_than_weights_are_not_compared(finished: Path, run_copy: Path) -> None:
    manifest = json.loads((run_copy / "run.json").read_text())
    manifest["model"]["template"] = "another"
    (run_copy / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match="chat template"):
        changes(open_run(run_copy), open_run(finished))
    refused = judge(finished, policy(), run_copy)
    assert refused.decision.exit_code in {1, 3}
    assert any(check.outcome == "unmeasured" and check.name == "baseline" for check in refused.decision.checks)


def test_a_required_baseline_that_is_not_given_is_no_pass(clean: Path) -> None:
    assert judge(clean, policy(required=True)).decision.outcome == "unmeasured"


def test_blessing_keeps_the_history_and_tells_the_age(clean: Path, tmp_path: Path) -> None:
    folder = tmp_path / "baselines"
    result = judge(clean, policy())
    assert result.decision.outcome == "pass"
    assert "Blessed" in bless_if_passed(result, clean, folder, NOW)
    bless(clean, folder, "again v1", NOW + dt.timedelta(days=30))
    found = read_baseline(folder)
    assert found is not None
    assert [entry.run[:4] for entry in found.history] == ["0001", "0002"]
    assert all((folder / "runs" / entry.run / "scores.jsonl").is_file() for entry in found.history)
    later = judge(clean, policy(max_age_days=60), folder, NOW + dt.timedelta(days=40))
    assert any("blessed 10 days ago" in note for note in later.decision.notes)
    assert later.decision.outcome == "pass"
    stale = judge(clean, policy(max_age_days=60), folder, NOW + dt.timedelta(days=100))
    assert stale.decision.outcome == "unmeasured"


def test_a_run_that_fails_is_not_blessed(finished: Path, tmp_path: Path) -> None:
    result = judge(finished, load_policy())
    assert result.decision.outcome == "fail"
    assert "Not blessed" in bless_if_passed(result, finished, tmp_path / "baselines", NOW)
    assert not (tmp_path / "baselines").exists()


def test_an_unfinished_run_is_never_a_baseline(run_copy: Path, tmp_path: Path) -> None:
    manifest = json.loads((run_copy / "run.json").read_text())
    manifest["status"] = "started"
    (run_copy / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError):
        bless(run_copy, tmp_path / "baselines", "p v1", NOW)
    assert read_baseline(tmp_path / "baselines") is None


def test_a_blessing_that_was_killed_leaves_the_earlier_baseline(clean: Path, tmp_path: Path) -> None:
    folder = tmp_path / "baselines"
    first = bless(clean, folder, "p v1", NOW)
    half = folder / "runs" / f".0002-{first.model[:12]}.copying"
    half.mkdir()
    (half / "run.json").write_text("{")
    assert baseline_run(folder)[0].name == first.run
    assert bless(clean, folder, "p v1", NOW).run.startswith("0002")


def test_no_baseline_is_said_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--bless"):
        baseline_run(tmp_path)
    (tmp_path / "baseline.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        baseline_run(tmp_path)


def test_the_copy_serves_when_the_run_is_gone(clean: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(clean, tmp_path / "run"))
    bless(run, tmp_path / "baselines", "p v1", NOW)
    shutil.rmtree(run)
    assert judge(clean, policy(), tmp_path / "baselines").decision.outcome == "pass"
