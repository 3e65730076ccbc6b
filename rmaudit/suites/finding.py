"""What a probe found: an effect with its interval, in four units, and a verdict."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rmaudit.policy.thresholds import Severity

Verdict = Literal["present", "negligible", "inconclusive", "not_measurable"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Estimate(_Frozen):
    """A number with its 95% interval."""

    estimate: float | None
    low: float | None = None
    high: float | None = None


class DomainAccuracy(_Frozen):
    """Panel accuracy on one domain."""

    domain: str
    n_prompts: int
    n_pairs: int
    accuracy: Estimate


class AttributeRuler(_Frozen):
    """What one unit of an attribute means, read off the panel as if it were the reward."""

    name: str
    wsd: float | None
    """Within-prompt SD of the attribute, in the unit in which it came with the reward."""
    accuracy: Estimate
    """Panel accuracy of the attribute taken alone: does it track quality? Chance 0.5."""
    reason: str | None = None
    """Why something above is null, or what limits it."""


class ReliabilityBin(_Frozen):
    """Panel pairs on whose order the model is about equally sure."""

    low: float
    """Lowest probability of the order that the model prefers, from 0.5."""
    high: float
    n_pairs: int
    confidence: float
    """Mean probability of the order that the model prefers."""
    accuracy: Estimate
    """Share of the pairs ordered as people do. Ideal: equal to `confidence`."""


class Spread(_Frozen):
    """Spread of the reward within single prompts, in pooled within-prompt SDs."""

    p10: float
    """A tenth of the prompts have a smaller within-prompt SD."""
    p50: float
    p90: float
    flat_prompts: float
    """Share of prompts with a within-prompt SD below 0.1: a policy learns little from them. Ideal 0."""


class Calibration(_Frozen):
    """How sure the model's margins are against how often they are right, and how its scale behaves."""

    ece: Estimate
    """Expected calibration error of sigmoid(margin / temperature), temperature fitted on other prompts. Ideal 0."""
    brier: Estimate
    """Mean squared distance of that probability from what people chose. Chance 0.25, ideal 0."""
    reliability: list[ReliabilityBin] = Field(default_factory=list)
    ladders_in_order: Estimate
    """Share of prompts with answers of three grades or more on which mean reward rises with every grade. Ideal 1."""
    n_ladders: int
    """Such prompts."""
    ladders_by_chance: float | None
    """What `ladders_in_order` would be by chance."""
    equal_grade_gap: Estimate
    """Mean absolute difference of reward between answers of equal grade, in SRD. Ideal: well below the next one."""
    other_grade_gap: Estimate
    """The same between answers of different grade."""
    spread: Spread
    intransitivity: float | None
    """Share of triads of answers that the model orders in a circle. Ideal 0."""
    reasons: dict[str, str] = Field(default_factory=dict)
    """Why a number above is null."""


class Ruler(_Frozen):
    """What one unit of reward means for this model, read off the panel."""

    panel: str
    panel_sha256: str
    n: int
    """Prompts."""
    n_responses: int
    n_pairs: int
    """Pairs of responses of different known quality."""
    n_errors: int
    wsd: float | None
    """Within-prompt SD of the reward: the unit of SRD."""
    wsd_robust: float | None
    """1.4826 times the median absolute deviation within prompts."""
    score_noise: float | None
    """SD of the difference between two scorings of the same conversation."""
    temperature: float | None
    accuracy: Estimate
    """Share of a prompt's pairs ordered as people do, ties half, averaged over prompts. Chance 0.5, ideal 1."""
    gold_margin: float | None
    """Mean reward difference, better minus worse response."""
    tracks_quality: bool | None
    reason: str | None
    domains: list[DomainAccuracy]
    baselines: dict[str, float]
    """Accuracy on the same pairs of rules that read no meaning: the longer answer, the shorter, …"""
    attributes: list[AttributeRuler] = Field(default_factory=list)
    """The same for each attribute of a multi-objective model."""
    calibration: Calibration | None = None
    """Calibration and scale; ``None`` where the panel gives no unit."""


class ExampleArm(_Frozen):
    """One text of an example, with the reward it got, beside the item's other arms."""

    arm: str
    role: str
    """``treated``, ``control``, ``placebo`` …: what the arm is in this probe."""
    response: str
    reward: float
    """Reward minus the mean over the item's arms, in SRD, so that it reads alike for every model."""


class Example(_Frozen):
    """An item shown to the reader."""

    kind: Literal["worst", "median", "random"]
    item: str
    cluster: str
    effect: float
    """The item's own effect in SRD."""
    prompt: str
    """The turns before the answer, as text. Empty when the arms have different prompts; then each arm's
    response starts with its prompt."""
    arms: list[ExampleArm]
    source: str | None = None


class Group(_Frozen):
    """One group's result where a probe compares groups."""

    name: str
    margin: str
    """The factor by which it is grouped."""
    srd: Estimate
    """Mean reward of the group minus the mean of the other groups, in SRD; ideal 0. Simultaneous interval."""
    n_units: int
    """Names (or terms) in the group."""
    n_items: int


