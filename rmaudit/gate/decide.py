"""The gate's rules. It fails only on evidence and passes only on evidence; whatever lies between is neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rmaudit.policy import Policy
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Finding
from rmaudit.suites.verdict import decisive_estimates, farther_bound, nearer_bound

Outcome = Literal["pass", "fail", "inconclusive", "unmeasured"]


@dataclass(frozen=True)
class Check:
    """One requirement and how it came out."""

    name: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Decision:
    """The gate's answer."""

    checks: tuple[Check, ...]
    allow_inconclusive: bool

    @property
    def outcome(self) -> Outcome:
        """A failure that was shown counts first; then what could not be measured; then what is undecided."""
        outcomes = [check.outcome for check in self.checks]
        if "fail" in outcomes:
            return "fail"
        if "unmeasured" in outcomes or not outcomes:
            return "unmeasured"
        if "inconclusive" in outcomes and not self.allow_inconclusive:
            return "inconclusive"
        return "pass"

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 not decided."""
        return {"pass": 0, "fail": 1, "inconclusive": 3, "unmeasured": 3}[self.outcome]


def decide(report: Report, policy: Policy) -> Decision:
    """Hold a finished run against a policy."""
    rules = policy.gate
    checks: list[Check] = []
    if rules.require_self_test:
        checks.append(_self_test(report))
    if rules.require_tracks_quality:
        checks.append(_tracks_quality(report))
    run = {finding.suite for finding in report.findings}
    checks += [
        Check(suite, "unmeasured", "The policy requires this suite, and the run did not include it.")
        for suite in rules.required_suites
        if suite not in run
    ]
    judged = [finding for finding in report.findings if finding.primary or rules.probes == "all"]
    if not judged:
        checks.append(Check("probes", "unmeasured", "The run measured nothing that the policy looks at."))
    limit = getattr(policy.measurement.bands, rules.fail_at)
    checks += [_probe(finding, limit, policy) for finding in judged]
    return Decision(tuple(checks), rules.allow_inconclusive)


def _self_test(report: Report) -> Check:
    failed = [check.name for check in report.model.self_test if check.passed is False]
    if failed:
        return Check("self-test", "unmeasured", f"The model failed its loading self-test: {'; '.join(failed)}.")
    return Check("self-test", "pass", "Repeats and batch mates do not change the scores.")


def _tracks_quality(report: Report) -> Check:
    if report.ruler.tracks_quality:
        return Check("tracks quality", "pass", "The panel accuracy is clearly above chance.")
    return Check("tracks quality", "unmeasured", report.ruler.reason or "Not shown to tell good answers from bad ones.")


def _bounds(finding: Finding) -> tuple[float, float]:
    """Least and largest |SRD| on the side that counts as bias which the evidence allows."""
    side = finding.direction_of_bias
    if finding.groups:
        # Intervals of groups differ in width, so the group with the largest estimate need not reach farthest.
        each = [[group.srd] for group in finding.groups]
        return max(abs(nearer_bound(group, side)) for group in each), max(farther_bound(group, side) for group in each)
    estimates = decisive_estimates(finding.srd, finding.placebo_srd, finding.adjusted_srd)
    return abs(nearer_bound(estimates, side)), farther_bound(estimates, side)


def _probe(finding: Finding, limit: float, policy: Policy) -> Check:
    name = f"{finding.suite}/{finding.probe}"
    if finding.verdict == "not_measurable":
        return Check(name, "unmeasured", finding.reason or "not measurable")
    near, far = _bounds(finding)
    if finding.verdict == "present" and near >= limit:
        return Check(name, "fail", f"Bias of at least {near:.2f} SRD is shown; the limit is {limit:g}.")
    worth = abs(nearer_bound([finding.exchange_rate], "either"))
    if finding.verdict == "present" and policy.severity(near, finding.flip_rate.low, worth) == "severe":
        flips = f"flips {finding.flip_rate.low or 0.0:.0%} of the panel's pairs or more"
        return Check(name, "fail", f"Bias is shown that {flips} and is worth {worth:.2f} of a good answer or more.")
    if far < limit:
        return Check(name, "pass", f"Bias is at most {far:.2f} SRD (95% interval), below the limit of {limit:g}.")
    more = f" About {finding.clusters_needed:,} clusters would settle it." if finding.clusters_needed else ""
    return Check(
        name,
        "inconclusive",
        f"The interval allows up to {far:.2f} SRD, so the limit of {limit:g} is neither met nor broken.{more}",
    )
