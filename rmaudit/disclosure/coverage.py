"""What an audit says about each known challenge of learning from human feedback, and what it leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from rmaudit.disclosure.records import CoverageRow
from rmaudit.suites.finding import Finding, Verdict

_WORST_FIRST: tuple[Verdict, ...] = ("present", "not_measurable", "inconclusive", "negligible")


class Challenge(BaseModel):
    """One challenge of Casper et al. (2023), and which parts of the toolkit speak to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    challenge: str
    field: str
    access: Literal["reward-model", "disclosure"]
    """Whether the reward model alone can say anything about it."""
    measured: list[str] = Field(default_factory=list)
    """Findings that speak to it: ``suite`` (its primary probe) or ``suite/probe``."""
    panel: str | None = None
    """What the panel shows about it, without a verdict."""
    needs: str | None = None
    """What a test would take."""

    @model_validator(mode="after")
    def _answerable(self) -> Challenge:
        if not self.measured and not self.needs:
            raise ValueError(f"challenge {self.id} is measured by nothing and does not say what it needs")
        if self.access == "disclosure" and (self.measured or self.panel):
            raise ValueError(f"challenge {self.id} is for disclosure only, but something measures it")
        return self


@cache
def challenges() -> tuple[Challenge, ...]:
    """All challenges, in the order of the review."""
    return tuple(TypeAdapter(list[Challenge]).validate_python(_table()["challenges"]))


def beside() -> dict[str, str]:
    """Shipped probes that speak to no challenge by themselves, with the reason."""
    return TypeAdapter(dict[str, str]).validate_python(_table()["beside"])


def coverage_rows(findings: Sequence[Finding]) -> list[CoverageRow]:
    """One row for each challenge, always all of them.

    The status is the worst verdict (present, not measurable, inconclusive, negligible) of the findings that speak
    to the challenge. A finding that was not made leaves it ``not_tested``; a challenge on which the reward model
    can say nothing is ``disclosure_only``.
    """
    return [_row(challenge, findings) for challenge in challenges()]


@cache
def _table() -> dict[str, Any]:
    return dict(yaml.safe_load(Path(__file__).with_name("coverage.yaml").read_text(encoding="utf-8")))


def _row(challenge: Challenge, findings: Sequence[Finding]) -> CoverageRow:
    speaking = [finding for finding in findings if _speaks(finding, challenge.measured)]
    if speaking:
        verdicts = [finding.verdict for finding in speaking]
        return CoverageRow(
            id=challenge.id,
            challenge=challenge.challenge,
            field=challenge.field,
            status=min(verdicts, key=_WORST_FIRST.index),
            measured_by=[_name(finding) for finding in speaking],
            reason=_reason(challenge, speaking),
        )
    if challenge.access == "disclosure":
        return CoverageRow(
            id=challenge.id,
            challenge=challenge.challenge,
            field=challenge.field,
            status="disclosure_only",
            measured_by=[],
            reason=f"Access to the reward model cannot show it. Needed: {_lower(challenge.needs or '')}",
        )
    reasons = []
    if challenge.panel:
        reasons.append(challenge.panel)
    if challenge.measured:
        reasons.append(f"Not run: {', '.join(challenge.measured)}.")
    if challenge.needs:
        reasons.append(f"A test would need: {_lower(challenge.needs)}")
    return CoverageRow(
        id=challenge.id,
        challenge=challenge.challenge,
        field=challenge.field,
        status="not_tested",
        measured_by=["panel"] if challenge.panel else [],
        reason=" ".join(reasons),
    )


def _speaks(finding: Finding, measured: Sequence[str]) -> bool:
    return f"{finding.suite}/{finding.probe}" in measured or (finding.primary and finding.suite in measured)


def _name(finding: Finding) -> str:
    return finding.suite if finding.primary else f"{finding.suite}/{finding.probe}"


def _reason(challenge: Challenge, speaking: Sequence[Finding]) -> str:
    told = "; ".join(
        f"{verdict.replace('_', ' ')}: {', '.join(named)}"
        for verdict in _WORST_FIRST
        if (named := [_name(finding) for finding in speaking if finding.verdict == verdict])
    )
    names = {_name(finding) for finding in speaking}
    absent = [entry for entry in challenge.measured if entry not in names]
    parts = [
        f"{told[:1].upper()}{told[1:]}." if len(speaking) > 1 else "",
        f"Not run: {', '.join(absent)}." if absent else "",
        "One view of this challenge, not the whole of it.",
    ]
    return " ".join(part for part in parts if part)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
