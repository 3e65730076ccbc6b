"""The findings as comma-separated values, in UTF-8, with the column names in the first line."""

from __future__ import annotations

import csv
import io
from typing import Final

from rmaudit.reporting import table, text
from rmaudit.reporting.report import Report

FORMULA_STARTS: Final = tuple("=+-@\t\r＝＋－＠")
"""A text that starts so is taken for a formula by spreadsheets (CWE-1236)."""


def render(report: Report) -> bytes:
    """Render the findings, one line each; an empty cell is null.

    Numbers have the digits of ``report.json``. A text that a spreadsheet would take for a formula gets an apostrophe
    before it.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    names = [column.name for column in table.columns()]
    writer.writerow(names)
    for row in table.rows(report):
        writer.writerow([_cell(row[name]) for name in names])
    return stream.getvalue().encode("utf-8")


def _cell(value: table.Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return text.exact(value)
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value
