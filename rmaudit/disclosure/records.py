"""What the disclosure part contributes to a report: answered items, and what is said on each known challenge."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


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
