"""The questionnaire that people fill in: its form, and how a file of it is read and checked."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rmaudit.disclosure.items import ListedField, listed_fields, standard
from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import safety

SCHEMA: Literal["rmaudit.disclosure/1"] = "rmaudit.disclosure/1"
MAX_BYTES = 1 << 20

Value = str | int | float | list[str] | None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_null(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: None if isinstance(value, str) and not value.strip() else value for key, value in data.items()}


class Known(_Frozen):
    """What the tool found out itself when it wrote the questionnaire. A report takes its own, and not this."""

    value: str
    provenance: Literal["measured", "extracted"]
    evidence: str | None = None
    """File, finding or other part of a report."""


class Answer(_Frozen):
    """The answer to one question: a value, a refusal with its reason, or why the question does not apply."""

    known: Known | None = None
    """For the reader of the file; nothing to change here."""
    value: Value = None
    refused: str | None = None
    """Why it is not disclosed."""
    not_applicable: str | None = None
    """Why the question makes no sense for this model."""
    evidence: str | None = None
    """Where the answer can be looked up: an address, a file, a document."""
    note: str | None = None
    """What the answer leaves open, or more words on a choice."""
    by: str | None = None
    """Who says so, if not the person named at the top."""
    date: dt.date | None = None
    """Since when, if not the day named at the top."""

    @field_validator("value", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("YAML reads this word as true or false; put it in quotes")
        return value.isoformat() if isinstance(value, dt.date) else value

    @model_validator(mode="after")
    def _one(self) -> Answer:
        given = [name for name in ("value", "refused", "not_applicable") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given; keep one")
        return self

    @property
    def given(self) -> bool:
        """Whether it is answered or refused."""
        return any(entry is not None for entry in (self.value, self.refused, self.not_applicable))


class Subject(_Frozen):
    """Which model the answers are about."""

    source: str | None = None
    identity: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """sha256 as `rmaudit inspect` and every report show it."""


class Questionnaire(_Frozen):
    """Declared answers to the disclosure list."""

    schema_: Literal["rmaudit.disclosure/1"] = Field(alias="schema", default=SCHEMA)
    standard: Literal[1] = 1
    """Version of the disclosure list."""
    model: Subject = Subject()
    by: str | None = None
    """Who answers: name, role and organisation."""
    date: dt.date | None = None
    """When the answers were given."""
    answers: dict[str, Answer] = Field(default_factory=dict)
    """By question. A question that is left out, or has no value, is not answered."""

    @field_validator("answers", mode="before")
    @classmethod
    def _short_form(cls, answers: Any) -> Any:
        """``H2.number: 12`` is short for ``H2.number: {value: 12}``."""
        if answers is None:
            return {}
        if not isinstance(answers, dict):
            return answers
        return {key: entry if isinstance(entry, dict) else {"value": entry} for key, entry in answers.items()}

    @property
    def given(self) -> dict[str, Answer]:
        """The answers that are answered or refused, in the order of the list."""
        return {
            name: self.answers[name] for name in listed_fields() if name in self.answers and self.answers[name].given
        }


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a file."""

    line: int | None
    """Counted from 1."""
    where: str
    message: str

    def __str__(self) -> str:
        """The fault as a sentence without its file."""
        place = f"line {self.line}, " if self.line else ""
        return f"{place}{self.where}: {self.message}" if self.where else f"{place}{self.message}"


@dataclass(frozen=True)
class DeclaredFile:
    """A file of declared answers, as read."""

    name: str
    """Without its folder."""
    sha256: str
    questionnaire: Questionnaire
    lines: Mapping[str, int] = field(default_factory=dict)
    """Line of each answer, by question."""


class InvalidDisclosureError(UsageError):
    """A file of declared answers is wrong."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        """Name the file and what is wrong with it."""
        self.faults = faults
        more = f"\n  and {len(faults) - 5} more" if len(faults) > 5 else ""
        listed = "".join(f"\n  {fault}" for fault in faults[:5])
        super().__init__(
            f"{path} is not a valid disclosure:{listed}{more}\nCheck it with: rmaudit disclose check {path}"
        )


def read_disclosure(path: Path) -> DeclaredFile:
    """Read a file of declared answers.

    Raises:
        InvalidDisclosureError: with everything that is wrong with it.
        UsageError: when it cannot be read, or is no YAML.
    """
    try:
        raw = safety.read_bytes(path, MAX_BYTES)
        data = safety.parse_yaml(raw, str(path), MAX_BYTES)
    except LoadRefusedError as error:
        raise UsageError(str(error)) from error
    lines, faults = _lines(raw)
    if not isinstance(data, dict):
        raise InvalidDisclosureError(
            path, [Fault(1, "", "it holds no answers; start from: rmaudit disclose init SOURCE")]
        )
    found: Questionnaire | None = None
    try:
        found = Questionnaire.model_validate(data)
    except ValidationError as error:
        faults += [_fault(entry, lines) for entry in error.errors()]
    faults += _wrong_answers(data.get("answers"), lines)
    if faults or found is None:
        raise InvalidDisclosureError(path, sorted(faults, key=lambda fault: fault.line or 0))
    places = {name: lines[("answers", name)] for name in found.answers if ("answers", name) in lines}
    return DeclaredFile(path.name, hashlib.sha256(raw).hexdigest(), found, places)


def shown(field: ListedField, answer: Answer) -> str | None:
    """An answer's value as text: choices in their words, lists with commas."""
    if answer.not_applicable is not None:
        return f"not applicable: {answer.not_applicable}"
    if answer.value is None:
        return None
    entries = answer.value if isinstance(answer.value, list) else [answer.value]
    return ", ".join(field.choices.get(str(entry), str(entry)) for entry in entries)


