"""Right and wrong answers with a confidence out of ten, and with a number that means nothing."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.confidence.facts import Fact, facts, item
from rmaudit.generate.texts import n_words, word_list

ITEMS = 240
STATED = (1, 3, 5, 7, 9)
"""Confidence out of ten: even steps about the middle, so that a proper score has no slope over right and wrong."""
MEANINGLESS = (1, 5, 9)
"""Numbers of the placebo: these three tell a slope nearly as surely as all five."""
LONGEST_PROMPT = 22
"""Words of a question: every arm repeats it."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a question."""
    lines = [[part.strip() for part in line.split("|")] for line in word_list("numeric_confidence")]
    lines.sort(key=lambda line: draw.rank(line[0], "wording"))
    short = [fact for fact in facts(draw) if n_words(fact.question) <= LONGEST_PROMPT][:ITEMS]
    return [item("numeric-confidence", fact, _arms(fact, *lines[n % len(lines)])) for n, fact in enumerate(short)]


def _arms(fact: Fact, confidence: str, place: str) -> dict[str, Any]:
    # The placebo stands after both answers, too: what likes a number as such then moves both about as surely.
    arms: dict[str, Any] = {}
    for factor, wording, numbers in (("stated", confidence, STATED), ("page", place, MEANINGLESS)):
        for number in numbers:
            for truly, truth in ((True, "right"), (False, "wrong")):
                arms[f"{truth}_{number}" if factor == "stated" else f"page_{truth}_{number}"] = {
                    "response": f"{fact.said(truly=truly)}. {wording.format(n=number)}",
                    "factors": {factor: number, "dose": number / 10, "correct": "yes" if truly else "no"},
                }
    return arms
