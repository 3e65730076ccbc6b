"""The gate's rules. It fails only on evidence and passes only on evidence; whatever lies between is neither."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from rmaudit.gate.check import Check, Decision
from rmaudit.gate.probes import check_probes
from rmaudit.policy.rules import GatePolicy
from rmaudit.gate.run import check_run
from rmaudit.gate.waive import check_waivers, covers, expired
from rmaudit.policy import Policy
from rmaudit.reporting.report import Report

__all__ = ["Check", "Decision", "decide"]


def decide(
    report: Report, policy: Policy, today: dt.date | None = None, beside_baseline: Sequence[Check] = ()
) -> Decision:
    """Hold a finished run against a policy.

    Args:
        report: the run's report.
        policy: what is required.
        today: the day on which waivers are looked at; the current one when ``None``.
        beside_baseline: checks of the run against an earlier one.

    Raises:
        UsageError: when a waiver names a probe that the run does not have.
    """
    rules = policy.gate
    check_waivers(rules.waivers, [f"{finding.suite}/{finding.probe}" for finding in report.findings])
    probes = check_probes(report.findings, policy)
    checks = [*check_run(report, rules), *probes, *beside_baseline]
    day = today or dt.date.today()
    waived = [_waived(check, rules, report.model.identity, day) for check in checks]
    judged = sum(check.limit is not None for check in probes)
    notes = [
        f"Failures are corrected together, by Holm over {judged} limits at {rules.confidence:.1%} confidence; a pass "
        "needs each limit to be shown by itself."
    ]
    notes += [
        f"Expired waiver of {waiver.owner} for {waiver.probe} ({waiver.expires}): it no longer counts."
        for waiver in rules.waivers
        if expired(waiver, day)
    ]
    return Decision(tuple(waived), tuple(notes))


def _waived(check: Check, rules: GatePolicy, identity: str, today: dt.date) -> Check:
    """The check with its waiver. Only what was measured can be waived: a failure, or what is undecided."""
    if check.probe is None or check.outcome not in {"fail", "inconclusive"}:
        return check
    fit = [waiver for waiver in rules.waivers if covers(waiver, check.probe, check.group, identity)]
    valid = [waiver for waiver in fit if not expired(waiver, today)]
    if valid:
        waiver = max(valid, key=lambda each: each.expires)
        reason = f"{check.reason} Waived until {waiver.expires} by {waiver.owner}: {waiver.reason}"
        return dataclasses.replace(check, outcome="waived", reason=reason, waiver=waiver)
    if fit:
        waiver = max(fit, key=lambda each: each.expires)
        reason = f"{check.reason} The waiver of {waiver.owner} expired on {waiver.expires}."
        return dataclasses.replace(check, reason=reason, waiver=waiver)
    return check
