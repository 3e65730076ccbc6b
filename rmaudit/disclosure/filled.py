"""The disclosure list filled in: every question with its answers, or with the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmaudit.disclosure.items import NOT_PROVIDED, ListedField, ListedItem, listed_items
from rmaudit.disclosure.known import known_answers
from rmaudit.disclosure.records import DisclosureField, DisclosureItem, Provenance
from rmaudit.models.interface import ModelBlock
from rmaudit.models.training_files import Told
from rmaudit.suites.finding import Finding, Ruler

BEST_FIRST: tuple[Provenance, ...] = ("measured", "extracted", "declared", "refused", "missing")
"""Of several answers, the first kind counts."""


def disclosure_items(
    model: ModelBlock,
    findings: Sequence[Finding],
    card: Mapping[str, Any] | None,
    ruler: Ruler | None = None,
    training: Mapping[str, Told] | None = None,
) -> list[DisclosureItem]:
    """The list with what an audit knows, and nothing declared; the arguments are those of `known_answers`.

    Returns:
        All items in order, each with all of its questions. What nobody answered is ``missing``, with the reason.
    """
    return filled(known_answers(model, findings, card, ruler, training), {})


def filled(known: Mapping[str, DisclosureField], declared: Mapping[str, DisclosureField]) -> list[DisclosureItem]:
    """The list with what the audit knows and what people declare or refuse, by question.

    A declared answer never takes the place of a known one; it stands behind it.
    """
    return [
        rolled_up(item, [answer for field in item.fields for answer in _answers(field, known, declared)])
        for item in listed_items()
    ]


def _answers(
    field: ListedField, known: Mapping[str, DisclosureField], declared: Mapping[str, DisclosureField]
) -> list[DisclosureField]:
    ours, theirs = known.get(field.id), declared.get(field.id)
    if ours is not None and ours.provenance == "missing" and theirs is not None:
        ours = None
    return [answer for answer in (ours, theirs) if answer is not None] or [
        DisclosureField(
            id=field.id,
            question=field.question,
            value=None,
            provenance="missing",
            evidence=None,
            reason=NOT_PROVIDED,
            audience=field.audience,
        )
    ]


def rolled_up(item: ListedItem, answers: Sequence[DisclosureField]) -> DisclosureItem:
    """An item with its answers, and with what they come to in a line."""
    names = {field.id: field.name for field in item.fields}
    told = [answer for answer in answers if answer.value is not None]
    missing = [names[answer.id] for answer in answers if answer.provenance == "missing"]
    refused = [f"{names[answer.id]} ({answer.reason})" for answer in answers if answer.provenance == "refused"]
    notes = [
        f"Refused: {'; '.join(refused)}." if refused else "",
        f"Not provided: {', '.join(missing)}." if missing and (told or refused) else "",
    ]
    return DisclosureItem(
        id=item.id,
        title=item.title,
        value="; ".join(f"{names[answer.id]}{_beside(answer, told)}: {answer.value}" for answer in told) or None,
        provenance=min((answer.provenance for answer in answers), key=BEST_FIRST.index),
        evidence="; ".join(dict.fromkeys(answer.evidence for answer in told if answer.evidence)) or None,
        reason=" ".join(filter(None, notes)) or (None if told else NOT_PROVIDED),
        fields=list(answers),
    )


def _beside(answer: DisclosureField, told: Sequence[DisclosureField]) -> str:
    """A mark for what people say beside what was measured or extracted."""
    mixed = any(other.provenance != "declared" for other in told)
    return " (declared)" if mixed and answer.provenance == "declared" else ""
