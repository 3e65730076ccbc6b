"""What every HTML page is rendered with: safe templates, from one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rmaudit.reporting import text
from rmaudit.resources import reports_dir


def environment(names: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """Templates that escape and clean whatever they print.

    Args:
        names: what the templates may call or look up.
        filters: theirs, by name, besides ``line``.

    Returns:
        An environment in which an unknown name, and a number that was not formatted, raise.
    """
    made = Environment(
        loader=FileSystemLoader(reports_dir() / "templates"),
        autoescape=True,  # for every template, whatever its name ends in
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= names
    made.filters |= {"line": text.one_line, **filters}
    return made


def _safe(value: Any) -> Any:
    """Clean each text that a template prints, and let no number through that was not formatted."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return text.clean(value)
    raise TypeError(f"a template must not print {type(value).__name__} as it is")
