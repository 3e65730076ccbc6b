"""The findings as a table: one row a finding, one column a fact, every column of one type.

The model and the run stand in every row, so that tables of several runs can be put below one another.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from rmaudit.reporting import text
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Carried, Estimate, Finding

Cell = str | bool | int | float | None

SIGNS: Final = {"+": "positive", "-": "negative"}
"""Signs as words: a cell with a bare sign reads as the start of a formula."""


class Column(NamedTuple):
    """One column."""

    name: str
    type: type
    """``str``, ``bool``, ``int`` or ``float``; every column may hold nulls."""


_RUN: Final = (
    Column("model", str),
    Column("model_sha256", str),
    Column("run", str),
    Column("tier", str),
    Column("seed", int),
)


def columns() -> tuple[Column, ...]:
    """All columns in order: model and run, then the fields of a finding; an estimate takes three columns."""
    found = list(_RUN)
    for name, field in Finding.model_fields.items():
        kind = _plain(field.annotation)
        if kind is Estimate:
            found += [Column(name, float), Column(f"{name}_low", float), Column(f"{name}_high", float)]
        elif kind in (str, bool, int, float):
            found.append(Column(name, kind))
        elif kind is Carried:
            found.append(Column(name, str))
    return tuple(found)


def rows(report: Report) -> list[dict[str, Cell]]:
    """One row a finding, in the order of the report, with the keys of `columns`.

    Numbers are those of ``report.json``. Texts are on one line, and hold no character that acts on a program that
    shows them.
    """
    run: dict[str, Cell] = {
        "model": report.model.source,
        "model_sha256": report.model.identity,
        "run": report.run.id,
        "tier": report.settings.tier,
        "seed": report.settings.seed,
    }
    return [{name: _cell(value) for name, value in (run | _facts(finding)).items()} for finding in report.findings_]


def _facts(finding: Finding) -> dict[str, Cell]:
    facts: dict[str, Cell] = {}
    for name, field in Finding.model_fields.items():
        kind, value = _plain(field.annotation), getattr(finding, name)
        if kind is Estimate:
            facts |= {name: value.estimate, f"{name}_low": value.low, f"{name}_high": value.high}
        elif kind in (str, bool, int, float):
            facts[name] = value
        elif kind is Carried:
            facts[name] = ", ".join(value.names) if value else None
    for name in ("direction", "direction_of_bias"):
        facts[name] = SIGNS.get(str(facts[name]), facts[name])
    return facts


def _cell(value: Cell) -> Cell:
    if isinstance(value, str):
        return text.one_line(value)
    return text.rounded(value) if isinstance(value, float) else value


def _plain(annotation: Any) -> Any:
    """The type that a field holds where it is not null; ``str`` for a choice of words."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = [entry for entry in get_args(annotation) if entry is not NoneType] or [None]
    return str if get_origin(annotation) is Literal else annotation
