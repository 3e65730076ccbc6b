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


Provenance = Literal["measured", "extracted", "declared", "missing", "refused"]
"""Where an answer comes from. Missing: nobody said anything. Refused: asked, and declined to say."""


Audience = Literal["public", "downstream", "authority"]
"""Whom an answer is for: everybody, those who build on the model, those who oversee it."""


class DisclosureField(_Frozen):
    """One answer to a question of a disclosure item, or the lack of one.

    A question that was measured or read from files, and declared too, has two, the declared one behind the other.
    """

    id: str
    """Item and name, such as ``H2.recruitment``."""
    question: str
    value: str | None
    provenance: Provenance
    evidence: str | None
    """Where it can be looked up: a file, a finding, an address."""
    reason: str | None
    """Why there is no value, or what the value leaves open."""
    asserted_by: str | None = None
    """Who says so, where people do."""
    date: str | None = None
    """Since when it is said, ``YYYY-MM-DD``."""
    audience: Audience = "public"


class DisclosureItem(_Frozen):
    """One item of the disclosure list."""

    id: str
    title: str
    value: str | None
    provenance: Provenance
    evidence: str | None
    reason: str | None
    fields: list[DisclosureField] = []
    """Answers to the questions of the item, each with its own provenance."""


class Contradiction(_Frozen):
    """A declaration that a measurement of this report speaks against."""

    field: str
    """The declared field, such as ``H3.balance``."""
    declared: str
    asserted_by: str | None
    measured: str
    """What was measured, in a sentence."""
    evidence: str
    """The finding, such as ``length/padding-ladder``, or another part of the report."""


class Declaration(_Frozen):
    """Which file of declared answers the report holds."""

    file: str
    """Name of the file, without its folder."""
    sha256: str
    """Of the file's bytes."""
    by: str | None
    """Who answers for it."""
    date: str | None
    """When, ``YYYY-MM-DD``."""
    standard: int
    """Version of the disclosure list that it answers."""
    model: str | None
    """Identity of the model that it speaks about, as the file says."""
