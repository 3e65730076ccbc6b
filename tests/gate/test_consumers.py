"""What pipelines read keeps to the schemas and limits of those who read it, under hostile and huge input."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import xmlschema

from rmaudit.gate.check import Check, Decision
from rmaudit.gate.outputs import annotations, gitlab, junit, sarif, summary
from rmaudit.gate.outputs.write import Files
from rmaudit.gate.result import GateResult
from tests.gate.test_outputs import check, result
from tests.reporting.hostile import HOSTILE

SCHEMAS = Path(__file__).resolve().parents[1] / "data" / "schemas"
SARIF = jsonschema.Draft4Validator(
    json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8")),
    format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER,
)
JUNIT = xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")
MIB = 1 << 20


def of(checks: list[Check], text: str = "run", notes: int = 1) -> GateResult:
    return GateResult(Decision(tuple(checks), (text,) * notes), text, text, "0123456789abcdef" * 4, text, (text,))


def named(texts: list[str]) -> GateResult:
    """Hostile texts in every place that takes one."""
    checks = [
        Check(text, outcome, text, probe=text, group=text, limit=0.1, unit=text)  # type: ignore[arg-type]
        for text in texts
        for outcome in ("fail", "inconclusive", "unmeasured", "waived", "pass")
    ]
    return of(checks, texts[0])


INPUTS: dict[str, Callable[[], GateResult]] = {
    **{f"hostile: {name}": lambda text=text: named([text]) for name, text in HOSTILE.items()},  # type: ignore[misc]
    "300 findings with long texts": lambda: of([check(number, "y z " * 5_000) for number in range(300)]),
    "10,000 probes": lambda: of([check(number, "because " * 30) for number in range(10_000)]),
    "30,000 failures": lambda: of([check(5 * number + 1, "z" * 2_000) for number in range(30_000)]),
    "5,000 notes": lambda: of([check(number) for number in range(5)], "n" * 1_000, notes=5_000),
    "the same requirement twice": lambda: of([check(1), check(1), check(1)]),
    "nothing": lambda: of([]),
    "no run": lambda: GateResult(Decision((Check("run", "unmeasured", "gone"),)), "", "", "", "default v3"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_every_file_is_valid_and_within_limits(name: str) -> None:
    made = INPUTS[name]()
    _check_sarif(sarif.render(made, "ci/policy.yaml"))
    _check_junit(junit.render(made), len(made.checks))
    _check_gitlab(gitlab.render(made, "ci/policy.yaml"))
    _check_summary(made)
    _check_annotations(annotations.render(made))


def _check_sarif(content: bytes) -> None:
    log = json.loads(content)
    few = json.loads(json.dumps(log))
    few["runs"][0]["results"] = log["runs"][0]["results"][:200]  # validation is slow; all are made alike
    few["runs"][0]["tool"]["driver"]["rules"] = log["runs"][0]["tool"]["driver"]["rules"][:200]
    SARIF.validate(few)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(gzip.compress(content, 1)) < 10 * 1000 * 1000
    assert len(run["results"]) <= 5_000
    assert len(rules) <= 25_000
    assert all(len(rule["properties"]["tags"]) <= 20 for rule in rules)
    assert all(len(entry["locations"]) <= 100 for entry in run["results"])
    marks = [entry["partialFingerprints"]["rmauditCheck/v1"] for entry in run["results"]]
    assert len(set(marks)) == len(marks)
    for entry in run["results"]:
        assert rules[entry["ruleIndex"]]["id"] == entry["ruleId"]


def _check_junit(content: bytes, cases: int) -> None:
    root = ET.fromstring(content)
    assert len(list(root.iter("testcase"))) == cases
    if cases > 1_000:  # validation is slow; all are made alike
        (suite,) = root
        for case in list(suite)[500:-1]:
            suite.remove(case)
    JUNIT.validate(root)


def _check_gitlab(content: bytes) -> None:
    assert not content.startswith(b"\xef\xbb\xbf"), "a byte order mark is refused"
    entries = json.loads(content)
    marks = [entry["fingerprint"] for entry in entries]
    assert len(set(marks)) == len(marks)
    for entry in entries:
        assert {"description", "check_name", "fingerprint", "severity", "location"} <= entry.keys()
        assert entry["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert not entry["location"]["path"].startswith(("/", "./"))
        assert entry["location"]["lines"]["begin"] >= 1
        assert entry["description"] is not None


def _check_summary(made: GateResult) -> None:
    content = summary.render(made)
    assert 0 < len(content) < MIB
    shown = content.decode("utf-8")
    assert "<script" not in shown
    assert not re.search(r"(?<!\\)\]\(", shown), "a link that nobody wrote"
    for room in (0, 50, 500, 5_000):
        assert len(summary.render(made, room)) <= room


def _check_annotations(lines: list[str]) -> None:
    for kind in ("error", "warning", "notice"):
        assert sum(line.startswith(f"::{kind} ") for line in lines) <= 10
    assert len(lines) <= 50
    for line in lines:
        found = re.fullmatch(r"::(error|warning|notice) title=([^,:\r\n]*)::([^\r\n]*)", line)
        assert found
        assert len(found[2]) <= 2_000
        assert len(line.encode()) < 64_000


def test_the_summaries_of_several_steps_stay_within_one_page(tmp_path: Path) -> None:
    place = tmp_path / "summary.md"
    for _ in range(12):
        Files(summary=place).write(INPUTS["10,000 probes"](), None)
        assert place.stat().st_size < MIB


def test_paths_are_those_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = Files(sarif=tmp_path / "a.sarif", gitlab=tmp_path / "a.json")
    files.write(result([check(1)]), tmp_path / "a folder" / "policy.yaml")
    (run,) = json.loads((tmp_path / "a.sarif").read_text())["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20folder/policy.yaml"
    assert json.loads((tmp_path / "a.json").read_text())[0]["location"]["path"] == "a folder/policy.yaml"
