"""The report: the one object from which every output is rendered. Its JSON form is the file contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rmaudit.models.interface import SelfCheck
from rmaudit.suites.finding import DomainAccuracy, Estimate, Finding, Ruler

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CoverageRow",
    "DisclosureItem",
    "DomainAccuracy",
    "Estimate",
    "Finding",
    "Findings",
    "ModelBlock",
    "Report",
    "Ruler",
    "RunBlock",
    "SelfCheck",
    "Settings",
]


SCHEMA: Literal["rmaudit.report/1"] = "rmaudit.report/1"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelBlock(_Frozen):
    """Which model, how it was recognised, how its scalar is computed."""

    source: str
    identity: str
    """sha256 over all files that take part in the score."""
    revision: str | None
    format: str
    evidence: list[str]
    architecture: str | None
    parameters: int | None
    head: str | None
    pooling: str | None
    dtype: str | None
    template: str | None
    max_length: int | None
    self_test: list[SelfCheck]


class CoverageRow(_Frozen):
    """One challenge of Casper et al. (2023) and what this run says about it."""

    id: str
    challenge: str
    field: str
    """Disclosure items that it feeds."""
    status: Literal["present", "negligible", "inconclusive", "not_measurable", "disclosure_only", "not_tested"]
    measured_by: list[str]
    """Suites or checks of this run that speak to it."""
    reason: str


class DisclosureItem(_Frozen):
    """One item of the disclosure list."""

    id: str
    title: str
    value: str | None
    provenance: Literal["measured", "extracted", "declared", "missing", "refused"]
    evidence: str | None
    reason: str | None


class RunBlock(_Frozen):
    """What differs between two runs of the same audit: times and machine."""

    id: str
    started: str
    finished: str
    seconds: float
    host: str
    versions: dict[str, str]
    conversations: int
    unique_conversations: int
    tokens: int | None
    command: str
    """Command that repeats the audit."""


class Settings(_Frozen):
    """What was asked for."""

    suites: list[str]
    tier: str
    seed: int
    policy: str
    policy_version: int
    suite_sha256: dict[str, str]


class Report(_Frozen):
    """A finished audit. ``report.json`` is this object; the same inputs give the same bytes apart from `run`."""

    schema_: Literal["rmaudit.report/1"] = Field(alias="schema", default=SCHEMA)
    headline: str
    """The verdict in a sentence."""
    warnings: list[str]
    """What a reader must know before any number, the gravest first."""
    model: ModelBlock
    settings: Settings
    ruler: Ruler
    findings_: list[Finding] = Field(alias="findings")
    coverage: list[CoverageRow]
    disclosure: list[DisclosureItem]
    caveats: list[str]
    feedback: dict[str, Any] | None = None
    redteam: dict[str, Any] | None = None
    run: RunBlock

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def findings(self) -> Findings:
        """The findings, primary probes first within their suite."""
        return Findings(self.findings_)

    def to_json(self) -> bytes:
        """The report as it stands in ``report.json``: numbers to six significant digits, no NaN."""
        data = _rounded(self.model_dump(mode="json", by_alias=True))
        return (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

    @classmethod
    def load(cls, run: str | Path) -> Report:
        """Read the report of a finished run folder (or a ``report.json``).

        Raises:
            RunError: when there is none, or it cannot be read.
        """
        from rmaudit.runs.folder import read_report

        return read_report(Path(run))


class Findings(list[Finding]):
    """A list of findings that becomes a table."""

    def to_frame(self) -> pd.DataFrame:
        """One row a finding; estimates become three columns (``srd``, ``srd_low``, ``srd_high`` …)."""
        import pandas as pd

        rows = []
        for finding in self:
            row: dict[str, Any] = {}
            for name, value in finding:
                if isinstance(value, Estimate):
                    row |= {name: value.estimate, f"{name}_low": value.low, f"{name}_high": value.high}
                elif not isinstance(value, list | dict | BaseModel):
                    row[name] = value
            rows.append(row)
        return pd.DataFrame(rows)


def differences(recomputed: Report, published: Report) -> list[str]:
    """Paths of the values in which two reports differ, their `run` blocks left out."""
    found: list[str] = []

    def walk(path: str, a: Any, b: Any) -> None:
        if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
            for key in a:
                walk(f"{path}.{key}" if path else key, a[key], b[key])
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            for index, (left, right) in enumerate(zip(a, b, strict=True)):
                walk(f"{path}[{index}]", left, right)
        elif a != b:
            found.append(f"{path}: published {_short(b)}, recomputed {_short(a)}")

    walk(
        "",
        recomputed.model_dump(exclude={"run"}, by_alias=True),
        published.model_dump(exclude={"run"}, by_alias=True),
    )
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _rounded(value: Any) -> Any:
    """Every float to six significant digits; non-finite numbers are a fault and raise in `json.dumps`."""
    if isinstance(value, float):
        return float(f"{value:.6g}") + 0.0
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return value
