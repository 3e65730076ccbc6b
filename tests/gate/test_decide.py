"""The gate fails only on evidence, passes only on evidence, and says so of everything between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rmaudit.errors import UsageError
from rmaudit.gate.decide import Check, Decision, decide
from rmaudit.models.interface import SelfCheck
from rmaudit.policy import DEFAULT_POLICY, Policy, load_policy
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Estimate, Finding, Group

NOTHING = Estimate(estimate=None)
LIMIT = load_policy().measurement.bands.moderate
Numbers = tuple[float, float]


def interval(low: float, high: float) -> Estimate:
    return Estimate(estimate=(low + high) / 2, low=low, high=high)


@pytest.fixture(scope="module")
def report(finished: Path) -> Report:
    return Report.load(finished)


def with_finding(report: Report, effect: Numbers, verdict: str, direction: str = "+", **more: Any) -> Report:
    """The report with one primary finding in place of its own."""
    changes = {
        "srd": interval(*effect),
        "adjusted_srd": interval(*effect),
        "placebo_srd": NOTHING,
        "flip_rate": NOTHING,
        "exchange_rate": NOTHING,
        "verdict": verdict,
        "direction_of_bias": direction,
        "groups": [],
        "reason": None,
        "clusters_needed": None,
    }
    finding = next(f for f in report.findings if f.primary).model_copy(update=changes | more)
    return report.model_copy(update={"findings_": [finding]})


def gate(**changes: Any) -> Policy:
    """The policy that ships, at the confidence of the findings' own intervals so that their ends tell the outcome."""
    policy = load_policy()
    return policy.model_copy(update={"gate": policy.gate.model_copy(update={"confidence": 0.95} | changes)})


def outcome(report: Report, policy: Policy | None = None) -> str:
    decision = decide(report, policy or gate())
    assert decision.exit_code == {"pass": 0, "fail": 1, "inconclusive": 3, "unmeasured": 3}[decision.outcome]
    return decision.outcome


def group(name: str, low: float, high: float) -> Group:
    return Group(name=name, margin="origin", srd=interval(low, high), n_units=5, n_items=50)


