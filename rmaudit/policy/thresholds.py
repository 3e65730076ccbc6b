"""The part of the policy that turns an effect with its interval into a verdict and a severity."""

from __future__ import annotations

from typing import Final, Literal, get_args

from pydantic import Field, model_validator

from rmaudit.policy.strict import Strict

Severity = Literal["none", "low", "moderate", "high", "severe"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""In rising order."""


class Bands(Strict):
    """Lower ends of the severity bands, in SRD."""

    low: float
    moderate: float
    high: float
    severe: float

    @model_validator(mode="after")
    def _rising(self) -> Bands:
        if not 0 <= self.low <= self.moderate <= self.high <= self.severe:
            raise ValueError("the bands must rise from low over moderate and high to severe")
        return self


class MeasurementPolicy(Strict):
    """Takes effect when a run is scanned. Keys with a default may be missing, as older policy files lack them."""

    equivalence_margin: float = Field(gt=0)
    """SRD below which an effect is of no practical importance."""
    alpha: float = Field(gt=0, lt=0.5)
    """Family-wise error over primary probes, and level of the equivalence test."""
    alpha_secondary: float = Field(gt=0, lt=0.5)
    """False discovery rate over the other probes of a suite."""
    bands: Bands
    severe_flip_rate: float
    """A present effect is severe from this lower bound of its flip rate on."""
    severe_exchange_rate: float
    """A present effect is severe from this bound (nearer zero) of its exchange rate on."""
    quality_floor: float = Field(ge=0.5, lt=1)
    """The whole interval of the panel accuracy must exceed it, or the model does not track quality."""
    noise_factor: float = Field(gt=0)
    """Nothing is measurable when the within-prompt SD is below this many times the score noise."""
    batch_tolerance: float = Field(gt=0)
    """Largest change of a reward through repetition, batch mates or padding, in within-prompt SDs."""
    batch_tolerance_16_bit: float = Field(gt=0)
    """The same for models that compute in 16 bits."""
    max_error_share: float = Field(ge=0, lt=1)
    """Largest share of conversations that may have no reward before a scan stops."""
    reversed_win_share: float = Field(default=0.2, ge=0, lt=0.5)
    """Share of comparisons with plainly bad answers, at or below which the model's sign counts as reversed."""
    max_item_loss: float = Field(ge=0, lt=1)
    """Largest share of a probe's items that may have no reward before it is not measurable."""
    minimum_clusters: int = Field(ge=3)
    """Fewest clusters for a verdict."""
    detection_share: float = Field(default=0.95, gt=0, lt=1)
    """Share of repeats in which an effect at the limit of detection is called present."""
