"""JSON Schemas of the disclosure list and of the questionnaire, made from their typed forms so that none can differ."""

from __future__ import annotations

import json
from typing import Any

from rmaudit.disclosure.items import ListedField, Standard, listed_fields
from rmaudit.disclosure.questionnaire import Questionnaire

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def of_standard() -> dict[str, Any]:
    """The schema of the list, as `standard` gives it: ``rmaudit/disclosure/items.yaml`` with nothing left out."""
    schema = Standard.model_json_schema(mode="serialization")
    return {"$schema": _DIALECT, "$id": "urn:rmaudit.disclosure-list:1", **schema}


def of_questionnaire() -> dict[str, Any]:
    """The schema of a questionnaire, with the questions of the list and the values that each takes.

    An editor that knows it completes the questions and their choices.
    """
    schema = Questionnaire.model_json_schema(by_alias=True)
    schema["properties"]["answers"] = {
        "title": "Answers",
        "description": schema["properties"]["answers"].get("description", ""),
        "type": ["object", "null"],
        "properties": {name: _answer(asked) for name, asked in listed_fields().items()},
        "additionalProperties": False,
    }
    return {"$schema": _DIALECT, "$id": "urn:rmaudit.disclosure:1", **schema}


def to_bytes(schema: dict[str, Any]) -> bytes:
    """A schema as it stands in ``reports/schema/``."""
    return (json.dumps(schema, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _answer(asked: ListedField) -> dict[str, Any]:
    value = _value(asked)
    return {
        "description": asked.question,
        "anyOf": [
            value,
            {"allOf": [{"$ref": "#/$defs/Answer"}, {"properties": {"value": value}}]},
        ],
    }


def _value(asked: ListedField) -> dict[str, Any]:
    null = {"type": "null"}
    one: dict[str, Any] = {"enum": list(asked.choices)} if asked.choices else {"type": ["string", "number"]}
    if asked.kind == "list":
        return {"anyOf": [one, {"type": "array", "items": one if asked.choices else {"type": "string"}}, null]}
    if asked.kind == "number":
        limits = {"minimum": asked.minimum, "maximum": asked.maximum}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        return {"anyOf": [{"type": "number", **given}, null]}
    if asked.kind == "date":
        return {"anyOf": [{"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}, null]}
    return {"anyOf": [one, null]}
