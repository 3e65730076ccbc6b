"""What was disclosed, by question, for formats that ask in an order of their own."""

from __future__ import annotations

from collections.abc import Mapping

from rmaudit.disclosure.records import DisclosureField
from rmaudit.reporting.report import Report


def by_question(report: Report) -> Mapping[str, list[DisclosureField]]:
    """Answers by the id of their question, in the order of the report, also the lack of one.

    A question may have two: one that was measured or read from files, and one that was declared. An item without
    questions stands as a question of its own, under the id of the item.
    """
    found: dict[str, list[DisclosureField]] = {}
    for item in report.disclosure:
        whole = DisclosureField(
            id=item.id,
            question=item.title,
            value=item.value,
            provenance=item.provenance,
            evidence=item.evidence,
            reason=item.reason,
        )
        for answer in item.fields or [whole]:
            found.setdefault(answer.id, []).append(answer)
    return found


def value(report: Report, question: str) -> str | None:
    """The first answer to a question, ``None`` where nobody gave one."""
    return next((answer.value for answer in by_question(report).get(question, []) if answer.value is not None), None)
