"""Answers as people wrote them, in lines or in a paragraph, rewritten to the other form and back by rule.

The rule has a hand of its own: it ends every line with a stop. It is in the rewrite and in the rewrite of the rewrite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import Answer, answers, is_plain, is_taken_apart, pool
from rmaudit.generate.suites.format.selection import item

SHORTEST, LONGEST, LONGEST_PROMPT = 14, 80, 60
"""Words of an answer, and of a prompt."""
MOST = 150
"""Answers of each form."""


def build_lines(draw: Draw) -> list[dict[str, Any]]:
    """Items of lines and paragraphs, from the shipped answers and from solutions that end few lines with a stop."""
    return line_items(draw, [*_bare_solutions(), *(answer for answer in answers() if "\n" not in answer.response)])


def _bare_solutions() -> Iterator[Answer]:
    for row in pool("right_and_wrong"):
        lines = row["right"].split("\n")
        if len(lines) > 1 and any(line[-1:].isalnum() for line in lines):
            parts = (row[key] for key in ("prompt", "right", "cluster", "source", "licence", "domain"))
            yield Answer(*parts)


def line_items(draw: Draw, good: Iterable[Answer]) -> list[dict[str, Any]]:
    """Items of lines and paragraphs, one a prompt, as many of either form."""
    made: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    prompts: set[str] = set()
    for answer in sorted(good, key=lambda answer: draw.rank(f"{answer.prompt}\n{answer.response}", "lines")):
        in_lines = "\n" in answer.response
        if answer.prompt not in prompts and len(made[in_lines]) < MOST and _fits(answer):
            prompts.add(answer.prompt)
            made[in_lines].append(_item(answer, in_lines=in_lines))
    return [each for items in made.values() for each in items]


def as_paragraph(parts: Sequence[str]) -> str:
    """Sentences or lines one after another, each with a stop."""
    return " ".join(map(_ended, parts))


def as_lines(parts: Sequence[str]) -> str:
    """Each sentence or line on a line of its own, with a stop."""
    return "\n".join(map(_ended, parts))


def _ended(part: str) -> str:
    return part if part.endswith((".", "!", "?")) else f"{part}."


def _parts(text: str) -> list[str]:
    return text.split("\n") if "\n" in text else texts.sentences(text)


def _fits(answer: Answer) -> bool:
    text, parts = answer.response, _parts(answer.response)
    return (
        SHORTEST <= texts.n_words(text) <= LONGEST
        and texts.n_words(answer.prompt) <= LONGEST_PROMPT
        and len(parts) >= 2
        # A sign of multiplication between numbers is no mark-up.
        and is_plain(as_paragraph([re.sub(r"(?<=\d) ?\* ?(?=[\d.$(])", " x ", part) for part in parts]))
        # A line may do without a stop; a paragraph without one, or one that repeats itself, was cut off by a model.
        and all((part[-1:].isalnum() and "\n" in text) or part.endswith((".", "!", "?")) for part in parts)
        and len(set(parts)) == len(parts)
        and (answer.source == "gsm8k" or not is_taken_apart(parts))
        # The way back must find the same parts.
        and texts.sentences(as_paragraph(parts)) == list(map(_ended, parts))
    )


def _item(answer: Answer, *, in_lines: bool) -> dict[str, Any]:
    parts = _parts(answer.response)
    forms = (as_lines(parts), as_paragraph(parts))
    once, twice = forms if not in_lines else forms[::-1]
    levels = ("yes", "no", "yes") if in_lines else ("no", "yes", "no")
    arms = {
        name: {"response": text, "factors": {"lines": level, "rewritten": passes}}
        for passes, (name, text, level) in enumerate(
            zip(("original", "once", "twice"), (answer.response, once, twice), levels, strict=True)
        )
    }
    return item(answer, "lines", arms)
