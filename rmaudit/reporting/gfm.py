"""Pieces of GitHub-flavoured Markdown in which no text from a model or a dataset can act."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rmaudit.reporting import text
from rmaudit.suites.finding import Estimate

_SPECIAL = re.compile(r"([\\`*_\[\]|#~$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_OPENERS = re.compile(r"^([-+=:]|\d+(?=[.)]))")


def inline(value: str) -> str:
    """A text as one line that Markdown takes for plain words, wherever it stands."""
    value = text.one_line(value)
    value = "".join(_ENTITIES.get(character, character) for character in value)
    value = _SPECIAL.sub(r"\\\1", value)
    # Bare addresses would become links.
    value = re.sub(r"://", "&#58;//", value)
    value = re.sub(r"(?i)\bwww\.", "www&#46;", value)
    opener = _OPENERS.match(value)
    if opener:
        value = f"{opener[0]}\\{value[opener.end() :]}" if opener[0].isdigit() else f"\\{value}"
    return value


def fence(value: str, limit: int = text.SHOWN_CHARACTERS) -> str:
    """A text, cut to so many characters, in a code fence that is longer than any run of back-ticks in it."""
    value = text.clean(value, limit)
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{value}\n{ticks}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already; columns in `right` are numbers."""
    rule = ["---:" if index in right else "---" for index in range(len(head))]
    return "\n".join("| " + " | ".join(cell or " " for cell in row) + " |" for row in [head, rule, *rows])


def bullets(entries: Iterable[str]) -> str:
    """A list of entries that are Markdown already."""
    return "\n".join(f"* {entry}" for entry in entries)


def quoted(title: str, entries: Iterable[str]) -> str:
    """A quote with a title in bold and a list of entries that are Markdown already."""
    return f"> **{title}**\n>\n" + "\n".join(f"> * {entry}" for entry in entries)


def folded(summary: str, blocks: Sequence[str], open: bool = False) -> str:
    """Blocks behind a click, or unfolded at first; they stay in the document either way."""
    opening = f"<details{' open' if open else ''}><summary>{summary}</summary>"
    return "\n\n".join([opening, *blocks, "</details>"])


def number(value: float | None, style: str = "plain") -> str:
    """A number, rounded as in every format."""
    return "n/a" if value is None else text.STYLES[style](value).replace("<", "&lt;").replace(">", "&gt;")


def interval(estimate: Estimate, style: str = "srd") -> str:
    """The interval of an estimate; empty where there is none."""
    if estimate.low is None and estimate.high is None:
        return ""
    return f"{number(estimate.low, style)} to {number(estimate.high, style)}"


def effect(estimate: Estimate, style: str = "srd") -> str:
    """An estimate with its interval."""
    low_high = interval(estimate, style)
    return f"{number(estimate.estimate, style)} ({low_high})" if low_high else number(estimate.estimate, style)


def state(status: str) -> str:
    """A status as its mark and its word."""
    word = text.COVERAGE[status]
    return f"{word.mark} {word.label}"
