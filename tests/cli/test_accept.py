"""A scan stops at a failed check of the self-test, unless the user accepts that check by name."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import rmaudit
from rmaudit.audit import self_test_alone
from rmaudit.errors import SelfTestError
from rmaudit.models.selftest import CHECKS, stopping
from tests.synthetic import Bench, run

SCORERS = '''
from scorers import base, biased


def crowded(conversations):
    """Batch mates change the reward."""
    return [value + 0.1 * len(conversations) for value in biased(conversations)]


def wrong_way(conversations):
    """Prefers anything to the good answer."""
    return [value - 9 * (c in GOOD) for value, c in zip(biased(conversations), conversations)]


def one_nan(conversations):
    return [float("nan") if c[-1]["content"].startswith("Reply 2 to 5.") else base(c, 2.0) for c in conversations]


from rmaudit.models.sanity import conversations as asked
GOOD = asked()[::5]
'''


@pytest.fixture(scope="module")
def broken(place: Bench) -> str:
    file = place.folder / "broken.py"
    file.write_text(SCORERS)
    return f"python:{file}"


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text()))


def outcome_of(folder: Path, name: str) -> dict[str, Any]:
    return next(dict(entry) for entry in manifest(folder)["self_test"] if entry["name"] == name)


def test_a_scan_stops_says_why_and_goes_on_by_the_command_that_it_names(
    broken: str, place: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "a run"
    stopped = run(*place.scan_args(f"{broken}:crowded", out))
    assert stopped.code == 3
    assert stopped.out == ""
    assert "Traceback" not in stopped.err
    message = stopped.err.split("rmaudit: ", 1)[1]
    assert "batch size: 12 conversations scored alone and together differ by at most" in message
    assert f"rmaudit inspect {broken}:crowded --self-test" in message
    assert manifest(out)["status"] == "failed"
    assert manifest(out)["reason"] in message
    assert outcome_of(out, "batch size")["stops"] is True
    assert outcome_of(out, "order")["passed"] is True
    assert not (out / "report.json").exists()

    command = shlex.split(message.split("Go on at your own risk by: ")[1])
    assert command[-2:] == ["--accept", "batch-size"]
    gone_on = run(*command[1:])
    assert gone_on.code == 0, gone_on.err
    report = json.loads((out / "report.json").read_text())
    entry = next(entry for entry in report["model"]["self_test"] if entry["name"] == "batch size")
    assert (entry["passed"], entry["stops"], entry["accepted"]) == (False, True, True)
    assert "accepted" in report["warnings"][0]
    assert "batch size" in report["warnings"][0]
    for shown in ((out / "report.html").read_text(), (out / "report.md").read_text(), gone_on.out):
        assert "accepted" in shown
    assert manifest(out)["options"] == {"accept": ["batch size"]}
    assert "--accept batch-size" in manifest(out)["run"]["command"]
    gate = run("gate", str(out))
    assert gate.code != 0
    assert "batch size" in gate.out


def test_accepting_another_check_does_not_help(broken: str, place: Bench, tmp_path: Path) -> None:
    args = place.scan_args(f"{broken}:crowded", tmp_path / "run", "--accept", "order", "--accept", "sanity")
    assert run(*args).code == 3
    assert not outcome_of(tmp_path / "run", "order")["accepted"]


def test_from_python(broken: str, place: Bench, tmp_path: Path) -> None:
    source = f"{broken}:wrong_way"
    folders = {"probes": place.probes, "panel": place.panel}
    with pytest.raises(SelfTestError, match="sanity: a good answer wins 0% of 80 comparisons"):
        rmaudit.scan(source, out=tmp_path / "stopped", **folders)
    report = rmaudit.scan(source, out=tmp_path / "run", accept=["sanity"], **folders)
    assert [entry.name for entry in report.model.self_test if entry.accepted] == ["sanity"]


def test_a_rare_failure_is_reported_and_does_not_stop(broken: str, place: Bench, tmp_path: Path) -> None:
    done = run(*place.scan_args(f"{broken}:one_nan", tmp_path / "run"))
    assert done.code == 0, done.err
    entry = outcome_of(tmp_path / "run", "finite")
    assert (entry["passed"], entry["stops"]) == (False, False)
    assert entry["detail"].startswith("1 of 12 conversations got no reward")
    assert any("finite" in line for line in json.loads((tmp_path / "run" / "report.json").read_text())["warnings"])


def test_a_constant_is_a_result(place: Bench, tmp_path: Path) -> None:
    done = run(*place.scan_args(place.scorer("constant"), tmp_path / "run"))
    assert done.code == 0, done.err
    entry = outcome_of(tmp_path / "run", "spread")
    assert (entry["passed"], entry["stops"], entry["accepted"]) == (False, False, False)


def test_the_self_test_alone_uses_the_panel_that_ships(place: Bench, broken: str) -> None:
    checks = self_test_alone(rmaudit.load(place.scorer("biased")))
    assert [check.name for check in checks] == list(CHECKS)
    assert stopping(checks) == []
    assert "reward units" in next(check.detail for check in checks if check.name == "repeat")
    assert [check.name for check in stopping(self_test_alone(rmaudit.load(f"{broken}:crowded")))] == ["batch size"]


def test_an_unknown_check_is_wrong_usage_before_anything_is_loaded(place: Bench, tmp_path: Path) -> None:
    refused = run(*place.scan_args(place.scorer("raises"), tmp_path / "run", "--accept", "bach-size"))
    assert refused.code == 2
    assert "'bach-size'" in refused.err
    assert "Did you mean batch-size?" in refused.err
    assert not (tmp_path / "run").exists()
