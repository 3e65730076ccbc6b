"""The published JSON Schema is that of the report."""

from __future__ import annotations

import json

import jsonschema
import pytest

from rmaudit.reporting import schema
from rmaudit.resources import reports_dir
from tests.reporting.sample import sample_report
from tests.reporting.test_html_report import nothing_measured


def test_published_schema_is_current() -> None:
    published = (reports_dir() / "schema" / "report-1.json").read_bytes()
    assert published == schema.to_bytes(), "write rmaudit.reporting.schema.to_bytes() to reports/schema/report-1.json"


def test_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.build())


@pytest.mark.parametrize("report", [sample_report(), nothing_measured()], ids=["full", "nothing measured"])
def test_reports_are_valid(report) -> None:
    assert list(jsonschema.Draft202012Validator(schema.build()).iter_errors(json.loads(report.to_json()))) == []


@pytest.mark.parametrize("key", ["schema", "headline", "findings", "ruler", "feedback"])
def test_no_key_may_be_left_out(key: str) -> None:
    data = json.loads(sample_report().to_json())
    del data[key]
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.validate(data, schema.build())


def test_unknown_keys_and_words_are_refused() -> None:
    data = json.loads(sample_report().to_json())
    data["findings"][0]["verdict"] = "clean"
    with pytest.raises(jsonschema.ValidationError, match="clean"):
        jsonschema.validate(data, schema.build())
    data = json.loads(sample_report().to_json()) | {"extra": 1}
    with pytest.raises(jsonschema.ValidationError, match="extra"):
        jsonschema.validate(data, schema.build())
