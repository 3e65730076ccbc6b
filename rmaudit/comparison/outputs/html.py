"""A comparison as one HTML file: no script, no network; light, dark and on paper."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from rmaudit.comparison import words
from rmaudit.comparison.result import Comparison, Outcome
from rmaudit.reporting import plots, text
from rmaudit.reporting.html import interval, number
from rmaudit.reporting.page import environment

_SHAPES: dict[Outcome, str] = {
    "worse": "present",
    "better": "negligible",
    "turned": "described",
    "no_different": "baseline",
    "not_shown": "inconclusive",
}
"""How the plot marks an outcome."""


def render(comparison: Comparison) -> bytes:
    """Render a comparison as a single HTML page, UTF-8, that loads nothing and runs nothing."""
    scales = {
        beside.label: plots.scale_for([change.difference for change in beside.changes], comparison.margin)
        for beside in comparison.beside
    }
    page = _environment().get_template("comparison.html").render(comparison=comparison, scales=scales)
    return page.encode("utf-8")


@cache
def _environment() -> Environment:
    names = {
        "axis": plots.axis,
        "ci": interval,
        "number": number,
        "plot": plots.interval,
        "shapes": _SHAPES,
        "words": words,
        "text": text,
    }
    return environment(names, {})
