"""A report together with what people declare about the model."""

from __future__ import annotations

from rmaudit.disclosure.contradictions import contradictions
from rmaudit.disclosure.filled import filled
from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.questionnaire import Answer, DeclaredFile, shown
from rmaudit.disclosure.records import Contradiction, Declaration, DisclosureField
from rmaudit.reporting.report import Report


def disclosed(report: Report, file: DeclaredFile) -> Report:
    """The report with the declared answers, and with what was measured against them.

    Answers of an earlier declaration in the report are replaced. A declared answer stands beside what was measured
    or extracted, never in its place.
    """
    questionnaire = file.questionnaire
    against = contradictions(report, questionnaire)
    earlier = {warning(entry) for entry in report.contradictions}
    return report.model_copy(
        update={
            "warnings": [
                *(entry for entry in report.warnings if entry not in earlier),
                *(warning(entry) for entry in against),
            ],
            "disclosure": filled(known(report), declared_answers(file)),
            "contradictions": against,
            "declaration": Declaration(
                file=file.name,
                sha256=file.sha256,
                by=questionnaire.by,
                date=questionnaire.date.isoformat() if questionnaire.date else None,
                standard=questionnaire.standard,
                model=questionnaire.model.identity,
            ),
        }
    )


def known(report: Report) -> dict[str, DisclosureField]:
    """What the report knows without a declaration, by question."""
    asked = listed_fields()
    return {
        answer.id: answer
        for item in report.disclosure
        for answer in item.fields
        if answer.id in asked and (answer.provenance in ("measured", "extracted") or _unreadable(answer))
    }


def declared_answers(file: DeclaredFile) -> dict[str, DisclosureField]:
    """What a file declares or refuses, by question."""
    return {name: _answer(name, answer, file) for name, answer in file.questionnaire.given.items()}


def warning(entry: Contradiction) -> str:
    """A contradiction as one line among the warnings of a report."""
    who = f" by {entry.asserted_by}" if entry.asserted_by else ""
    return f"Contradiction in {entry.field}. Declared{who}: {entry.declared.rstrip('.')}. {entry.measured}"


def _answer(name: str, answer: Answer, file: DeclaredFile) -> DisclosureField:
    asked, questionnaire = listed_fields()[name], file.questionnaire
    day = answer.date or questionnaire.date
    return DisclosureField(
        id=name,
        question=asked.question,
        value=shown(asked, answer),
        provenance="refused" if answer.refused is not None else "declared",
        evidence=answer.evidence or file.name,
        reason=answer.refused if answer.refused is not None else answer.note,
        asserted_by=answer.by or questionnaire.by,
        date=day.isoformat() if day else None,
        audience=asked.audience,
    )


def _unreadable(answer: DisclosureField) -> bool:
    """Whether it is missing for a reason that the files themselves give."""
    return answer.provenance == "missing" and answer.evidence is not None