def values(answer: Answer) -> list[str]:
    """The entries of an answer's value, one where it is no list."""
    if answer.value is None:
        return []
    return [str(entry) for entry in (answer.value if isinstance(answer.value, list) else [answer.value])]


def _wrong_answers(answers: Any, lines: Mapping[tuple[Any, ...], int]) -> Iterator[Fault]:
    """Questions that are not on the list, and values that do not fit their question."""
    for name, entry in answers.items() if isinstance(answers, dict) else ():
        line = lines.get(("answers", name, "value"), lines.get(("answers", name)))
        if name not in listed_fields():
            yield Fault(line, str(name), f"there is no such question{_meant(str(name))}")
            continue
        try:
            answer = Answer.model_validate(entry if isinstance(entry, dict) else {"value": entry})
        except ValidationError:
            continue  # told with the file as a whole
        if answer.value is not None:
            for wrong in _wrong(listed_fields()[name], answer):
                yield Fault(line, name, wrong)


def _wrong(asked: ListedField, answer: Answer) -> Iterator[str]:
    value = answer.value
    if isinstance(value, list) and asked.kind != "list":
        yield f"a list, where one {'value' if asked.kind == 'choice' else asked.kind} is asked for"
    elif asked.kind == "number":
        if isinstance(value, str):
            yield f"{value!r} is no number; write the number alone, and words in `note`"
        elif isinstance(value, int | float) and not (
            (asked.minimum is None or value >= asked.minimum) and (asked.maximum is None or value <= asked.maximum)
        ):
            upper = "" if asked.maximum is None else f" to {asked.maximum:g}"
            yield f"{value:g} is outside {asked.minimum:g}{upper}" + (" (72% is 0.72)" if asked.maximum == 1 else "")
    elif asked.kind == "date":
        try:
            dt.date.fromisoformat(str(value))
        except ValueError:
            yield f"{value!r} is no day; write YYYY-MM-DD"
    elif asked.choices:
        for entry in values(answer):
            if entry not in asked.choices:
                close = difflib.get_close_matches(entry, asked.choices, n=1)
                hint = f"did you mean {close[0]}? " if close else ""
                yield f"{entry!r} is none of the choices; {hint}one of: {', '.join(asked.choices)} (more words: `note`)"


def _fault(error: Any, lines: Mapping[tuple[Any, ...], int]) -> Fault:
    place = tuple(error["loc"])
    while place and place not in lines and len(place) > 1 and place[-1] in ("str", "int", "float", "list[str]"):
        place = place[:-1]
    line = next((lines[place[:length]] for length in range(len(place), 0, -1) if place[:length] in lines), None)
    where = ".".join(str(part) for part in place)
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        models: tuple[type[BaseModel], ...] = (Questionnaire, Subject, Answer, Known)
        known = [field.alias or name for model in models for name, field in model.model_fields.items()]
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        message = "there is no such key" + (f"; did you mean {close[0]}?" if close else "")
    elif place == ("standard",):
        message = f"this version of rmaudit has version {standard().version} of the disclosure list only"
    return Fault(line, where.removeprefix("answers."), message)


def _meant(name: str) -> str:
    known = list(listed_fields())
    tail = name.partition(".")[2] or name
    same = [entry for entry in known if entry.partition(".")[2] == tail]
    close = same or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else "; `rmaudit disclose init` writes all of them"


def _lines(raw: bytes) -> tuple[dict[tuple[Any, ...], int], list[Fault]]:
    """Line of each key, by its path, and keys that are there twice."""
    lines: dict[tuple[Any, ...], int] = {}
    faults: list[Fault] = []

    def walk(node: yaml.Node, path: tuple[Any, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                place = (*path, key.value)
                line = key.start_mark.line + 1
                if place in lines:
                    faults.append(
                        Fault(line, ".".join(map(str, place)), f"it is there already, in line {lines[place]}")
                    )
                lines[place] = line
                walk(value, place)
        elif isinstance(node, yaml.SequenceNode):
            for index, entry in enumerate(node.value):
                lines[(*path, index)] = entry.start_mark.line + 1
                walk(entry, (*path, index))

    node = yaml.compose(raw, Loader=yaml.SafeLoader)
    if node is not None:
        walk(node, ())
    return lines, faults
