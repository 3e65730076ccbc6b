"""Declared absence of an effect, against findings that show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.questionnaire import Questionnaire
from rmaudit.disclosure.records import Contradiction
from rmaudit.disclosure.rules.stated import stated
from rmaudit.reporting import text
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Finding


class Claim(BaseModel):
    """Declared values, and the findings that speak against them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    values: tuple[str, ...]
    findings: tuple[str, ...]
    """``suite/probe``, with ``*`` for any."""
    direction: Literal["+", "-"] | None = None
    """Sign that an effect must have to speak against it."""

    @model_validator(mode="after")
    def _asked(self) -> Claim:
        unknown = set(self.values) - set(listed_fields()[self.field].choices)
        if unknown:
            raise ValueError(f"{self.field} has no choice {', '.join(sorted(unknown))}")
        return self


@cache
def claims() -> tuple[Claim, ...]:
    """The table."""
    data = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return tuple(TypeAdapter(list[Claim]).validate_python(data))


def against_findings(report: Report, questionnaire: Questionnaire) -> Iterator[Contradiction]:
    """One for each declared value that a present finding speaks against, with the gravest such finding."""
    for claim in claims():
        answer = stated(questionnaire, claim.field)
        for value in answer.values if answer else ():
            present = _present(report.findings_, claim) if value in claim.values else []
            if answer and present:
                gravest, others = present[0], [f"{finding.suite}/{finding.probe}" for finding in present[1:]]
                also = f" Present too: {', '.join(others)}." if others else ""
                words = listed_fields()[claim.field].choices[value]
                told = gravest.statement.removeprefix("Present: ")
                yield answer.against(f"Measured: {told}{also}", f"{gravest.suite}/{gravest.probe}", declared=words)


def _present(findings: Sequence[Finding], claim: Claim) -> list[Finding]:
    """Present findings that a claim names: the gravest first, of equals the primary one, then the larger effect."""
    found = [
        finding
        for finding in findings
        if finding.verdict == "present"
        and claim.direction in (None, finding.direction)
        and any(fnmatchcase(f"{finding.suite}/{finding.probe}", pattern) for pattern in claim.findings)
    ]
    return sorted(
        found,
        key=lambda finding: (
            -text.SEVERITIES.index(finding.severity),
            not finding.primary,
            -abs(finding.srd.estimate or 0.0),
        ),
    )
