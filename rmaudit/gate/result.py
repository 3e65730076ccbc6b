"""A decision with what it is about: the one object from which every output of the gate is rendered."""

from __future__ import annotations

from dataclasses import dataclass

from rmaudit.gate.check import Check, Decision, Outcome

WORDS: dict[Outcome, str] = {
    "pass": "PASSED: every requirement is shown to be met.",
    "fail": "FAILED: a requirement is shown not to be met.",
    "inconclusive": "NOT DECIDED: a requirement is neither shown to be met nor shown not to be; this is no pass.",
    "unmeasured": "NOT MEASURED: something that is required could not be measured; this is no pass.",
}
GRAVEST_FIRST: tuple[Outcome, ...] = ("fail", "unmeasured", "inconclusive", "waived", "pass")


@dataclass(frozen=True)
class GateResult:
    """A decision, and on what."""

    decision: Decision
    run: str
    """Run folder, as the user named it."""
    source: str
    """Source of the model as it was scanned; empty where the run could not be read."""
    identity: str
    policy: str
    """Name and version of the policy."""
    also: tuple[str, ...] = ()
    """Probes that show a bias and that the policy does not decide on."""

    @property
    def words(self) -> str:
        """The outcome in a sentence."""
        words = WORDS[self.decision.outcome]
        waived = sum(check.outcome == "waived" for check in self.decision.checks)
        open_ = sum(check.allowed for check in self.decision.checks)
        if self.decision.outcome != "pass" or not (waived or open_):
            return words
        parts = [f"{waived} waived"] * bool(waived) + [f"{open_} that the policy lets stay undecided"] * bool(open_)
        return f"PASSED: every requirement is shown to be met, but for {' and '.join(parts)}."

    @property
    def checks(self) -> list[Check]:
        """The gravest checks first, else in their order."""
        return sorted(self.decision.checks, key=lambda check: GRAVEST_FIRST.index(check.outcome))
