"""The questionnaire as it is first written: every question with an example, and with what the tool knows already."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Iterator, Mapping

import yaml

from rmaudit.disclosure.filled import disclosure_items
from rmaudit.disclosure.items import ListedField, ListedItem, standard
from rmaudit.disclosure.merge import known
from rmaudit.disclosure.questionnaire import SCHEMA
from rmaudit.disclosure.records import DisclosureField
from rmaudit.models.inspection import Inspection
from rmaudit.models.interface import ModelBlock
from rmaudit.models.training_files import Told
from rmaudit.reporting.report import Report

WIDTH = 110
_HOW = """\
Fill in what you know after `value:`, leave the rest: a question without an answer is shown as missing.
What must stay secret is refused with its reason, and what makes no sense for the model says why:

  H2.pay: {refused: covered by a contract with the labelling company}
  H4.scale: {not_applicable: labels come from a rule}

Next to `value:` there may be `note:` (what it leaves open), `evidence:` (where it can be looked up), `by:` and `date:`.
`known:` is what rmaudit found out itself. A report shows its own measurements, and your answer beside them.

Check it:  rmaudit disclose check FILE --run RUN
Use it:    rmaudit report RUN --disclosure FILE --out report.html"""
_AUDIENCES = {
    "public": "everybody",
    "downstream": "those who build on the model",
    "authority": "those who oversee it",
}


def of_report(report: Report, day: dt.date) -> str:
    """A questionnaire with what a report knows of the model."""
    return _questionnaire(report.model.source, report.model.identity, known(report), day)


def of_checkpoint(found: Inspection, card: Mapping[str, list[str]], training: Mapping[str, Told], day: dt.date) -> str:
    """A questionnaire with what the files of a checkpoint tell."""
    model = ModelBlock(
        source=found.source,
        identity=found.identity,
        revision=found.revision,
        format=found.format,
        evidence=found.evidence,
        architecture=found.architecture,
        parameters=found.parameters,
        head=", ".join(found.head) or None,
        pooling=found.pooling,
        dtype=None,
        template=found.template,
        max_length=None,
        self_test=[],
    )
    answers = [answer for item in disclosure_items(model, [], card, None, training) for answer in item.fields]
    return _questionnaire(found.source, found.identity, {answer.id: answer for answer in answers}, day)


def _questionnaire(source: str, identity: str, answers: Mapping[str, DisclosureField], day: dt.date) -> str:
    listed = standard()
    lines = [
        *_comment(f"{listed.title}, version {listed.version}, after {listed.citation}"),
        "#",
        *(f"# {line}".rstrip() for line in _HOW.splitlines()),
        "",
        f"schema: {SCHEMA}",
        f"standard: {listed.version}",
        "model:",
        f"  source: {_scalar(source)}",
        f"  identity: {_scalar(identity)}",
        "by:  # who answers: name, role and organisation",
        f"date: {day.isoformat()}",
        "",
        "answers:",
    ]
    for item in listed.items:
        lines += ["", *_item(item)]
        for field in item.fields:
            lines += ["", *_field(field, item, answers.get(field.id))]
    return "\n".join(lines) + "\n"


def _item(item: ListedItem) -> Iterator[str]:
    yield "  # " + "=" * (WIDTH - 4)
    yield f"  # {item.id}  {item.title}"
    yield from _comment(f"{item.question} For {_AUDIENCES[item.audience]}.", "  # ")
    yield from _comment(f"Silence hides: {item.risk[:1].lower()}{item.risk[1:]}", "  # ")


def _field(field: ListedField, item: ListedItem, answer: DisclosureField | None) -> Iterator[str]:
    aside = f" (For {_AUDIENCES[field.audience]}.)" if field.audience != item.audience else ""
    yield from _comment(field.question + aside, "  # ")
    if field.choices:
        yield f"  # {'One' if field.kind == 'choice' else 'Any'} of:"
        for value, words in field.choices.items():
            yield from _comment(f"{value}: {words}", "  #   ", "  #     ")
    yield from _comment(f"e.g. {_example(field)}", "  # ", "  #   ")
    yield f"  {field.id}:"
    if answer is not None and answer.value is not None and answer.provenance in ("measured", "extracted"):
        yield "    known:"
        yield f"      value: {_scalar(answer.value)}"
        yield f"      provenance: {answer.provenance}"
        if answer.evidence:
            yield f"      evidence: {_scalar(answer.evidence)}"
    elif answer is not None and answer.evidence and answer.reason:
        yield from _comment(answer.reason, "    # ")
    yield "    value:"


def _example(field: ListedField) -> str:
    """The example as it can stand behind `value:`."""
    value = field.example
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1 << 30)
    return written.removesuffix("\n").removesuffix("\n...")


def _comment(words: str, first: str = "# ", then: str | None = None) -> list[str]:
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if then is None else then,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _scalar(value: str) -> str:
    """A text as a YAML scalar on one line, whatever it holds."""
    whole = value.encode("utf-8", "replace").decode()  # half a surrogate pair has no place in a file
    told = yaml.dump(whole, Dumper=yaml.SafeDumper, default_style='"', allow_unicode=True, width=1 << 30)
    return told.removesuffix("...\n").strip()
