"""A declared answer as the rules see it, and how a rule objects to it."""

from __future__ import annotations

from dataclasses import dataclass

from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.questionnaire import Questionnaire, shown, values
from rmaudit.disclosure.records import Contradiction


@dataclass(frozen=True)
class Stated:
    """A declared answer."""

    field: str
    values: tuple[str, ...]
    """Its entries, one where it is no list."""
    words: str
    """The whole answer as text."""
    by: str | None

    @property
    def number(self) -> float:
        """The answer of a question for a number."""
        return float(self.values[0])

    def against(self, measured: str, evidence: str, declared: str | None = None) -> Contradiction:
        """That something speaks against it, or against one entry of it."""
        return Contradiction(
            field=self.field, declared=declared or self.words, asserted_by=self.by, measured=measured, evidence=evidence
        )


def stated(questionnaire: Questionnaire, field: str) -> Stated | None:
    """What is declared on a question; ``None`` where there is no value."""
    answer = questionnaire.answers.get(field)
    if answer is None or answer.value is None:
        return None
    words = shown(listed_fields()[field], answer) or ""
    return Stated(field, tuple(values(answer)), words, answer.by or questionnaire.by)
