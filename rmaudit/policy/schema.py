"""The JSON Schema of a policy file, made from the models that read it."""

from __future__ import annotations

import json
from typing import Any

from rmaudit.policy.policy import Policy
from rmaudit.policy.shipped import PRESETS

_SECTIONS = ("Policy", "MeasurementPolicy", "Bands", "GatePolicy", "BaselineRules", "DisclosureRules")
"""Parts whose keys may be left out, as the preset has them; a rule or a waiver stands by itself."""


def policy_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of what a user may write: every key of a section may be left out.

    What goes beyond single values, such as bands that do not rise, only the reader of the file refuses.
    """
    schema = Policy.model_json_schema()
    parts = {"Policy": schema, **schema["$defs"]}
    for name in _SECTIONS:
        parts[name].pop("required", None)
    schema["properties"] = {
        "preset": {
            "description": "What the file leaves out is as in this preset.",
            "enum": list(PRESETS),
            "default": "default",
        },
        **schema["properties"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:rmaudit:policy:1",
        **schema,
        "title": "rmaudit policy",
        "description": "What a pipeline requires of an audited reward model.",
    }


def to_bytes() -> bytes:
    """The schema as the file that ships as ``reports/schema/policy-1.json``."""
    return json.dumps(policy_schema(), indent=1, ensure_ascii=True).encode("ascii") + b"\n"
