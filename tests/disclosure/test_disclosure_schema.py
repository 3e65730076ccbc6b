"""The published schemas of the list and of the questionnaire are those of the code."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from rmaudit.disclosure import schema
from rmaudit.disclosure.items import standard
from rmaudit.resources import reports_dir

SCHEMAS = {"disclosure-1.json": schema.of_questionnaire, "disclosure-list-1.json": schema.of_standard}


@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schema_is_current_and_valid(name: str) -> None:
    built = SCHEMAS[name]()
    assert (reports_dir() / "schema" / name).read_bytes() == schema.to_bytes(built), (
        f"write rmaudit.disclosure.schema to reports/schema/{name}"
    )
    jsonschema.Draft202012Validator.check_schema(built)


def test_the_list_fits_its_schema() -> None:
    jsonschema.validate(json.loads(standard().model_dump_json()), schema.of_standard())


@pytest.mark.parametrize(
    ("answers", "valid"),
    [
        ({"H2.number": 3}, True),
        ({"H2.number": {"value": 3, "by": "A"}}, True),
        ({"H2.pay": {"refused": "a secret"}}, True),
        ({"H3.balance": ["length"]}, True),
        ({"H3.collected_from": "2024-02-01"}, True),
        ({"H3.balance": ["lenght"]}, False),
        ({"H2.number": "many"}, False),
        ({"H5.agreement": 72}, False),
        ({"R1.loss": "bt"}, False),
        ({"R1.loss": {"value": "bt"}}, False),
        ({"H2.pey": 1}, False),
        ({"H2.pay": {"refuse": "x"}}, False),
        ({"H3.collected_from": "soon"}, False),
    ],
)
def test_an_editor_sees_what_the_check_sees(answers: dict[str, Any], valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(schema.of_questionnaire())
    assert validator.is_valid({"answers": answers}) == valid