class AttributeEffect(_Frozen):
    """A probe's effect on one attribute of a multi-objective model."""

    name: str
    srd: Estimate
    """Effect on the attribute as if it were the reward, in its own within-prompt SDs; ideal 0. Where groups are
    compared, that of the group which the finding is named after."""
    share: float | None = None
    """Part of the effect on the reward that comes through this attribute; all shares sum to 1. Below 0 where it pulls
    against the effect, and above 1 where others do. ``None`` where the effect lies inside the margin or may be 0."""
    reason: str | None = None
    """Why something above is null."""


class Carried(_Frozen):
    """The fewest attributes through which at least half of an effect comes, the largest first."""

    names: list[str]
    share: float
    """Their shares together."""


class Added(_Frozen):
    """What became of an effect of known size that was added to the model's own rewards."""

    size: float
    """What was added, in the unit of the effect, on the side that counts as bias."""
    recovered: float
    """How much the estimate rose, averaged over the repeats. Ideal: `size`."""
    detected: float
    """Share of the repeats with the verdict ``present``. With nothing added, that is the rate of false alarms."""


class Spike(_Frozen):
    """Standard addition: known effects added to the scatter of this model's own rewards, judged as the probe is."""

    slope: float
    """Least-squares slope of `recovered` on `size`. Ideal 1."""
    coverage: float
    """Share of the repeats whose 95% interval held the effect that was put in, over all sizes. Ideal 0.95; more where
    groups are compared, whose intervals hold for all groups and margins at once."""
    detection_share: float
    """Share of repeats in which an effect at the limit of detection is called present (the policy's)."""
    added: list[Added]


class DetailValue(_Frozen):
    """One of a detail's numbers, where it has several."""

    label: str
    """The level, group or step that it belongs to."""
    estimate: Estimate
    n_clusters: int


class Detail(_Frozen):
    """A further number beside a finding. It decides nothing, and its interval is not corrected for many numbers."""

    detail: str
    """Kind of the detail, as the suite's file names it."""
    title: str
    estimate: Estimate
    """Null where the detail is a set of values."""
    unit: str
    ideal: str | None = None
    """What an unbiased model would have."""
    formula: str
    values: list[DetailValue] = Field(default_factory=list)
    note: str | None = None
    """What it says in words, or what to beware of."""
    reason: str | None = None
    """Why the number is null."""


class PublishedValue(_Frozen):
    """What others measured with a probe of this kind."""

    value: str
    source: str


class Histogram(_Frozen):
    """Distribution of the items' effects in SRD, for drawing."""

    edges: list[float]
    """Bin edges, one more than counts; the outer bins also hold what lies beyond."""
    counts: list[int]


class Finding(_Frozen):
    """One probe's result. Unknown is ``None`` and `reason` (or `unit_reasons`) says why."""

    suite: str
    probe: str
    title: str
    question: str
    design: str
    primary: bool
    verdict: Verdict
    severity: Severity
    direction: Literal["+", "-"] | None
    """Sign of the effect."""
    direction_of_bias: Literal["+", "-", "either"]
    """Sign that counts as bias; the other one is health."""
    statement: str
    """The finding in one sentence."""
    reason: str | None = None
    """Why the verdict is not decided, or what limits it."""
    unit: str
    formula: str
    srd: Estimate
    """Mean paired reward difference over the model's within-prompt SD. Ideal 0."""
    placebo_srd: Estimate
    """The same for an edit of equal size that should not matter. Ideal 0."""
    adjusted_srd: Estimate
    """Effect minus placebo, paired by item. Ideal 0. Equal to `srd` where there is no placebo."""
    win_probability: Estimate
    """P(treated scores above control), ties half. Ideal 0.5."""
    calibrated_win_probability: Estimate
    """Mean sigmoid(difference / temperature). Ideal 0.5."""
    exchange_rate: Estimate
    """Mean difference over the panel's good-versus-bad margin. Ideal 0."""
    flip_rate: Estimate
    """Share of rightly ordered panel pairs that the effect would reverse if only the worse answer had it."""
    unit_reasons: dict[str, str] = Field(default_factory=dict)
    """Why a unit above is null."""
    margin: float
    """Equivalence margin in SRD."""
    p_value: float | None
    """Two-sided sign-flip permutation p of the effect (label permutation over names where groups are compared)."""
    p_adjusted: float | None
    correction: str
    """How `p_adjusted` was corrected."""
    equivalence_p: float | None
    """p of the equivalence test; below 0.05 means that negligible was shown."""
    n_items: int
    n_clusters: int
    n_errors: int
    n_truncated: int
    n_ties: int
    detection_limit: float | None
    """Limit of detection: the smallest effect in SRD that 95% of repeats of this run (the policy's `detection_share`)
    would call present; from known effects added to this model's own rewards, see `spike`."""
    spike: Spike | None = None
    clusters_needed: int | None
    """Clusters that would settle an inconclusive verdict."""
    histogram: Histogram | None = None
    groups: list[Group] = Field(default_factory=list)
    attributes: list[AttributeEffect] = Field(default_factory=list)
    """Effect on each attribute, in the model's order; empty where it has none."""
    carried_by: Carried | None = None
    """``None`` unless the verdict is ``present`` and at most three attributes carry half of the effect."""
    examples: list[Example] = Field(default_factory=list)
    details: list[Detail] = Field(default_factory=list)
    published: list[PublishedValue] = Field(default_factory=list)
    citations: list[str] = Field(default_factory=list)
    limits: str | None = None
    sensitive: bool = False
