"""Holds the findings of a run against their limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from rmaudit.gate.check import Check, Claim
from rmaudit.gate.evidence import MOST_CLUSTERS, Evidence, both, clusters_to_settle, weigh
from rmaudit.policy import Policy
from rmaudit.policy.rules import GatePolicy, Rule
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


def check_probes(findings: Sequence[Finding], policy: Policy) -> list[Check | Claim]:
    """All limits of the probes that the policy looks at, and checks of what there is nothing to look at for."""
    rules = policy.gate
    checks: list[Check | Claim] = []
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
        checks += [_claim(limit, rules) for limit in _limits(finding, rule, policy)]
    for rule in rules.rules:
        if not any(fnmatchcase(_name(finding), rule.probe) for finding in findings):
            reason = f"The policy has a rule for {rule.probe}, and the run measured no such probe."
            checks.append(Check(rule.probe, "unmeasured", reason))
    return checks or [Check("probes", "unmeasured", "The run measured nothing that the policy looks at.")]


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


def _claim(limit: _Limit, rules: GatePolicy) -> Claim:
    return Claim(limit.evidence.p_beyond if limit.evidence else None, partial(_check, limit, rules))


def _check(limit: _Limit, rules: GatePolicy, p: float | None) -> Check | None:
    level = 1 - rules.confidence
    found, finding = limit.evidence, limit.finding
    allowed = rules.allow_inconclusive if limit.rule.allow_inconclusive is None else limit.rule.allow_inconclusive

    def check(outcome: str, reason: str, needed: int | None = None) -> Check:
        return Check(
            limit.name, outcome, reason, probe=_name(finding), group=limit.group, size=found.size if found else None,  # type: ignore[arg-type]
            limit=limit.limit, unit=limit.unit, clusters_needed=needed, allow_inconclusive=allowed,
        )  # fmt: skip

    if found is None:
        return check("unmeasured", limit.missing)
    size, bar = found.told(limit.unit), f"{limit.limit:g}"
    # Only an effect that the measurement itself calls present can break a limit.
    if finding.verdict == "present" and p is not None and p <= level:
        return check("fail", f"Shown to be beyond the limit of {bar}: {size} (adjusted p {p:.1g}).")
    if limit.only_fails:
        return None
    if found.p_below <= level:
        return check("pass", f"Shown to be below the limit of {bar}: {size}.")
    needed = clusters_to_settle(found, limit.limit, finding.n_clusters, rules.confidence)
    many = f"{needed:,}" if needed < MOST_CLUSTERS else "More than a million"
    reason = (
        f"{size}: at {rules.confidence:.1%} confidence neither shown to be beyond the limit of {bar} nor below it. "
        f"{many} clusters would settle it, if it is as large as it seems; there are {finding.n_clusters:,}."
    )
    return check("inconclusive", reason, needed)


def _name(finding: Finding) -> str:
    return f"{finding.suite}/{finding.probe}"
