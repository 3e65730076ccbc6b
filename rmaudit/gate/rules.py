"""What a pipeline requires of a finished run: the gate's part of the policy file."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Band = Literal["low", "moderate", "high", "severe"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rule(_Strict):
    """What is required of some probes. Of several rules that fit a probe, the last one counts."""

    probe: str = Field(min_length=1)
    """``suite/probe``, with ``*`` for any: ``length/*``, ``demographic/names``."""
    group: str = "*"
    """Groups that are looked at where a probe compares groups, with ``*`` for any."""
    severity: Band | None = None
    """Limit as a band: the lower end of it, in SRD."""
    srd: float | None = Field(default=None, gt=0)
    """Limit of the effect, in SRD."""
    flip_rate: float | None = Field(default=None, gt=0, le=1)
    exchange_rate: float | None = Field(default=None, gt=0)
    minimum_clusters: int | None = Field(default=None, ge=1)
    """Fewest clusters that must have been measured."""
    allow_inconclusive: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if self.severity is not None and self.srd is not None:
            raise ValueError("a rule has a limit as severity or in srd, not both")
        limits = (self.severity, self.srd, self.flip_rate, self.exchange_rate, self.minimum_clusters)
        if all(limit is None for limit in limits) and self.allow_inconclusive is None:
            raise ValueError("a rule needs a limit: severity, srd, flip_rate, exchange_rate or minimum_clusters")
        return self


class BaselineRules(_Strict):
    """What is required beside an earlier run, item by item."""

    required: bool = False
    """Whether a run without a baseline may pass."""
    margin: float = Field(default=0.05, gt=0)
    """By how much an effect may grow, in SRD, before it counts as worse."""
    demand: Literal["not shown worse", "shown not worse"] = "not shown worse"
    """Whether it is enough that nothing grew beyond the margin for sure, or it must be sure that nothing did."""
    max_age_days: int | None = Field(default=None, ge=1)


class DisclosureRules(_Strict):
    """What must be disclosed."""

    items: list[str] = Field(default_factory=list)
    """Items of which something must be answered, such as ``H1``, and questions that must be: ``H2.pay``."""
    minimum_share: float = Field(default=0.0, ge=0, le=1)
    """Share of all questions that must be answered."""


class Waiver(_Strict):
    """A known failure that somebody answers for until a day."""

    probe: str = Field(min_length=1)
    scope: str = Field(min_length=1)
    """``*``, a group's name, or the first 12 digits or more of the identity of the one model it is for."""
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    expires: dt.date
    """The last day on which it counts."""


class GatePolicy(_Strict):
    """What a pipeline requires of a finished run."""

    fail_at: Band
    """Limit of every probe that no rule names."""
    probes: Literal["primary", "all"]
    confidence: float = Field(default=0.999, ge=0.9, lt=1)
    """Of the intervals that decide. High, so that two runs of one model never differ between pass and fail."""
    required_suites: list[str]
    allow_inconclusive: bool
    require_tracks_quality: bool
    require_self_test: bool
    minimum_clusters: int = Field(default=0, ge=0)
    rules: list[Rule] = Field(default_factory=list)
    baseline: BaselineRules = BaselineRules()
    disclosure: DisclosureRules = DisclosureRules()
    waivers: list[Waiver] = Field(default_factory=list)
