"""What else is not the same in two runs: the model, how it was loaded, the instrument, and what was disclosed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rmaudit.comparison.result import AnswerChange, FactChange
from rmaudit.disclosure.records import Provenance
from rmaudit.reporting.report import Report
from rmaudit.runs.manifest import Manifest

MODEL = {
    "source": "source",
    "identity": "identity (sha256)",
    "revision": "revision",
    "format": "format",
    "architecture": "architecture",
    "parameters": "parameters",
    "head": "head",
    "pooling": "pooling",
    "sign": "sign",
    "normalisation": "normalisation",
    "attributes": "attributes",
}
"""Fields of the model block that say which model it is."""
LOADING = {
    "dtype": "dtype",
    "quantization": "quantization",
    "attention": "attention kernel",
    "template": "chat template",
    "max_length": "longest input",
}
"""Fields that say how it was loaded: each can change rewards while the weights stay the same."""


def fact_changes(before: Manifest, after: Manifest) -> list[FactChange]:
    """Everything about model, loading and instrument in which two runs differ."""
    return [
        FactChange(about=about, name=name, before=_told(one), after=_told(two))
        for about, name, one, two in _facts(before, after)
        if one != two
    ]


def _facts(before: Manifest, after: Manifest) -> Iterator[tuple[Any, str, Any, Any]]:
    for field, name in MODEL.items():
        yield "model", name, getattr(before.model, field), getattr(after.model, field)
    for key in sorted(before.card.keys() | after.card.keys()):
        yield "model", f"card: {key}", before.card.get(key), after.card.get(key)
    for field, name in LOADING.items():
        yield "loading", name, getattr(before.model, field), getattr(after.model, field)
    for key in sorted((before.options.keys() | after.options.keys()) - {*LOADING, "revision", "device", "offline"}):
        yield "loading", f"option {key}", before.options.get(key), after.options.get(key)
    versions, others = before.run.versions, after.run.versions
    for package in sorted(versions.keys() | others.keys()):
        yield "instrument", package, versions.get(package), others.get(package)
    yield "instrument", "machine", before.run.host, after.run.host
    yield "instrument", "engine", before.run.engine, after.run.engine


def _told(value: Any) -> str | None:
    if value is None:
        return None
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def answer_changes(before: Report, after: Report) -> list[AnswerChange]:
    """Answers of the disclosure list that differ; what was measured is told as findings, and not here."""
    one, two = _answers(before), _answers(after)
    nothing: tuple[str, str | None, Provenance] = ("", None, "missing")
    found = []
    for key in [*one, *(key for key in two if key not in one)]:
        question, old, old_provenance = one.get(key, nothing)
        other_question, new, new_provenance = two.get(key, nothing)
        if (old, old_provenance) != (new, new_provenance) and {old_provenance, new_provenance} != {"measured"}:
            found.append(
                AnswerChange(
                    id=key, question=question or other_question, before=old, provenance_before=old_provenance,
                    after=new, provenance_after=new_provenance,
                )
            )  # fmt: skip
    return found


def _answers(report: Report) -> dict[str, tuple[str, str | None, Provenance]]:
    """Question, value and provenance of every answer: of the fields where an item has some, else of the item."""
    found: dict[str, tuple[str, str | None, Provenance]] = {}
    for item in report.disclosure:
        for field in item.fields:
            found[field.id] = (field.question, field.value, field.provenance)
        if not item.fields:
            found[item.id] = (item.title, item.value, item.provenance)
    return found


def contradictions(report: Report) -> list[str]:
    """What the report's measurements speak against, as ``item: what was measured``."""
    return [f"{entry.field}: {entry.measured}" for entry in report.contradictions]