ROWS: list[Any] = [
    ("wholly beyond the limit", (0.16, 0.3), "present", "+", {}, "fail"),
    ("bound just beyond the limit", (LIMIT + 0.001, 0.3), "present", "+", {}, "fail"),
    ("reaches over the limit", (0.14, 0.3), "present", "+", {}, "inconclusive"),
    ("wholly below the limit", (0.06, 0.14), "present", "+", {}, "pass"),
    ("negligible", (-0.04, 0.04), "negligible", "+", {}, "pass"),
    ("inconclusive, but below the limit", (-0.1, 0.14), "inconclusive", "+", {}, "pass"),
    ("inconclusive over the limit", (-0.1, 0.2), "inconclusive", "+", {}, "inconclusive"),
    ("beyond the limit, but not significant", (0.16, 0.3), "inconclusive", "+", {}, "inconclusive"),
    ("far on the side of health", (-0.9, -0.5), "negligible", "+", {}, "pass"),
    ("the same with either side", (-0.9, -0.5), "present", "either", {}, "fail"),
    ("bias below zero", (-0.9, -0.5), "present", "-", {}, "fail"),
    ("health above zero", (0.5, 0.9), "negligible", "-", {}, "pass"),
    ("either side, wide", (-0.2, 0.1), "inconclusive", "either", {}, "inconclusive"),
    ("not measurable", (0.0, 0.0), "not_measurable", "+", {"reason": "broken"}, "unmeasured"),
    ("a placebo that explains it", (0.5, 0.6), "negligible", "+",
     {"placebo_srd": interval(0.5, 0.6), "adjusted_srd": interval(-0.05, 0.05)}, "pass"),
    ("a placebo that explains part", (0.5, 0.6), "present", "+",
     {"placebo_srd": interval(0.3, 0.4), "adjusted_srd": interval(0.1, 0.3)}, "inconclusive"),
    ("flips too many verdicts", (0.06, 0.14), "present", "+", {"flip_rate": interval(0.25, 0.4)}, "fail"),
    ("worth a good answer", (0.06, 0.14), "present", "+", {"exchange_rate": interval(1.1, 1.4)}, "fail"),
    ("flips perhaps too many", (0.06, 0.14), "present", "+", {"flip_rate": interval(0.1, 0.4)}, "pass"),
    ("all groups alike", (0.01, 0.03), "negligible", "either",
     {"groups": [group("a", 0.01, 0.03), group("b", -0.03, -0.01)]}, "pass"),
    ("a group that differs", (0.2, 0.3), "present", "either",
     {"groups": [group("a", 0.2, 0.3), group("b", -0.02, 0.02)]}, "fail"),
    ("a small group of which little is known", (0.08, 0.12), "present", "either",
     {"groups": [group("a", 0.08, 0.12), group("b", -0.4, 0.3)]}, "inconclusive"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("effect", "verdict", "direction", "more", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_one_probe(
    effect: Numbers, verdict: str, direction: str, more: dict[str, Any], expected: str, report: Report
) -> None:
    changed = with_finding(report, effect, verdict, direction, **more)
    assert outcome(changed) == expected
    checks = [c for c in decide(changed, gate()).checks if c.probe == "polish/shine"]
    assert expected in {check.outcome for check in checks}
    assert all(check.reason for check in checks)
    if verdict == "not_measurable":
        assert [check.reason for check in checks] == ["broken"]


@pytest.mark.parametrize(
    ("outcomes", "allowed", "expected"),
    [
        (["pass", "pass"], False, "pass"),
        (["pass", "fail"], False, "fail"),
        (["unmeasured", "fail"], False, "fail"),
        (["inconclusive", "fail"], True, "fail"),
        (["unmeasured", "inconclusive"], True, "unmeasured"),
        (["unmeasured", "pass"], True, "unmeasured"),
        (["inconclusive", "pass"], False, "inconclusive"),
        (["inconclusive", "pass"], True, "pass"),
        ([], True, "unmeasured"),
    ],
)
def test_several_checks(outcomes: list[Any], allowed: bool, expected: str) -> None:
    checks = tuple(Check(str(i), outcome, "", allow_inconclusive=allowed) for i, outcome in enumerate(outcomes))
    assert Decision(checks).outcome == expected


def test_no_option_turns_what_was_not_measured_into_a_pass(report: Report) -> None:
    lenient = gate(allow_inconclusive=True, require_self_test=False, require_tracks_quality=False)
    assert outcome(with_finding(report, (0.0, 0.0), "not_measurable"), lenient) == "unmeasured"
    assert outcome(report.model_copy(update={"findings_": []}), lenient) == "unmeasured"


@pytest.mark.parametrize(("fail_at", "expected"), [("low", "fail"), ("moderate", "inconclusive"), ("high", "pass")])
def test_the_limit_is_a_band_of_severity(fail_at: str, expected: str, report: Report) -> None:
    changed = with_finding(report, (0.10, 0.20), "present")
    assert outcome(changed, gate(fail_at=fail_at)) == expected


def test_the_policys_bands_are_used_and_not_the_reports(report: Report) -> None:
    policy = gate()
    bands = policy.measurement.bands.model_copy(update={"moderate": 0.05})
    strict = policy.model_copy(update={"measurement": policy.measurement.model_copy(update={"bands": bands})})
    assert outcome(with_finding(report, (0.06, 0.14), "present")) == "pass"
    assert outcome(with_finding(report, (0.06, 0.14), "present"), strict) == "fail"


def test_secondary_probes_count_where_the_policy_says_so(report: Report) -> None:
    first = with_finding(report, (-0.01, 0.01), "negligible").findings[0]
    other = first.model_copy(
        update={"primary": False, "probe": "other", "verdict": "present", "srd": interval(0.5, 0.6), "groups": []}
    )
    both = report.model_copy(update={"findings_": [first, other]})
    assert outcome(both) == "pass"
    assert outcome(both, gate(probes="all")) == "fail"


def test_suites_that_must_have_been_run(report: Report) -> None:
    good = with_finding(report, (-0.01, 0.01), "negligible")
    assert outcome(good, gate(required_suites=["polish"])) == "pass"
    assert outcome(good, gate(required_suites=["polish", "honesty"])) == "unmeasured"


def test_the_self_test_must_have_passed_where_the_policy_says_so(report: Report) -> None:
    good = with_finding(report, (-0.01, 0.01), "negligible")
    for passed, expected in ((True, "pass"), (None, "pass"), (False, "unmeasured")):
        check = SelfCheck(name="repeat", passed=passed, detail="")
        tested = good.model_copy(update={"model": good.model.model_copy(update={"self_test": [check]})})
        assert outcome(tested) == expected
        assert outcome(tested, gate(require_self_test=False)) == "pass"


@pytest.mark.parametrize(("tracks", "expected"), [(True, "pass"), (False, "unmeasured"), (None, "unmeasured")])
def test_quality_must_be_tracked_where_the_policy_says_so(tracks: bool | None, expected: str, report: Report) -> None:
    good = with_finding(report, (-0.01, 0.01), "negligible")
    judged = good.model_copy(update={"ruler": good.ruler.model_copy(update={"tracks_quality": tracks})})
    assert outcome(judged) == "pass"
    assert outcome(judged, gate(require_tracks_quality=True)) == expected


def test_the_reason_names_the_number_and_the_limit(report: Report) -> None:
    (check,) = decide(with_finding(report, (0.20, 0.30), "present"), gate(require_self_test=False)).checks
    assert "0.20" in check.reason
    assert "0.15" in check.reason
    undecided = with_finding(report, (-0.1, 0.33), "inconclusive")
    (check,) = decide(undecided, gate(require_self_test=False)).checks
    assert "0.33" in check.reason
    assert check.clusters_needed is not None
    assert f"{check.clusters_needed:,}" in check.reason


FAULTS: list[Any] = [
    ("", "holds no settings"),
    ("- a\n", "holds no settings"),
    ("name: [a\n", "be read as YAML"),
    (lambda p: p.update(naem="x"), "did you mean 'name'"),
    (lambda p: p["gate"].update(fail_att="low"), "did you mean 'fail_at'"),
    (lambda p: p["gate"].update(fail_at="none"), "'gate.fail_at'"),
    (lambda p: p["measurement"].update(alpha=2), "'measurement.alpha'"),
    (lambda p: p["gate"]["rules"].append({"probe": "a/b"}), "needs a limit"),
    (lambda p: p["gate"]["rules"].append({"probe": "a/b", "sdr": 0.1}), "did you mean 'srd'"),
    (lambda p: p["gate"]["waivers"].append({"probe": "a/b", "scope": "*", "reason": "r", "owner": "o"}), "expires"),
    (lambda p: p["gate"]["baseline"].update(margin=-1), "'gate.baseline.margin'"),
    (lambda p: p["measurement"].update(alpha=float("nan")), "'measurement.alpha'"),
    (lambda p: p["measurement"]["bands"].update(high=float("inf")), "'measurement.bands.high'"),
    (lambda p: p["measurement"]["bands"].update(high=0.1), "must rise"),
    (lambda p: p["measurement"].update(equivalence_margin=0), "'measurement.equivalence_margin'"),
    (lambda p: p["measurement"].update(minimum_clusters=2), "'measurement.minimum_clusters'"),
]


@pytest.mark.parametrize(("change", "words"), FAULTS, ids=range(len(FAULTS)))
def test_a_wrong_policy_is_refused(change: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    if isinstance(change, str):
        path.write_text(change)
    else:
        data = yaml.safe_load(DEFAULT_POLICY.read_text(encoding="utf-8"))
        change(data)
        path.write_text(yaml.safe_dump(data))
    with pytest.raises(UsageError, match=words) as caught:
        load_policy(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_finding_that_a_scan_makes_fails_the_gate(report: Report) -> None:
    shine: Finding = next(f for f in report.findings if f.primary)
    assert shine.verdict == "present"
    assert outcome(report) == "fail"
