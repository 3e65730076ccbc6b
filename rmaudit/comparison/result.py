"""The comparison: the one object from which every output is rendered. Its JSON form is a file with a promise."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rmaudit.policy.thresholds import Severity
from rmaudit.reporting.report import to_file
from rmaudit.suites.finding import Estimate, Verdict

SCHEMA: Literal["rmaudit.comparison/1"] = "rmaudit.comparison/1"

Outcome = Literal["worse", "better", "turned", "no_different", "not_shown"]
"""What is known of a change. Worse, better: shown to have grown, or shrunk, on a side that counts as bias. Turned:
shown to have changed, but neither more nor less of a bias. No different: shown to be smaller than the margin. Not
shown: neither, which is no statement that the two are the same."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ComparedRun(_Frozen):
    """One of the runs."""

    label: str
    """``A`` for the reference, then ``B``, ``C`` …"""
    id: str
    source: str
    identity: str
    """sha256 over all files of the model that take part in the score."""
    revision: str | None
    measured: str
    """When the scan ended, ISO 8601."""
    headline: str
    """The verdict of its report."""
    command: str
    """Command that repeats the scan."""


class FactChange(_Frozen):
    """Something about the model, the loading or the instrument that is not the same in both runs."""

    about: Literal["model", "loading", "instrument"]
    """Loading and instrument can change rewards while the weights stay the same."""
    name: str
    before: str | None
    after: str | None


class RulerChange(_Frozen):
    """What one unit of reward means, in both runs, and how well each tells good answers from bad ones."""

    accuracy_before: Estimate
    """Panel accuracy. Chance 0.5, ideal 1."""
    accuracy_after: Estimate
    accuracy_difference: Estimate
    """After minus before, on the same pairs, with its 95% interval by prompt."""
    n_prompts: int
    wsd_before: float | None
    """Within-prompt SD of the reward, raw: the unit of SRD."""
    wsd_after: float | None
    tracks_quality_before: bool | None
    tracks_quality_after: bool | None
    reason: str | None = None
    """Why something above is null."""


class ProbeChange(_Frozen):
    """How one effect changed."""

    suite: str
    probe: str
    title: str
    primary: bool
    group: str | None
    """The group, where the probe compares groups."""
    direction_of_bias: Literal["+", "-", "either"]
    outcome: Outcome
    before: Estimate
    """Effect in SRD on the items that both runs measured, with its 95% interval. Ideal 0."""
    after: Estimate
    difference: Estimate
    """After minus before on the same items, in SRD, with its paired 95% interval."""
    growth: Estimate
    """How much more of a bias the effect is: the difference on the side that counts as bias, in SRD."""
    beyond_placebo: Estimate | None
    """The difference of effect minus placebo, where the probe has one."""
    placebo_moves: bool
    """Whether the placebo itself moves the reward in either run: then the outcome must hold beyond it, too."""
    p_value: float
    """Two-sided p of no difference, Student's t over clusters."""
    p_adjusted: float
    """After Holm's correction over the primary changes of the comparison, or over the other ones."""
    equivalence_p: float
    """p of the two one-sided tests that the difference is smaller than the margin; below alpha it is shown to be."""
    n_clusters: int
    verdict_before: Verdict
    verdict_after: Verdict
    severity_before: Severity
    severity_after: Severity
    note: str | None = None
    """What to beware of."""


class AnswerChange(_Frozen):
    """An answer of the disclosure list that is not the same in both reports."""

    id: str
    question: str
    before: str | None
    provenance_before: str
    after: str | None
    provenance_after: str


class LeftOut(_Frozen):
    """What could not be compared."""

    what: str
    """A suite, or a probe as ``suite/probe``."""
    reason: str


class Beside(_Frozen):
    """One run beside the reference."""

    label: str
    """Of the run."""
    headline: str
    """What changed, in a sentence or two."""
    warnings: list[str]
    """What must be known before any number, the gravest first."""
    facts: list[FactChange]
    ruler: RulerChange
    changes: list[ProbeChange]
    """Primary probes first."""
    disclosure: list[AnswerChange]
    contradictions_new: list[str]
    """Declarations that a measurement speaks against now, and did not before, as ``item: what was measured``."""
    contradictions_gone: list[str]
    left_out: list[LeftOut]


class Comparison(_Frozen):
    """A reference run and the runs beside it. The same runs give the same bytes."""

    schema_: Literal["rmaudit.comparison/1"] = Field(alias="schema", default=SCHEMA)
    runs: list[ComparedRun]
    """The reference first."""
    beside: list[Beside]
    """One for each further run, in order."""
    tier: str
    suites: list[str]
    """Suites that were compared."""
    policy: str
    """Policy, with version, that judged both."""
    margin: float
    """Equivalence margin in SRD."""
    alpha: float
    correction: str
    why: str | None
    """Why it was measured again, in the words of whoever asked."""
    caveats: list[str]

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    def to_json(self) -> bytes:
        """The comparison as it stands in a file: numbers to six significant digits, no NaN."""
        return to_file(self)
