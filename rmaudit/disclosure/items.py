"""The disclosure list as data: what is asked, why, of whom, and where other formats ask the same."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rmaudit.disclosure.records import Audience

NOT_PROVIDED = "not provided"

Kind = Literal["text", "list", "number", "date", "choice"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Crosswalk(_Frozen):
    """Where other formats ask what an item asks. An answer supports filling them in; it never shows compliance."""

    reward_report: tuple[str, ...] = ()
    """Sections of a Reward Report (Gilbert et al. 2022)."""
    model_card: tuple[str, ...] = ()
    """Sections of a Model Card (Mitchell et al. 2019)."""
    datasheet: tuple[str, ...] = ()
    """Sections of a Datasheet for Datasets (Gebru et al. 2018)."""
    hugging_face: tuple[str, ...] = ()
    """Metadata of a model repository."""
    eu_ai_act: tuple[str, ...] = ()
    """Points of Regulation (EU) 2024/1689, Annex XI. They are for general-purpose models, of which a reward model is
    normally a component."""
    gpai_form: tuple[str, ...] = ()
    """Sections of the Model Documentation Form of the EU's code of practice for general-purpose AI."""
    nist_ai_rmf: tuple[str, ...] = ()
    """Subcategories of the NIST AI Risk Management Framework 1.0."""
    cyclonedx: tuple[str, ...] = ()
    """Places in a CycloneDX 1.6 machine-learning bill of materials."""


class ListedField(_Frozen):
    """One question of an item."""

    id: str = Field(pattern=r"^[HRPS][1-9]\.[a-z][a-z_]*$")
    """Item and name, such as ``H2.recruitment``."""
    question: str
    kind: Kind
    audience: Audience
    choices: dict[str, str] = Field(default_factory=dict)
    """Values that a choice, or each entry of a list, may have, with what they mean. Empty: any."""
    minimum: float | None = None
    maximum: float | None = None
    extracted: str | None = None
    """Files of a checkpoint that answer it."""
    measured: str | None = None
    """What of an audit answers it."""
    example: str | float | list[str]
    """A good answer, of an imagined model."""

    @property
    def name(self) -> str:
        """Short name in words, such as ``known biases``."""
        return self.id.partition(".")[2].replace("_", " ")

    @model_validator(mode="after")
    def _whole(self) -> ListedField:
        if self.kind == "choice" and not self.choices:
            raise ValueError(f"{self.id} is a choice without choices")
        if self.choices and self.kind not in ("choice", "list"):
            raise ValueError(f"{self.id} has choices, and is a {self.kind}")
        return self


class ListedItem(_Frozen):
    """One item of the disclosure list, as asked."""

    id: str
    heading: str
    title: str
    question: str
    risk: str
    """What silence about it hides."""
    audience: Audience
    crosswalk: Mapping[str, tuple[str, ...]]
    """Where other formats ask the same, by format (the fields of `Crosswalk`); formats that do not ask are left out."""
    fields: tuple[ListedField, ...]
    """Its questions."""

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, data: Any) -> Any:
        """Give each question the item's audience where it has none, and check the crosswalk's formats."""
        if not isinstance(data, dict):
            return data
        crosswalk = Crosswalk.model_validate(data.get("crosswalk", {}))
        asked = [{"audience": data.get("audience"), **field} for field in data.get("fields", [])]
        return data | {"fields": asked, "crosswalk": {name: places for name, places in crosswalk if places}}

    @model_validator(mode="after")
    def _own(self) -> ListedItem:
        foreign = [field.id for field in self.fields if not field.id.startswith(f"{self.id}.")]
        if foreign:
            raise ValueError(f"{self.id} holds questions of other items: {', '.join(foreign)}")
        return self


class Standard(_Frozen):
    """The whole list."""

    version: int
    title: str
    citation: str
    relation: Literal["supports"]
    """What an answer does for the formats of the crosswalks."""
    items: tuple[ListedItem, ...]

    @model_validator(mode="after")
    def _once(self) -> Standard:
        ids = [field.id for item in self.items for field in item.fields]
        if len(set(ids)) != len(ids) or len({item.id for item in self.items}) != len(self.items):
            raise ValueError("an item or a question is there twice")
        return self


@cache
def standard() -> Standard:
    """The list that ships."""
    data = yaml.safe_load(Path(__file__).with_name("items.yaml").read_text(encoding="utf-8"))
    return Standard.model_validate(data)


def listed_items() -> tuple[ListedItem, ...]:
    """All items, in order."""
    return standard().items


@cache
def listed_fields() -> Mapping[str, ListedField]:
    """All questions by id, in order."""
    return {field.id: field for item in listed_items() for field in item.fields}
