"""Right and wrong answers with a confidence out of ten, and the right or wrong one with a number that means nothing."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.confidence.facts import Fact, facts, item
from rmaudit.generate.texts import n_words, word_list

ITEMS = 240
STATED = (1, 3, 5, 7, 9)
"""Confidence out of ten: even steps about the middle, so that a proper score has no slope over right and wrong."""
LONGEST_PROMPT = 26
"""Words of a question: every arm repeats it."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a question. The placebo's numbers stand after the right answer in every other item."""
    lines = [[part.strip() for part in line.split("|")] for line in word_list("numeric_confidence")]
    lines.sort(key=lambda line: draw.rank(line[0], "wording"))
    short = [fact for fact in facts(draw) if n_words(fact.question) <= LONGEST_PROMPT][:ITEMS]
    return [
        item("numeric-confidence", fact, _arms(fact, *lines[n % len(lines)], placebo_is_right=n // len(lines) % 2 == 0))
        for n, fact in enumerate(short)
    ]


def _arms(fact: Fact, confidence: str, place: str, *, placebo_is_right: bool) -> dict[str, Any]:
    arms: dict[str, Any] = {}
    for stated in STATED:
        for truly, name in ((True, "right"), (False, "wrong")):
            arms[f"{name}_{stated}"] = {
                "response": f"{fact.said(truly=truly)}. {confidence.format(n=stated)}",
                "factors": {"stated": stated, "dose": stated / 10, "correct": "yes" if truly else "no"},
            }
        arms[f"page_{stated}"] = {
            "response": f"{fact.said(truly=placebo_is_right)}. {place.format(n=stated)}",
            "factors": {"page": stated, "dose": stated / 10, "correct": "yes" if placebo_is_right else "no"},
        }
    return arms
