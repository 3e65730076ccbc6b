"""JSON Schema of ``report.json``, made from the typed report so that the two cannot differ."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from rmaudit.reporting.report import SCHEMA, Report


def build(content: type[BaseModel] = Report, name: str = SCHEMA) -> dict[str, Any]:
    """The schema of a file of ours, the report's by default, in the JSON Schema dialect of 2020-12.

    Every key is required: what is unknown is ``null``, and never left out.
    """
    schema = content.model_json_schema(by_alias=True, mode="serialization")
    for entry in (schema, *schema["$defs"].values()):
        entry["required"] = list(entry["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{name.replace('/', ':')}",
        **schema,
    }


def to_bytes(content: type[BaseModel] = Report, name: str = SCHEMA) -> bytes:
    """The schema as it stands in ``reports/schema/``, the report's in ``report-1.json``."""
    return (json.dumps(build(content, name), indent=1, ensure_ascii=False) + "\n").encode("utf-8")
