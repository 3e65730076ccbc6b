"""The policy: every threshold, in one versioned file. Measurement reads one part of it, the gate the other."""

from rmaudit.policy.policy import Policy
from rmaudit.policy.read import load_policy
from rmaudit.policy.shipped import DEFAULT_POLICY, PRESETS
from rmaudit.policy.thresholds import Bands, MeasurementPolicy, Severity

__all__ = ["DEFAULT_POLICY", "PRESETS", "Bands", "MeasurementPolicy", "Policy", "Severity", "load_policy"]
