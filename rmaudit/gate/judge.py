"""From a saved run to the gate's result: reads run, policy and baseline, decides, and blesses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rmaudit.compare import changes, open_run
from rmaudit.disclosure.merge import disclosed, run_report
from rmaudit.disclosure.questionnaire import DeclaredFile
from rmaudit.errors import CannotMeasureError
from rmaudit.gate.baseline import age, baseline_run, bless, is_empty
from rmaudit.gate.beside import check_changes
from rmaudit.gate.check import Check, Decision
from rmaudit.gate.decide import decide
from rmaudit.gate.result import GateResult
from rmaudit.policy import Policy
from rmaudit.reporting.report import Report


def judge(
    run: Path,
    policy: Policy,
    baseline: Path | None = None,
    now: dt.datetime | None = None,
    report: Report | None = None,
    disclosure: DeclaredFile | None = None,
    *,
    blessing: bool = False,
) -> GateResult:
    """Decide on a finished run.

    A run or a baseline that cannot be read or compared gives a result that says so, with exit code 3.

    Args:
        run: run folder of a finished scan.
        policy: what is required.
        baseline: an earlier run, or a folder in which one was blessed.
        now: the moment of the decision, for waivers and the baseline's age.
        report: in place of the run's own, where probes were scanned again.
        disclosure: declared answers, for what the policy demands to be disclosed.
        blessing: whether the run is to become the baseline; then there need not be one yet.

    Raises:
        UsageError: when a waiver names a probe that the run does not have.
    """
    moment = now or dt.datetime.now(dt.UTC)
    name = f"{policy.name} v{policy.version}"
    try:
        report = report or run_report(run)
        report = disclosed(report, disclosure) if disclosure is not None else report
    except CannotMeasureError as error:
        return GateResult(Decision((Check("run", "unmeasured", str(error)),)), str(run), "", "", name)
    first = blessing and baseline is not None and is_empty(baseline)
    beside, notes = ((), ("Baseline: none yet.",)) if first else _beside(run, policy, baseline, moment)
    decision = decide(report, policy, moment.date(), beside)
    decision = replace(decision, notes=(*decision.notes, *notes))
    decided = {check.probe for check in decision.checks}
    also = [
        f"{found.suite}/{found.probe}"
        for found in report.findings
        if found.verdict == "present" and f"{found.suite}/{found.probe}" not in decided
    ]
    return GateResult(decision, str(run), report.model.source, report.model.identity, name, tuple(also))


def _beside(
    run: Path, policy: Policy, baseline: Path | None, now: dt.datetime
) -> tuple[Sequence[Check], Sequence[str]]:
    rules = policy.gate.baseline
    if baseline is None:
        if rules.required:
            return [Check("baseline", "unmeasured", "The policy requires a baseline. Name one with --baseline.")], ()
        return (), ()
    try:
        place, blessing = baseline_run(baseline)
        found = changes(open_run(place), open_run(run))
    except CannotMeasureError as error:
        return [Check("baseline", "unmeasured", str(error))], ()
    checks = check_changes(found, policy.gate)
    if blessing is None:
        return checks, (f"Baseline: the run in {place}.",)
    days = age(blessing.blessed, now)
    words = f"Baseline: {blessing.run}, blessed {days} days ago under {blessing.policy} (model {blessing.model[:12]})."
    if rules.max_age_days is not None and days > rules.max_age_days:
        reason = f"It was blessed {days} days ago; the policy takes none older than {rules.max_age_days}."
        checks = [Check("age of the baseline", "unmeasured", reason), *checks]
    return checks, (words,)


def bless_if_passed(result: GateResult, run: Path, baseline: Path, now: dt.datetime | None = None) -> str:
    """Make the run the new baseline where the gate passed it, and say what was done."""
    if result.decision.outcome != "pass":
        return "Not blessed: only a run that passes the gate becomes the baseline."
    blessing = bless(run, baseline, result.policy, now or dt.datetime.now(dt.UTC))
    return f"Blessed: {blessing.run} is now the baseline in {baseline}."
