"""From a saved run to the gate's result: reads run, policy and baseline, decides, and blesses."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rmaudit.comparison.pairing import changes, open_run
from rmaudit.disclosure.merge import disclosed
from rmaudit.disclosure.questionnaire import DeclaredFile
from rmaudit.errors import CannotMeasureError, RunError
from rmaudit.gate.baseline import age, baseline_run, bless, is_empty
from rmaudit.gate.beside import check_changes
from rmaudit.gate.check import Check, Claim, Decision
from rmaudit.gate.decide import decide
from rmaudit.gate.result import GateResult
from rmaudit.policy import Policy
from rmaudit.reporting.report import Report
from rmaudit.runs.folder import RunFolder


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
        report = report or intact_report(run)
        report = disclosed(report, disclosure) if disclosure is not None else report
    except CannotMeasureError as error:
        return GateResult(Decision((Check("run", "unmeasured", str(error)),)), str(run), "", "", name)
    beside, notes = _beside(run, policy, baseline, moment, blessing=blessing)
    decision = decide(report, policy, moment.date(), beside)
    decision = replace(decision, notes=(*decision.notes, *notes))
    decided = {check.probe for check in decision.checks}
    also = [
        f"{found.suite}/{found.probe}"
        for found in report.findings
        if found.verdict == "present" and f"{found.suite}/{found.probe}" not in decided
    ]
    return GateResult(decision, str(run), report.model.source, report.model.identity, name, tuple(also))


def intact_report(run: Path) -> Report:
    """The report of a finished run, as the scan wrote it.

    Raises:
        RunError: when the run is incomplete or damaged, or its report was changed since.
    """
    report = Report.load(run)
    written = RunFolder(run).complete_manifest().report_sha256
    if written and hashlib.sha256((run / "report.json").read_bytes()).hexdigest() != written:
        raise RunError(
            f"{run / 'report.json'} is not as the scan wrote it, so nothing is decided on it. "
            f"See what was changed with: rmaudit verify {run}"
        )
    return report


def _beside(
    run: Path, policy: Policy, baseline: Path | None, now: dt.datetime, *, blessing: bool
) -> tuple[Sequence[Check | Claim], Sequence[str]]:
    """What is asked beside the baseline, and what a reader must know of it."""
    rules = policy.gate.baseline
    if baseline is None:
        if rules.required:
            return [Check("baseline", "unmeasured", "The policy requires a baseline. Name one with --baseline.")], ()
        return (), ()
    try:
        if blessing and is_empty(baseline):
            return (), ("Baseline: none yet.",)
        place, current = baseline_run(baseline)
        checks = check_changes(changes(open_run(place), open_run(run)), policy.gate)
    except CannotMeasureError as error:
        return [Check("baseline", "unmeasured", str(error))], ()
    if current is None:
        return checks, (f"Baseline: the run in {place}.",)
    days = age(current.blessed, now)
    words = f"Baseline: {current.run}, blessed {_ago(days)} under {current.policy} (model {current.model[:12]})."
    if rules.max_age_days is not None and days > rules.max_age_days:
        reason = f"It was blessed {_ago(days)}; the policy takes none older than {rules.max_age_days} days."
        checks = [Check("age of the baseline", "unmeasured", reason), *checks]
    return checks, (words,)


def _ago(days: int) -> str:
    return "today" if days == 0 else "1 day ago" if days == 1 else f"{days:,} days ago"


def bless_if_passed(result: GateResult, run: Path, baseline: Path, now: dt.datetime | None = None) -> str:
    """Make the run the new baseline where the gate passed it, and say what was done."""
    if result.decision.outcome != "pass":
        return "Not blessed: only a run that passes the gate becomes the baseline."
    blessing = bless(run, baseline, result.policy, now or dt.datetime.now(dt.UTC))
    return f"Blessed: {blessing.run} is now the baseline in {baseline}."
