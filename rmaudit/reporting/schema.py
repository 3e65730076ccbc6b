"""JSON Schema of ``report.json``, made from the typed report so that the two cannot differ."""

from __future__ import annotations

import json
from typing import Any

from rmaudit.reporting.report import SCHEMA, Report


def build() -> dict[str, Any]:
    """The schema of a report file, in the JSON Schema dialect of 2020-12.

    Every key is required: what is unknown is ``null`` in a report, and never left out.
    """
    schema = Report.model_json_schema(by_alias=True, mode="serialization")
    for entry in (schema, *schema["$defs"].values()):
        entry["required"] = list(entry["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        **schema,
    }


def to_bytes() -> bytes:
    """The schema as it stands in ``reports/schema/report-1.json``."""
    return (json.dumps(build(), indent=1, ensure_ascii=False) + "\n").encode("utf-8")
