"""Rules for single probes and groups, waivers, and demands on disclosure."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from rmaudit.errors import UsageError
from rmaudit.gate.decide import Decision, decide
from rmaudit.policy import Policy, load_policy
from rmaudit.policy.rules import DisclosureRules, Rule, Waiver
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Estimate, Finding, Group

TODAY = dt.date(2026, 5, 1)
NOTHING = Estimate(estimate=None)


def around(value: float, half: float = 0.02) -> Estimate:
    return Estimate(estimate=value, low=value - half, high=value + half)


@pytest.fixture(scope="module")
def report(finished: Path) -> Report:
    return Report.load(finished)


def finding(report: Report, probe: str, effect: float, **more: Any) -> Finding:
    base = next(f for f in report.findings if f.primary)
    nothing = dict.fromkeys(("placebo_srd", "flip_rate", "exchange_rate"), NOTHING)
    changes: dict[str, Any] = {
        "probe": probe, "srd": around(effect), "adjusted_srd": around(effect), "direction_of_bias": "+",
        "verdict": "present" if effect > 0.07 else "negligible", "groups": [], "n_clusters": 300, **nothing,
    }  # fmt: skip
    return base.model_copy(update=changes | more)


def decided(report: Report, findings: list[Finding], **changes: Any) -> Decision:
    policy = load_policy()
    gate = policy.gate.model_copy(update={"require_self_test": False} | changes)
    rules: Policy = policy.model_copy(update={"gate": gate})
    return decide(report.model_copy(update={"findings_": findings}), rules, TODAY)


def test_the_last_rule_that_fits_counts(report: Report) -> None:
    one = finding(report, "one", 0.3)
    strict, lenient = Rule(probe="polish/*", srd=0.1), Rule(probe="polish/one", srd=0.5)
    assert decided(report, [one], rules=[strict]).outcome == "fail"
    assert decided(report, [one], rules=[strict, lenient]).outcome == "pass"
    assert decided(report, [one], rules=[lenient, strict]).outcome == "fail"


def test_a_rule_makes_a_secondary_probe_count(report: Report) -> None:
    both = [finding(report, "one", 0.01), finding(report, "two", 0.3, primary=False)]
    assert decided(report, both).outcome == "pass"
    assert decided(report, both, rules=[Rule(probe="polish/two", severity="moderate")]).outcome == "fail"


def test_a_rule_that_fits_nothing_is_no_pass(report: Report) -> None:
    assert decided(report, [finding(report, "one", 0.0)], rules=[Rule(probe="other/*", srd=1)]).outcome == "unmeasured"


def test_too_few_clusters_are_no_pass(report: Report) -> None:
    few = finding(report, "one", 0.0, n_clusters=40)
    assert decided(report, [few]).outcome == "pass"
    assert decided(report, [few], minimum_clusters=100).outcome == "unmeasured"
    assert decided(report, [few], minimum_clusters=100, rules=[Rule(probe="*", minimum_clusters=30)]).outcome == "pass"


@pytest.mark.parametrize(
    ("value", "expected"), [(0.02, "pass"), (0.30, "fail"), (0.11, "inconclusive"), (None, "unmeasured")]
)
def test_limits_in_other_units(value: float | None, expected: str, report: Report) -> None:
    rate = NOTHING if value is None else around(value)
    one = finding(report, "one", 0.1, flip_rate=rate, unit_reasons={"flip_rate": "No labels."})
    outcome = decided(report, [one], rules=[Rule(probe="polish/one", srd=9.0, flip_rate=0.1)])
    assert outcome.outcome == expected
    if value is None:
        assert "No labels." in [check.reason for check in outcome.checks]


def test_rules_for_groups(report: Report) -> None:
    groups = [
        Group(name=name, margin="origin", srd=around(effect), n_units=80, n_items=300)
        for name, effect in (("a", 0.3), ("b", 0.0))
    ]
    names = finding(report, "names", 0.3, direction_of_bias="either", groups=groups)
    assert decided(report, [names]).outcome == "fail"
    assert decided(report, [names], rules=[Rule(probe="polish/names", group="b", srd=0.15)]).outcome == "pass"
    assert decided(report, [names], rules=[Rule(probe="polish/names", group="c", srd=0.15)]).outcome == "unmeasured"


def test_many_limits_make_no_false_alarm(report: Report) -> None:
    """Beyond the limit at p = 0.0006, which is enough for one limit and not among twenty."""
    half = 0.02
    reach = 3.47 * half / 1.968
    one = finding(report, "one", 0.15 + reach)
    many = [one, *(finding(report, f"p{number}", 0.12) for number in range(19))]
    assert [check.outcome for check in decided(report, [one]).checks] == ["fail"]
    assert decided(report, many).outcome == "inconclusive"


WAIVER = Waiver(probe="polish/one", scope="*", reason="retraining", owner="A. Person", expires=dt.date(2026, 5, 1))


def test_a_waiver_counts_until_its_last_day_and_stays_visible(report: Report) -> None:
    failing = [finding(report, "one", 0.5)]
    waived = decided(report, failing, waivers=[WAIVER])
    assert waived.outcome == "pass"
    (check,) = waived.checks
    assert check.outcome == "waived"
    assert all(word in check.reason for word in ("A. Person", "retraining", "2026-05-01", "0.50"))


def test_an_expired_waiver_bites_and_is_named(report: Report) -> None:
    old = WAIVER.model_copy(update={"expires": dt.date(2026, 4, 30)})
    outcome = decided(report, [finding(report, "one", 0.5)], waivers=[old])
    assert outcome.outcome == "fail"
    assert "expired" in outcome.checks[0].reason
    assert any("Expired waiver of A. Person" in note for note in outcome.notes)


@pytest.mark.parametrize(
    ("scope", "expected"), [("*", "pass"), ("identity", "pass"), ("0" * 12, "fail"), ("a", "fail"), ("", "fail")]
)
def test_the_scope_of_a_waiver(scope: str, expected: str, report: Report) -> None:
    named = report.model.identity[:12] if scope == "identity" else scope or "ab"
    waiver = WAIVER.model_copy(update={"scope": named})
    assert decided(report, [finding(report, "one", 0.5)], waivers=[waiver]).outcome == expected


def test_a_waiver_of_one_group_is_for_that_group(report: Report) -> None:
    groups = [Group(name=name, margin="m", srd=around(0.5), n_units=80, n_items=300) for name in "ab"]
    names = finding(report, "one", 0.5, direction_of_bias="either", groups=groups)
    one = WAIVER.model_copy(update={"scope": "a"})
    assert [check.outcome for check in decided(report, [names], waivers=[one]).checks] == ["waived", "fail"]


def test_what_was_not_measured_cannot_be_waived(report: Report) -> None:
    broken = finding(report, "one", 0.0, verdict="not_measurable", reason="constant")
    assert decided(report, [broken], waivers=[WAIVER]).outcome == "unmeasured"


def test_a_waiver_of_nothing_is_an_error(report: Report) -> None:
    wrong = WAIVER.model_copy(update={"probe": "polish/oen"})
    with pytest.raises(UsageError, match="Did you mean polish/one"):
        decided(report, [finding(report, "one", 0.5)], waivers=[wrong])


def test_demands_on_disclosure(report: Report) -> None:
    good = [finding(report, "one", 0.0)]
    filled = next(item.id for item in report.disclosure if item.provenance in {"measured", "extracted"})
    missing = next(item.id for item in report.disclosure if item.provenance == "missing")
    for rules, expected in (
        (DisclosureRules(items=[filled]), "pass"),
        (DisclosureRules(items=[missing]), "unmeasured"),
        (DisclosureRules(items=["Z9"]), "unmeasured"),
        (DisclosureRules(minimum_share=1.0), "unmeasured"),
    ):
        assert decided(report, good, disclosure=rules).outcome == expected
