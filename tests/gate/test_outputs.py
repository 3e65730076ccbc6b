"""What pipelines read, under hostile and huge input."""

from __future__ import annotations

import datetime as dt
import json
import re
from xml.etree import ElementTree as ET

import pytest

from rmaudit.gate.check import Check, Decision
from rmaudit.gate.outputs import annotations, badge, gitlab, junit, sarif, summary
from rmaudit.gate.outputs import json as as_json
from rmaudit.gate.outputs.fingerprint import fingerprint
from rmaudit.gate.result import GateResult
from rmaudit.policy.rules import Waiver
from tests.reporting.hostile import HOSTILE

WAIVER = Waiver(probe="a/b", scope="*", reason="known", owner="o", expires=dt.date(2030, 1, 1))
OUTCOMES = ("pass", "fail", "inconclusive", "unmeasured", "waived")


def check(number: int, text: str = "because") -> Check:
    outcome = OUTCOMES[number % len(OUTCOMES)]
    return Check(
        f"suite/probe{number}", outcome, text, probe=f"suite/probe{number}", size=0.123456789, limit=0.15, unit="SRD",
        waiver=WAIVER if outcome == "waived" else None,
    )  # fmt: skip


def result(checks: list[Check], text: str = "run") -> GateResult:
    return GateResult(Decision(tuple(checks), (text,)), text, text, "0123456789abcdef" * 4, text, (text,))


SMALL = result([check(number) for number in range(5)])
HUGE = result([check(number, "x" * 3000) for number in range(7000)])


def test_junit_counts_what_it_holds() -> None:
    root = ET.fromstring(junit.render(SMALL))
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "5",
        "1",
        "2",
        "1",
    )
    tags = [child.tag for case in suite.iter("testcase") for child in case]
    assert sorted(tags) == ["error", "error", "failure", "skipped", "system-out"]
    assert all("0.15 SRD" in str(case.get("name")) for case in suite.iter("testcase"))


def test_an_allowed_inconclusive_is_a_skip_in_junit() -> None:
    allowed = Check("a/b", "inconclusive", "r", probe="a/b", allow_inconclusive=True)
    root = ET.fromstring(junit.render(result([allowed])))
    assert [child.tag for case in root.iter("testcase") for child in case] == ["skipped"]


def test_sarif_has_a_rule_for_each_result_and_marks_waivers() -> None:
    (run,) = json.loads(sarif.render(SMALL, "policy.yaml"))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(run["results"]) == 4
    for entry in run["results"]:
        assert rules[entry["ruleIndex"]] == entry["ruleId"]
        assert entry["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "policy.yaml"
    assert [entry["level"] for entry in run["results"] if "suppressions" in entry] == ["note"]


def test_fingerprints_do_not_change_with_the_numbers() -> None:
    one, other = check(1, "0.20"), check(1, "0.21")
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(check(2))


def test_sarif_stays_within_the_limits_of_code_scanning() -> None:
    content = sarif.render(HUGE, "policy.yaml")
    (run,) = json.loads(content)["runs"]
    assert len(run["results"]) == sarif.MOST_RESULTS
    assert max(len(entry["message"]["text"]) for entry in run["results"]) <= 1001


def test_gitlab_entries_have_what_it_needs() -> None:
    entries = json.loads(gitlab.render(SMALL, "policy.yaml"))
    assert len(entries) == 4
    assert len({entry["fingerprint"] for entry in entries}) == 4
    assert {entry["severity"] for entry in entries} == {"blocker", "critical", "major", "info"}


def test_the_summary_is_cut_and_says_so() -> None:
    content = summary.render(HUGE)
    assert len(content) <= summary.MOST_BYTES
    assert re.search(r"\| … \| \| [\d,]+ more", content.decode())
    assert b"more in the run" not in summary.render(SMALL)


def test_at_most_ten_annotations_of_a_kind() -> None:
    lines = annotations.render(HUGE)
    for kind in ("error", "warning", "notice"):
        assert sum(line.startswith(f"::{kind} ") for line in lines) == 10
    assert all(line.startswith("::") for line in lines)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_data_in_every_output(text: str) -> None:
    hostile = result([check(number, text) for number in range(5)], text)
    ET.fromstring(junit.render(hostile))
    json.loads(sarif.render(hostile, "policy.yaml"))
    json.loads(gitlab.render(hostile, "policy.yaml"))
    json.loads(as_json.render(hostile))
    ET.fromstring(badge.render(hostile))
    shown = summary.render(hostile).decode("utf-8")
    assert "<script" not in shown
    assert len([line for line in shown.splitlines() if line.startswith("| suite/")]) == 5
    for line in annotations.render(hostile):
        assert line.startswith(("::error ", "::warning ", "::notice "))
        assert "\n" not in line
        assert "\r" not in line


def test_a_run_that_could_not_be_read_is_an_error_in_every_output() -> None:
    unread = GateResult(Decision((Check("run", "unmeasured", "There is no run."),)), "x", "", "", "default v3")
    assert b'errors="1"' in junit.render(unread)
    assert json.loads(as_json.render(unread))["exit_code"] == 3
    assert b"not measured" in badge.render(unread)
    assert b"There is no run" in summary.render(unread)
