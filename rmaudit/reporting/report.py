"""The report: the one object from which every output is rendered. Its JSON form is the file contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rmaudit.disclosure.records import Contradiction, CoverageRow, Declaration, DisclosureItem
from rmaudit.errors import RunError
from rmaudit.models.interface import ModelBlock, SelfCheck
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import RunBlock, Settings
from rmaudit.suites.finding import AttributeEffect, AttributeRuler, Carried, DomainAccuracy, Estimate, Finding, Ruler

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AttributeEffect",
    "AttributeRuler",
    "Carried",
    "Contradiction",
    "CoverageRow",
    "Declaration",
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
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


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
    contradictions: list[Contradiction] = []
    """Declarations against which a measurement speaks; shown before anything else."""
    declaration: Declaration | None = None
    """The file of declared answers that was merged into `disclosure`."""
    caveats: list[str]
    feedback: dict[str, Any] | None = None
    redteam: dict[str, Any] | None = None
    run: RunBlock

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    @property
    def findings(self) -> Findings:
        """The findings, primary probes first within their suite."""
        return Findings(self.findings_)

    def to_json(self) -> bytes:
        """The report as it stands in ``report.json``: numbers to six significant digits, no NaN."""
        data = _rounded(self.model_dump(mode="json", by_alias=True))
        return (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")

    @classmethod
    def load(cls, run: str | Path) -> Report:
        """Read the report of a finished run folder (or a ``report.json``).

        Raises:
            RunError: when there is none, or it cannot be read.
        """
        return read_report(Path(run))


def read_report(path: Path) -> Report:
    """Read the report of a finished run folder, or a `report.json`.

    Raises:
        RunError: when it is missing, damaged, or the run did not finish.
    """
    if path.is_dir():
        RunFolder(path).complete_manifest()
        path = path / "report.json"
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError:
        raise RunError(f"There is no report at {path}. Make one with: rmaudit scan SOURCE --out FOLDER") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise RunError(f"{path} is damaged or of another version: {where}: {fault['msg']}.") from error


class Findings(list[Finding]):
    """A list of findings that becomes a table."""

    def to_frame(self) -> pd.DataFrame:
        """One row a finding; estimates become three columns (``srd``, ``srd_low``, ``srd_high`` …).

        `carried_by` names the attributes, with commas between them.
        """
        import pandas as pd

        rows = []
        for finding in self:
            row: dict[str, Any] = {}
            for name, value in finding:
                if isinstance(value, Estimate):
                    row |= {name: value.estimate, f"{name}_low": value.low, f"{name}_high": value.high}
                elif isinstance(value, Carried):
                    row[name] = ", ".join(value.names)
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
