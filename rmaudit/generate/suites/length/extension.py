"""Filler against content: the first part of an answer, with filler, with what the answer goes on to say, or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import choose_fillers, fill_exactly, insert, likely_sentences, parts_of, separator_of
from rmaudit.generate.pools import Answer, answers
from rmaudit.generate.suites.length.selection import arm, chosen, has_parts, item

SHORTEST, LONGEST = 22, 60
"""Words of the whole answer."""
LEAST = 7
"""Words of the first part, and of the rest."""
LEAST_NEW = 2
"""Words with content that the rest brings in, numbers among them."""
MOST = {"gsm8k": 90}
"""Answers a source."""


def build_extensions(draw: Draw) -> list[dict[str, Any]]:
    """Items that set filler against content, from the shipped answers."""
    return extension_items(draw, answers())


def extension_items(draw: Draw, good: Sequence[Answer]) -> list[dict[str, Any]]:
    """Items that set filler against content, from answers of at least two sentences."""
    made = (_item(draw, answer) for found in chosen(draw, good, _fits, MOST, "extension") for answer in found)
    return [each for each in made if each]


def _fits(answer: Answer) -> bool:
    return SHORTEST <= texts.n_words(answer.response) <= LONGEST and has_parts(answer.response, 2)


def _item(draw: Draw, answer: Answer) -> dict[str, Any] | None:
    parts, separator = parts_of(answer.response), separator_of(answer.response)
    short = separator.join(parts[: _split(parts)])
    if separator.join(parts) != answer.response:
        return None
    added = texts.n_words(answer.response) - texts.n_words(short)
    if len(texts.content_words(answer.response) - texts.content_words(short)) < LEAST_NEW:
        return None
    found = fill_exactly(choose_fillers(draw, answer.prompt, short, answer.cluster), added)
    if min(texts.n_words(short), added) < LEAST or found is None:
        return None
    fillers = found

    def cell(text: str, content: str, filler: str) -> dict[str, Any]:
        whole = insert(text, fillers, "end") if filler == "yes" else text
        return arm(whole, content=content, filler=filler, cell=f"content {content}, filler {filler}")

    arms = {
        f"content_{content}_filler_{filler}": cell(text, content, filler)
        for content, text in (("no", short), ("yes", answer.response))
        for filler in ("no", "yes")
    }
    likely = fill_exactly(likely_sentences(draw, answer.cluster), added)
    if likely:
        arms["likely"] = arm(insert(short, likely, "end"), cell="content no, likely text")
    return item(answer, "extension", arms)


def _split(parts: Sequence[str]) -> int:
    """How many parts make the first part: as many as come closest to half of the words."""
    total = sum(map(texts.n_words, parts))
    return min(range(1, len(parts)), key=lambda n: abs(2 * sum(map(texts.n_words, parts[:n])) - total))
