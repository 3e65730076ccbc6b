"""The disclosure list as chapters of a report, in the order of Casper et al. (2023)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rmaudit.disclosure.items import ListedItem, listed_items
from rmaudit.disclosure.merge import warning
from rmaudit.disclosure.records import DisclosureField, DisclosureItem
from rmaudit.reporting import text
from rmaudit.reporting.audience import HEADINGS
from rmaudit.reporting.report import Report


class Question(NamedTuple):
    """One question of an item with its answers: what was measured or read from files, then what people declare."""

    id: str
    question: str
    audience: str
    """Who the answer is for, in words."""
    answers: tuple[DisclosureField, ...]


class Entry(NamedTuple):
    """One item of the list with its questions."""

    item: DisclosureItem
    risk: str | None
    """What silence about it hides."""
    question: str | None
    """What the item asks as a whole, where its questions are more than that."""
    questions: tuple[Question, ...]

    @property
    def answers(self) -> list[DisclosureField]:
        """Of all questions."""
        return [answer for question in self.questions for answer in question.answers]


class Chapter(NamedTuple):
    """The items under one heading."""

    heading: str
    entries: tuple[Entry, ...]


class Crossing(NamedTuple):
    """Where another format asks what an item of the list asks."""

    item: str
    title: str
    format: str
    places: tuple[str, ...]


def chapters(report: Report) -> dict[str, Chapter]:
    """All chapters by heading, also those without an item."""
    listed = {item.id: item for item in listed_items()}
    entries: dict[str, list[Entry]] = {heading: [] for heading in HEADINGS}
    for item in report.disclosure:
        asked = listed.get(item.id)
        entries[asked.heading if asked else HEADINGS[-1]].append(_entry(item, asked))
    return {heading: Chapter(heading, tuple(found)) for heading, found in entries.items()}


def provenances(answers: Iterable[DisclosureField]) -> list[tuple[str, int]]:
    """How many answers come from where; nothing about what none comes from."""
    kinds = [answer.provenance for answer in answers]
    return [(kind, kinds.count(kind)) for kind in text.PROVENANCE if kind in kinds]


def crosswalk(report: Report) -> list[Crossing]:
    """Where other formats ask for the items of this report, in the order of the list."""
    shown = {item.id for item in report.disclosure}
    return [
        Crossing(item.id, item.title, text.FORMATS.get(name, text.name(name)), tuple(places))
        for item in listed_items()
        if item.id in shown
        for name, places in item.crosswalk.items()
        if places
    ]


def warnings(report: Report) -> list[str]:
    """The report's warnings without those that repeat a contradiction, which a report shows by itself."""
    told = {warning(entry) for entry in report.contradictions}
    return [line for line in report.warnings if line not in told]


def _entry(item: DisclosureItem, asked: ListedItem | None) -> Entry:
    whole = DisclosureField(
        id=item.id,
        question=asked.question if asked else item.title,
        value=item.value,
        provenance=item.provenance,
        evidence=item.evidence,
        reason=item.reason,
        audience=asked.audience if asked else "public",
    )
    grouped: dict[str, list[DisclosureField]] = {}
    for answer in item.fields or [whole]:
        grouped.setdefault(answer.id, []).append(answer)
    return Entry(
        item=item,
        risk=asked.risk if asked else None,
        question=asked.question if asked and item.fields else None,
        questions=tuple(
            Question(name, answers[0].question, text.AUDIENCES[answers[0].audience], tuple(answers))
            for name, answers in grouped.items()
        ),
    )
