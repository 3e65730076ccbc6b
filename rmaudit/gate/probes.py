"""Holds the findings of a run against their limits.

Failing needs evidence that survives Holm's correction over everything that could fail, at the gate's confidence;
passing needs evidence for each limit by itself, since all of them must hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rmaudit.gate.check import Check
from rmaudit.gate.evidence import Evidence, both, clusters_to_settle, weigh
from rmaudit.policy.rules import GatePolicy, Rule
from rmaudit.policy import Policy
from rmaudit.stats.multiplicity import holm
from rmaudit.suites.finding import Estimate, Finding
from rmaudit.suites.verdict import decisive_estimates

SRD = "SRD"
FLIPS = "of the panel's pairs flipped"
WORTH = "of a good answer's worth"


@dataclass(frozen=True)
class _Limit:
    """One estimate of a finding against one limit."""

    finding: Finding
    rule: Rule
    unit: str
    limit: float
    evidence: Evidence | None
    group: str | None = None
    missing: str = ""
    """Why there is no evidence."""
    only_fails: bool = False
    """Whether it need not be shown to be below the limit, as its rule does not ask for it by name."""

    @property
    def name(self) -> str:
        """The probe, with group and unit where the unit is not the usual one."""
        parts = [_name(self.finding), self.group or "", "" if self.unit == SRD else self.unit.split()[-1]]
        return " ".join(part for part in parts if part)


def check_probes(findings: Sequence[Finding], policy: Policy) -> list[Check]:
    """Checks of all probes that the policy looks at, and of rules that find nothing to look at."""
    rules = policy.gate
    checks: list[Check] = []
    limits: list[_Limit] = []
    for finding in findings:
        rule = _rule(finding, rules)
        if rule is None:
            continue
        if finding.verdict == "not_measurable":
            reason = finding.reason or "It could not be measured."
            checks.append(Check(_name(finding), "unmeasured", reason, probe=_name(finding)))
            continue
        least = rule.minimum_clusters if rule.minimum_clusters is not None else rules.minimum_clusters
        if finding.n_clusters < least:
            reason = f"{finding.n_clusters:,} clusters were measured; the policy asks for {least:,}."
            checks.append(Check(_name(finding), "unmeasured", reason, probe=_name(finding), clusters_needed=least))
            continue
        limits += _limits(finding, rule, policy)
    for rule in rules.rules:
        if not any(fnmatchcase(_name(finding), rule.probe) for finding in findings):
            reason = f"The policy has a rule for {rule.probe}, and the run measured no such probe."
            checks.append(Check(rule.probe, "unmeasured", reason))
    if not checks and not limits:
        checks.append(Check("probes", "unmeasured", "The run measured nothing that the policy looks at."))
    alarms = holm([limit.evidence.p_beyond if limit.evidence and _may_fail(limit) else None for limit in limits])
    return checks + [check for limit, p in zip(limits, alarms, strict=True) for check in _check(limit, p, rules)]


def _rule(finding: Finding, rules: GatePolicy) -> Rule | None:
    """The rule that counts for a finding: the last that fits, or the general one where it is looked at."""
    fit = [rule for rule in rules.rules if fnmatchcase(_name(finding), rule.probe)]
    if fit:
        return fit[-1]
    return Rule(probe="*", severity=rules.fail_at) if finding.primary or rules.probes == "all" else None


def _limits(finding: Finding, rule: Rule, policy: Policy) -> Iterator[_Limit]:
    measurement = policy.measurement
    band = rule.severity or policy.gate.fail_at
    srd = rule.srd if rule.srd is not None else getattr(measurement.bands, band)
    df = max(1, finding.n_clusters - 1)
    side = finding.direction_of_bias
    groups = [group for group in finding.groups if fnmatchcase(group.name, rule.group)]
    if groups:
        for group in groups:
            evidence = weigh(group.srd, srd, side, max(1, group.n_units - 1))
            yield _Limit(finding, rule, SRD, srd, evidence, group=group.name, missing="The group has no estimate.")
    elif finding.groups:
        yield _Limit(finding, rule, SRD, srd, None, missing=f"The run has no group {rule.group!r}.")
    else:
        decisive = decisive_estimates(finding.srd, finding.placebo_srd, finding.adjusted_srd)
        weighed = [weigh(estimate, srd, side, df) for estimate in decisive]
        known = [each for each in weighed if each is not None]
        joint = None if len(known) < len(weighed) else known[0] if len(known) == 1 else both(*known)
        yield _Limit(finding, rule, SRD, srd, joint, missing="The effect has no estimate.")
    for unit, field, own, severe in (
        (FLIPS, "flip_rate", rule.flip_rate, measurement.severe_flip_rate),
        (WORTH, "exchange_rate", rule.exchange_rate, measurement.severe_exchange_rate),
    ):
        estimate: Estimate = getattr(finding, field)
        direction = "+" if unit == FLIPS else side
        limit = severe if own is None else own
        evidence = weigh(estimate, limit, direction, df)
        if own is not None or evidence is not None:
            missing = finding.unit_reasons.get(field, "It was not measured.")
            yield _Limit(finding, rule, unit, limit, evidence, missing=missing, only_fails=own is None)


def _may_fail(limit: _Limit) -> bool:
    """Only an effect that the measurement itself calls present can break a limit."""
    return limit.finding.verdict == "present"


def _check(limit: _Limit, p: float | None, rules: GatePolicy) -> Iterator[Check]:
    level = 1 - rules.confidence
    found, finding = limit.evidence, limit.finding
    allowed = rules.allow_inconclusive if limit.rule.allow_inconclusive is None else limit.rule.allow_inconclusive

    def check(outcome: str, reason: str, needed: int | None = None) -> Check:
        return Check(
            limit.name, outcome, reason, probe=_name(finding), group=limit.group, size=found.size if found else None,  # type: ignore[arg-type]
            limit=limit.limit, unit=limit.unit, clusters_needed=needed, allow_inconclusive=allowed,
        )  # fmt: skip

    if found is None:
        yield check("unmeasured", limit.missing)
        return
    size, bar = found.told(limit.unit), f"{limit.limit:g}"
    if p is not None and p <= level:
        yield check("fail", f"Shown to be beyond the limit of {bar}: {size} (adjusted p {p:.1g}).")
    elif limit.only_fails:
        return
    elif found.p_below <= level:
        yield check("pass", f"Shown to be below the limit of {bar}: {size}.")
    else:
        needed = clusters_to_settle(found, limit.limit, finding.n_clusters, rules.confidence)
        many = f"{needed:,}" if needed < 1_000_000 else "More than a million"
        reason = (
            f"{size}: at {rules.confidence:.1%} confidence neither shown to be beyond the limit of {bar} nor "
            f"below it. {many} clusters would settle it, if it is as large as it seems; there are "
            f"{finding.n_clusters:,}."
        )
        yield check("inconclusive", reason, needed)


def _name(finding: Finding) -> str:
    return f"{finding.suite}/{finding.probe}"
