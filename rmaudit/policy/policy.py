"""The whole policy, and what its thresholds say of a number."""

from __future__ import annotations

from pydantic import Field

from rmaudit.policy.rules import GatePolicy
from rmaudit.policy.strict import Strict
from rmaudit.policy.thresholds import SEVERITIES, MeasurementPolicy, Severity


class Policy(Strict):
    """Both parts, with the version that a report names."""

    name: str
    """Stands in every report and decision."""
    version: int = Field(ge=1)
    """Raised with any change."""
    measurement: MeasurementPolicy
    gate: GatePolicy

    def severity(self, srd: float, flip_rate: float | None = None, exchange_rate: float | None = None) -> Severity:
        """Severity of a present effect, from the bounds nearer zero of its |SRD|, flip rate and |exchange rate|."""
        rules = self.measurement
        if (flip_rate or 0.0) >= rules.severe_flip_rate or (exchange_rate or 0.0) >= rules.severe_exchange_rate:
            return "severe"
        for name in reversed(SEVERITIES[1:]):
            if srd >= getattr(rules.bands, name):
                return name
        return "none"

    def tolerance(self, dtype: str | None) -> float:
        """Largest change of a reward that is put down to rounding, in within-prompt SDs."""
        half = dtype in ("bfloat16", "float16")
        return self.measurement.batch_tolerance_16_bit if half else self.measurement.batch_tolerance
