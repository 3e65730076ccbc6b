"""Findings as CSV and Parquet: every number as in report.json, every column of one type, no formula."""

from __future__ import annotations

import csv as reader
import io
import json
import sys

import pandas as pd
import pytest

from rmaudit.errors import UsageError
from rmaudit.reporting import csv, parquet, table, text
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Estimate
from tests.reporting.hostile import HOSTILE, hostile_report
from tests.reporting.sample import sample_report

ATTACKS = pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE.keys())


def rows(report: Report) -> list[dict[str, str]]:
    return list(reader.DictReader(io.StringIO(csv.render(report).decode("utf-8"), newline="")))


def test_a_row_a_finding_with_every_number_of_the_report() -> None:
    report = sample_report()
    told = json.loads(report.to_json())["findings"]
    for finding, row in zip(told, rows(report), strict=True):
        assert row["suite"] == finding["suite"]
        assert row["model_sha256"] == report.model.identity
        for name, value in finding.items():
            if isinstance(value, dict) and value.keys() == {"estimate", "low", "high"}:
                for key, column in (("estimate", name), ("low", f"{name}_low"), ("high", f"{name}_high")):
                    assert row[column] == ("" if value[key] is None else json.dumps(value[key]))
            elif isinstance(value, bool):
                assert row[name] == str(value).lower()
            elif isinstance(value, int | float):
                assert json.loads(row[name]) == value
            elif value is None and name in row:
                assert row[name] == ""


def test_signs_are_words() -> None:
    found = {(row["direction"], row["direction_of_bias"]) for row in rows(sample_report())}
    assert {side for pair in found for side in pair} <= {"positive", "negative", "either", ""}
    assert "positive" in {direction for direction, _ in found}


def test_pandas_reads_columns_of_one_type() -> None:
    frame = pd.read_csv(io.BytesIO(csv.render(sample_report())))
    assert frame["srd"].dtype == float
    assert frame["n_items"].dtype == int
    assert frame["primary"].dtype == bool
    assert list(frame.columns) == [column.name for column in table.columns()]


def test_every_column_is_one_a_finding_has() -> None:
    (row, *_) = table.rows(sample_report())
    assert list(row) == [column.name for column in table.columns()]
    for column in table.columns():
        assert column.type in (str, bool, int, float)


@ATTACKS
def test_csv_has_no_formula_and_no_control_character(attack: str) -> None:
    report = hostile_report(attack)
    content = csv.render(report).decode("utf-8")
    assert not text._UNSAFE.search(content.replace("\n", ""))
    numbers = {column.name for column in table.columns() if column.type in (int, float)}
    for row in rows(report):
        assert len(row) == len(table.columns())
        assert None not in row.values()
        assert not [cell for name, cell in row.items() if name not in numbers and cell.startswith(csv.FORMULA_STARTS)]
    assert len(rows(report)) == len(report.findings_)


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@x", " \t=1", "\r=1", "＝1"])
def test_a_text_that_looks_like_a_formula_gets_an_apostrophe(start: str) -> None:
    (row, *_) = rows(hostile_report(start))
    assert row["title"].startswith("'") or row["title"].startswith(text.REPLACEMENT)


def test_a_negative_number_gets_none() -> None:
    (finding, *_) = sample_report().findings_
    changed = finding.model_copy(update={"srd": Estimate(estimate=-0.25, low=-0.5, high=-0.125)})
    (row,) = rows(sample_report().model_copy(update={"findings_": [changed]}))
    assert (row["srd"], row["srd_low"], row["srd_high"]) == ("-0.25", "-0.5", "-0.125")


def test_parquet_keeps_types_and_names_the_model() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    report = sample_report()
    found = files.read_table(io.BytesIO(parquet.render(report)))
    types = {
        str: pyarrow.string(),
        bool: pyarrow.bool_(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
    }
    assert {field.name: field.type for field in found.schema} == {
        column.name: types[column.type] for column in table.columns()
    }
    assert found.schema.metadata[b"rmaudit.model_sha256"].decode() == report.model.identity
    assert found.to_pylist() == table.rows(report)
    assert parquet.render(report) == parquet.render(sample_report())


@ATTACKS
def test_parquet_takes_any_text(attack: str) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.read_parquet(io.BytesIO(parquet.render(hostile_report(attack))))
    assert len(frame) == 2
    assert not text._UNSAFE.search("".join(map(str, frame["title"])))


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'rmaudit\[parquet\]'"):
        parquet.render(sample_report())
