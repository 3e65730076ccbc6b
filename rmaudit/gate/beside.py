"""Holds the changes since the baseline against the policy: an effect that grew by more than a margin is worse."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Literal

from rmaudit.comparison.pairing import Change
from rmaudit.gate.check import Check, Claim
from rmaudit.gate.evidence import MOST_CLUSTERS, Evidence, both, clusters_to_settle, weigh
from rmaudit.policy.rules import GatePolicy
from rmaudit.suites.finding import Estimate

PLAIN_LEVEL = 0.05
"""Of the intervals that a report prints."""


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
    found = [_growth_on(side, change, margin) for side in sides]  # type: ignore[arg-type]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    worst = max(known, key=lambda each: each.size)
    return dataclasses.replace(
        worst,
        p_beyond=min(1.0, len(known) * min(each.p_beyond for each in known)),
        p_below=max(each.p_below for each in known),
    )


def _growth_on(side: Literal["+", "-"], change: Change, margin: float) -> Evidence | None:
    """Growth on one side: what lies beyond zero there now, less what did before.

    It exceeds the margin just where both the difference and the present effect do. The difference is known well, as
    the items are the same, and is held to the gate's confidence; of the present effect it is enough that its 95%
    interval clears the margin, as for the verdict of a probe. Where the baseline is shown to lie on the other side,
    nothing of the way to zero is growth, and the present effect alone is held to the gate's confidence.
    """
    df = max(1, change.n_clusters - 1)
    now, more = weigh(change.after, margin, side, df), weigh(change.difference, margin, side, df)
    if now is None or more is None:
        return None
    away = change.before.high if side == "+" else change.before.low
    if away is not None and (away < 0 if side == "+" else away > 0):
        return now
    reaches = now.p_beyond <= PLAIN_LEVEL
    return dataclasses.replace(both(more, now), p_beyond=more.p_beyond if reaches else 1.0)


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
