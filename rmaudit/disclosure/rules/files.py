"""Declared facts, against those that the files of the checkpoint tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.known import form
from rmaudit.disclosure.questionnaire import Questionnaire
from rmaudit.disclosure.records import Contradiction
from rmaudit.disclosure.rules.stated import Stated, stated
from rmaudit.reporting import text
from rmaudit.reporting.report import Report

_LOSSES = {
    "scalar": {"bradley_terry", "ranking", "regression", "classification", "other"},
    "multi_attribute": {"bradley_terry", "ranking", "regression", "classification", "other"},
    "pairwise": {"bradley_terry", "ranking", "classification", "language_modelling", "other"},
    "process": {"regression", "classification", "language_modelling", "other"},
    "implicit": {"dpo", "other"},
    "generative": {"language_modelling", "classification", "other"},
}
"""Losses from which a model of each form can come."""
_COMPARED = {"comparison", "ranking"}
_WHOLE = {"comparison", "ranking", "binary", "rating"}
"""Feedback that says one thing about a whole answer."""


def against_files(report: Report, questionnaire: Questionnaire) -> Iterator[Contradiction]:
    """Where the files tell something else than is declared."""
    named = questionnaire.model.identity
    if named and named != report.model.identity:
        yield Contradiction(
            field="model",
            declared=f"The answers are about the model with sha256 {text.short_identity(named)}.",
            asserted_by=questionnaire.by,
            measured=f"This report is about another one, sha256 {text.short_identity(report.model.identity)}.",
            evidence="R1.identity",
        )
    extracted = {
        answer.id: answer.value
        for item in report.disclosure
        for answer in item.fields
        if answer.provenance == "extracted" and answer.value
    }
    yield from _names(questionnaire, extracted)
    yield from _form(report, questionnaire)


def _names(questionnaire: Questionnaire, extracted: Mapping[str, str]) -> Iterator[Contradiction]:
    for field, same in (("H1.base_model", _same_name), ("H1.licences", _same_licence), ("H3.datasets", _same_name)):
        declared = stated(questionnaire, field)
        told = extracted.get(field)
        if declared is None or told is None:
            continue
        left_out = [name for name in told.split(", ") if not any(same(name, value) for value in declared.values)]
        if left_out:
            yield declared.against(
                f"The checkpoint's files name {', '.join(left_out)}, which is not among what is declared.", field
            )


def _form(report: Report, questionnaire: Questionnaire) -> Iterator[Contradiction]:
    gives = form(report.model)
    if gives is None:
        return
    words = f"The checkpoint's files show a model of the format {report.model.format}: "
    words += f"{listed_fields()['R1.form'].choices[gives]}."
    declared = stated(questionnaire, "R1.form")
    if declared and declared.values[0] not in (gives, "other"):
        yield declared.against(words, "R1.form")
    loss = stated(questionnaire, "R1.loss")
    if loss and loss.values[0] not in _LOSSES[gives]:
        yield loss.against(f"{words} That does not come from such a loss.", "R1.form")
    kinds = stated(questionnaire, "H4.types")
    if kinds and (lacks := _lacks(gives, kinds)):
        yield kinds.against(f"{words} {lacks}", "R1.form")


def _lacks(gives: str, kinds: Stated) -> str | None:
    """Why the declared kinds of feedback cannot have taught a model of this form."""
    given = set(kinds.values)
    if gives == "process" and "steps" not in given:
        return "That takes judgements of steps."
    if gives == "multi_attribute" and given <= _WHOLE:
        return "That takes feedback on several qualities."
    if gives == "pairwise" and not given & _COMPARED:
        return "That takes comparisons."
    return None


def _same_name(told: str, declared: str) -> bool:
    """Whether a declared name, perhaps with a version behind it or without its owner, is the one that files tell."""
    known, said = told.casefold(), declared.casefold()
    return bool(re.search(rf"(?<![\w.-]){re.escape(known)}(?![\w-])", said)) or known.rpartition("/")[2] == said


def _same_licence(told: str, declared: str) -> bool:
    def plain(name: str) -> str:
        return re.sub(r"[^a-z0-9]|licen[cs]e|version|the\b", "", name.casefold())

    return plain(told) == plain(declared)
