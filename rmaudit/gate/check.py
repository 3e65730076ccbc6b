"""One requirement, how it came out, and what the checks of a run say together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rmaudit.policy.rules import Waiver

Outcome = Literal["pass", "fail", "inconclusive", "unmeasured", "waived"]


@dataclass(frozen=True)
class Check:
    """One requirement and how it came out."""

    name: str
    """What it is about: ``suite/probe``, with group or unit where there are several, or a requirement of the run."""
    outcome: Outcome
    reason: str
    """Why, with the numbers."""
    probe: str | None = None
    """``suite/probe``, where it is about one."""
    group: str | None = None
    size: float | None = None
    """Estimated size on the side that counts, in `unit`."""
    limit: float | None = None
    unit: str | None = None
    clusters_needed: int | None = None
    """Clusters that would settle what is inconclusive."""
    allow_inconclusive: bool = False
    since_baseline: bool = False
    """Whether it is about the change since the baseline, which more items of one run alone cannot settle."""
    waiver: Waiver | None = None
    """The waiver that covers it, also where it has expired."""

    @property
    def allowed(self) -> bool:
        """Whether it is undecided and the policy lets that pass."""
        return self.outcome == "inconclusive" and self.allow_inconclusive


@dataclass(frozen=True)
class Claim:
    """A limit that waits for the others: failures are corrected over all that could fail."""

    p_beyond: float | None
    """p-value of the size not being beyond the limit; ``None`` where there is no estimate."""
    settled: Callable[[float | None], Check | None]
    """The check, given the corrected p-value; ``None`` for a limit that is only looked at to fail."""


@dataclass(frozen=True)
class Decision:
    """The gate's answer."""

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    """What a reader must know beside the checks: how they were corrected, waivers, age of the baseline."""

    @property
    def outcome(self) -> Outcome:
        """A failure that was shown counts first; then what could not be measured; then what is undecided."""
        outcomes = [check.outcome for check in self.checks]
        if "fail" in outcomes:
            return "fail"
        if "unmeasured" in outcomes or not outcomes:
            return "unmeasured"
        if any(check.outcome == "inconclusive" and not check.allowed for check in self.checks):
            return "inconclusive"
        return "pass"

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 not decided."""
        return {"pass": 0, "fail": 1, "inconclusive": 3, "unmeasured": 3}[self.outcome]
