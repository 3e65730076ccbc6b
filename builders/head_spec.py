"""Writes the reference in ``docs/head-spec.md`` from the model that reads such files.

python -m builders.head_spec            write the page
python -m builders.head_spec --check    exit code 1 when the page is stale
"""

from __future__ import annotations

import re
import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from builders import pages
from rmaudit.models.headspec import POSITIONS, HeadSpec, InputSpec, Layer, Normalisation, Output, Steps

PAGE = pages.DOCS / "head-spec.md"
PARTS: dict[str, type[BaseModel]] = {
    "The file": HeadSpec,
    "An entry of `layers`": Layer,
    "An entry of `outputs`": Output,
    "`normalisation`": Normalisation,
    "`input`": InputSpec,
    "`steps`": Steps,
}


def main() -> None:
    """Write the page, or check it."""
    pages.main(PAGE, render(), "builders.head_spec", __doc__)


def render() -> str:
    """The page as Markdown."""
    parts = [f"### {title}\n\n{_part(model)}" for title, model in PARTS.items()]
    means = [(f"`{name}`", text.format(token="`token`")) for name, text in POSITIONS.items()]
    positions = pages.table(("`position`", "reads"), means)
    return pages.between_marks(PAGE, "\n\n".join([*parts, f"### Positions\n\n{positions}"]))


def _part(model: type[BaseModel]) -> str:
    rows = [
        (f"`{name}`", _kind(field.annotation), _default(field), _meaning(field.description))
        for name, field in model.model_fields.items()
    ]
    return f"{_meaning(model.__doc__)}\n\n{pages.table(('key', 'value', 'default', 'meaning'), rows)}"


def _kind(annotation: Any) -> str:
    """A type in words."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(_kind(argument) for argument in arguments if argument is not types.NoneType)
    if get_origin(annotation) is tuple:
        return f"list of {_kind(arguments[0])}s" if _is_model(arguments[0]) else f"list: {_kind(arguments[0])}"
    if get_origin(annotation) is dict:
        return "mapping of texts to texts"
    if _is_model(annotation):
        return "mapping"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}[annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or isinstance(value, BaseModel | tuple | dict):
        return "-"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else "-"


def _meaning(text: str | None) -> str:
    """A docstring as a line of Markdown."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join((text or "").split()))


if __name__ == "__main__":
    main()
