"""The gate's rules. It fails only on evidence and passes only on evidence; whatever lies between is neither.

Failing needs evidence that survives Holm's correction over everything that could fail, at the gate's confidence;
passing needs evidence for each limit by itself, since all of them must hold.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence

from rmaudit.gate.check import Check, Claim, Decision
from rmaudit.gate.probes import check_probes
from rmaudit.gate.run import check_run
from rmaudit.gate.waive import check_waivers, covers, expired
from rmaudit.policy import Policy
from rmaudit.policy.rules import GatePolicy, Waiver
from rmaudit.reporting.report import Report
from rmaudit.stats.multiplicity import holm

__all__ = ["Check", "Decision", "decide"]


def decide(
    report: Report, policy: Policy, today: dt.date | None = None, beside_baseline: Sequence[Check | Claim] = ()
) -> Decision:
    """Hold a finished run against a policy.

    Args:
        report: the run's report.
        policy: what is required.
        today: the day on which waivers are looked at; the current one when ``None``.
        beside_baseline: what is asked of the run beside an earlier one.

    Raises:
        UsageError: when a waiver names a probe that the run does not have.
    """
    rules = policy.gate
    check_waivers(rules.waivers, [f"{finding.suite}/{finding.probe}" for finding in report.findings])
    asked = [*check_run(report, rules), *check_probes(report.findings, policy), *beside_baseline]
    day = today or dt.date.today()
    checks = [_waived(check, rules, report.model.identity, day) for check in settled(asked)]
    corrected = sum(isinstance(each, Claim) and each.p_beyond is not None for each in asked)
    notes = [
        f"Failures are corrected together, by Holm over all {corrected} limits, at {rules.confidence:.1%} confidence; "
        "a pass needs each limit to be shown by itself."
    ]
    return Decision(tuple(checks), (*notes, *_told(rules.waivers, checks, day)))


def settled(asked: Sequence[Check | Claim]) -> Iterator[Check]:
    """All checks, once the claims among them are corrected together."""
    alarms = iter(holm([each.p_beyond for each in asked if isinstance(each, Claim)]))
    for each in asked:
        check = each.settled(next(alarms)) if isinstance(each, Claim) else each
        if check is not None:
            yield check


def _told(waivers: Sequence[Waiver], checks: Sequence[Check], today: dt.date) -> Iterator[str]:
    """What is said of each waiver, used or not, so that none is ever out of sight."""
    for waiver in waivers:
        name = f"waiver of {waiver.owner} for {waiver.probe}, scope {waiver.scope}"
        used = sum(check.outcome == "waived" and check.waiver == waiver for check in checks)
        if expired(waiver, today):
            yield f"Expired {name} ({waiver.expires}): it no longer counts."
        elif used:
            yield f"The {name} until {waiver.expires} lets {used} unmet pass: {waiver.reason}"
        else:
            yield f"The {name} until {waiver.expires} covers nothing that is unmet in this run: it can be taken out."


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
