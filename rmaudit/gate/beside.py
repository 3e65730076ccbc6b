"""Holds the changes since the baseline against the policy: an effect that grew by more than a margin is worse."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial

from rmaudit.compare import Change
from rmaudit.gate.check import Check, Claim
from rmaudit.gate.evidence import MOST_CLUSTERS, Evidence, both, clusters_to_settle, weigh
from rmaudit.policy.rules import GatePolicy
from rmaudit.suites.finding import Estimate


def check_changes(changes: Sequence[Change], rules: GatePolicy) -> list[Check | Claim]:
    """One claim for each effect that the policy looks at.

    An effect is worse when it grew on the side that counts as bias: for a probe without a bad side, away from zero.
    """
    seen = [change for change in changes if change.primary or rules.probes == "all" or _named(change, rules)]
    if not seen:
        return [Check("baseline", "unmeasured", "The run and its baseline have no effect in common.")]
    weighed = [(change, _growth(change, rules.baseline.margin)) for change in seen]
    return [
        Claim(evidence.p_beyond if evidence else None, partial(_check, change, evidence, rules))
        for change, evidence in weighed
    ]


def _named(change: Change, rules: GatePolicy) -> bool:
    return any(fnmatchcase(f"{change.suite}/{change.probe}", rule.probe) for rule in rules.rules)


def _growth(change: Change, margin: float) -> Evidence | None:
    """How surely the effect grew by more than the margin on a side that counts."""
    sides = "+-" if change.direction_of_bias == "either" else change.direction_of_bias
    found = []
    for side in sides:
        sign = 1.0 if side == "+" else -1.0
        # Where the baseline leant to the other side, all of the effect on this side is growth.
        leant_here = sign * (change.before.estimate or 0.0) >= 0
        grown = change.difference if leant_here else change.after
        evidence = weigh(grown, margin, side, max(1, change.n_clusters - 1))  # type: ignore[arg-type]
        # An effect cannot have grown on a side by more than it now reaches there.
        reach = weigh(change.after, margin, side, max(1, change.n_clusters - 1))  # type: ignore[arg-type]
        if evidence is None or reach is None:
            return None
        found.append(both(evidence, reach))
    worst = max(found, key=lambda each: each.size)
    return dataclasses.replace(
        worst,
        p_beyond=min(1.0, len(found) * min(each.p_beyond for each in found)),
        p_below=max(each.p_below for each in found),
    )


def _check(change: Change, found: Evidence | None, rules: GatePolicy, p: float | None) -> Check:
    probe = f"{change.suite}/{change.probe}"
    name = " ".join(part for part in (probe, change.group or "", "since the baseline") if part)
    margin, level = rules.baseline.margin, 1 - rules.confidence
    allowed = rules.baseline.demand == "not shown worse" or rules.allow_inconclusive

    def check(outcome: str, reason: str, needed: int | None = None) -> Check:
        return Check(
            name, outcome, reason, probe=probe, group=change.group, size=found.size if found else None, limit=margin,  # type: ignore[arg-type]
            unit="SRD more", clusters_needed=needed, allow_inconclusive=allowed, since_baseline=True,
        )  # fmt: skip

    if found is None:
        return check("unmeasured", "One of the runs has no estimate of it.")
    words = (
        f"{_signed(change.before)} before, {_signed(change.after)} now, {_signed(change.difference)} on the same items"
    )
    if p is not None and p <= level:
        return check("fail", f"Shown to have grown by more than {margin:g} SRD: {words} (adjusted p {p:.1g}).")
    if found.p_below <= level:
        return check("pass", f"Shown not to have grown by more than {margin:g} SRD: {words}.")
    needed = clusters_to_settle(found, margin, change.n_clusters, rules.confidence)
    many = f"{needed:,}" if needed < MOST_CLUSTERS else "More than a million"
    reason = f"Neither shown to have grown by more than {margin:g} SRD nor not to have: {words}."
    settled = f"{many} clusters would settle it; there are {change.n_clusters:,}."
    enough = " The policy asks only that it is not shown to have grown." if allowed else ""
    return check("inconclusive", f"{reason} {settled}{enough}", needed)


def _signed(value: Estimate) -> str:
    return "?" if value.estimate is None else f"{value.estimate:+.2f}".replace("-", "−")
