"""What a file of declared answers holds and lacks, and what speaks against it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from rmaudit.disclosure.items import listed_fields, standard
from rmaudit.disclosure.merge import declared_answers, disclosed, known
from rmaudit.disclosure.questionnaire import DeclaredFile, Fault
from rmaudit.disclosure.records import Contradiction
from rmaudit.reporting.report import Report


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Refusal(_Frozen):
    """A question that was declined."""

    field: str
    question: str
    reason: str


class Unanswered(_Frozen):
    """A question without an answer."""

    field: str
    question: str


class Invalid(_Frozen):
    """What ``rmaudit disclose check`` says of a file that is not valid."""

    valid: Literal[False] = False
    file: str
    faults: list[Fault]


class State(_Frozen):
    """What ``rmaudit disclose check`` says of a valid file."""

    valid: Literal[True] = True
    file: str
    sha256: str
    standard: int
    by: str | None
    date: str | None
    questions: int
    """Of the whole list."""
    known: list[str]
    """Questions that the run measured, or that files of the checkpoint answer; without a run, as the file says."""
    declared: list[str]
    refused: list[Refusal]
    missing: list[Unanswered]
    """Neither known, nor declared, nor refused."""
    contradictions: list[Contradiction] | None
    """``null`` where there was no run to compare with."""


def state(file: DeclaredFile, report: Report | None) -> State:
    """What a file holds and lacks, by itself or beside a report."""
    answers = declared_answers(file)
    if report is not None:
        ours = [name for name, answer in known(report).items() if answer.value is not None]
    else:
        ours = [name for name, answer in file.questionnaire.answers.items() if answer.known is not None]
    refused = [
        Refusal(field=name, question=answer.question, reason=answer.reason or "")
        for name, answer in answers.items()
        if answer.provenance == "refused"
    ]
    questionnaire = file.questionnaire
    return State(
        file=file.name,
        sha256=file.sha256,
        standard=standard().version,
        by=questionnaire.by,
        date=questionnaire.date.isoformat() if questionnaire.date else None,
        questions=len(listed_fields()),
        known=ours,
        declared=[name for name, answer in answers.items() if answer.provenance == "declared"],
        refused=refused,
        missing=[
            Unanswered(field=name, question=asked.question)
            for name, asked in listed_fields().items()
            if name not in answers and name not in ours
        ],
        contradictions=disclosed(report, file).contradictions if report is not None else None,
    )
