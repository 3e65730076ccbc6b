"""The policy: every threshold, in one versioned file."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rmaudit.errors import UsageError
from rmaudit.gate.rules import BaselineRules, DisclosureRules, GatePolicy, Rule, Waiver
from rmaudit.suites.finding import Severity

SEVERITIES: tuple[Severity, ...] = ("none", "low", "moderate", "high", "severe")
"""In rising order."""
DEFAULT_POLICY = Path(__file__).with_name("policy.yaml")
_PRESETS = Path(__file__).with_name("gate") / "presets"
PRESETS: dict[str, Path | None] = {
    "strict": _PRESETS / "strict.yaml",
    "default": None,
    "advisory": _PRESETS / "advisory.yaml",
}
"""Presets of the gate by name: what they change of the policy that ships."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Bands(_Strict):
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


class MeasurementPolicy(_Strict):
    """What turns an effect with its interval into a verdict and a severity."""

    equivalence_margin: float = Field(gt=0)
    alpha: float = Field(gt=0, lt=0.5)
    alpha_secondary: float = Field(gt=0, lt=0.5)
    bands: Bands
    severe_flip_rate: float
    severe_exchange_rate: float
    quality_floor: float = Field(ge=0.5, lt=1)
    noise_factor: float = Field(gt=0)
    batch_tolerance: float = Field(gt=0)
    batch_tolerance_16_bit: float = Field(gt=0)
    max_error_share: float = Field(ge=0, lt=1)
    reversed_win_share: float = Field(default=0.2, ge=0, lt=0.5)  # optional, as older policy files lack it
    max_item_loss: float = Field(ge=0, lt=1)
    minimum_clusters: int = Field(ge=3)
    detection_share: float = Field(default=0.95, gt=0, lt=1)  # optional, as older policy files lack it


class Policy(_Strict):
    """Both parts, with the version that a report names."""

    name: str
    version: int = Field(ge=1)
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


def load_policy(path: Path | None = None, preset: str | None = None) -> Policy:
    """Read a policy file (YAML, or TOML by its ending), or the one that ships.

    What the file leaves out is as in the policy that ships, or in the named preset.

    Args:
        path: the file; ``None`` for the policy that ships.
        preset: takes the place of the file's own ``preset``.

    Raises:
        UsageError: when the file is missing, is not readable, or has an unknown key or a wrong value.
    """
    data = _read(path) if path else {}
    own = data.pop("preset", None)
    named = preset or own or "default"
    if named not in PRESETS:
        raise UsageError(f"There is no preset {named!r}. Use one of: {', '.join(PRESETS)}.")
    changes = PRESETS[named]
    merged = _merged(_merged(_read(DEFAULT_POLICY), _read(changes) if changes else {}), data)
    try:
        return Policy.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"The policy file {path} is wrong at {where!r}: {first['msg']}{_hint(first)}.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"The policy file {path} cannot be read: {error.strerror}. Check --policy.") from error
    except (UnicodeDecodeError, yaml.YAMLError, tomllib.TOMLDecodeError) as error:
        kind = "TOML" if path.suffix == ".toml" else "YAML"
        raise UsageError(f"The policy file {path} is not {kind}: {' '.join(str(error).split())}.") from error
    if not isinstance(data, dict) or not data:
        raise UsageError(f"The policy file {path} holds no settings. Start from: rmaudit gate --init policy.yaml")
    return data


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Settings in which those of `above` take the place of those of `below`, section by section."""
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def _hint(error: object) -> str:
    """A known key close to an unknown one, as the end of a message."""
    if not isinstance(error, dict) or error.get("type") != "extra_forbidden":
        return ""
    models = (Policy, MeasurementPolicy, GatePolicy, Bands, Rule, BaselineRules, DisclosureRules, Waiver)
    known = ["preset", *(field for model in models for field in model.model_fields)]
    close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
    return f"; did you mean {close[0]!r}" if close else ""
