"""Presets of the gate by name: what they change of the policy that ships."""

from __future__ import annotations

from pathlib import Path

DEFAULT_POLICY = Path(__file__).with_name("policy.yaml")
_FOLDER = Path(__file__).with_name("presets")
PRESETS: dict[str, Path | None] = {
    "strict": _FOLDER / "strict.yaml",
    "default": None,
    "advisory": _FOLDER / "advisory.yaml",
}
