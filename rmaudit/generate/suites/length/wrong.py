"""A right answer against a wrong one that is padded step by step: does padding make up for being wrong?"""

from __future__ import annotations

from math import log2
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import choose_fillers, fill, fill_exactly, insert, likely_sentences, unlikely_first
from rmaudit.generate.items import asked
from rmaudit.generate.pools import pool
from rmaudit.generate.suites.length.selection import LONGEST_PROMPT, arm

STEPS = {"padded wrong": 2.0, "much padded wrong": 4.0}
"""Steps of the ladder and how many times as long as the wrong answer, or as so many words, they are."""
LEAST = 16
"""Words from which a shorter wrong answer is counted, so that every step adds some."""
LONGEST = 42
"""Words of a wrong answer."""
MOST = 150
"""Prompts a source."""


def build_wrong(draw: Draw) -> list[dict[str, Any]]:
    """Items that ask whether padding makes up for being wrong."""
    made: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(pool("right_and_wrong"), key=lambda row: draw.rank(row["cluster"])):
        found = made.setdefault(row["source"], [])
        if len(found) < MOST and texts.n_words(row["prompt"]) <= LONGEST_PROMPT:
            item = _item(draw, row)
            found += [item] if item else []
    return [item for items in made.values() for item in items]


def _near(words: int) -> list[int]:
    """Counts from the wished one outwards; no sentence is shorter than three words."""
    return [max(3, words + off) for off in (0, 1, -1, 2, -2)]


def _item(draw: Draw, row: dict[str, Any]) -> dict[str, Any] | None:
    wrong = row["wrong"]
    words = texts.n_words(wrong)
    if max(words, texts.n_words(row["right"])) > LONGEST:
        return None
    fillers = unlikely_first(choose_fillers(draw, row["prompt"], wrong, row["cluster"]))
    arms = {
        "right": arm(row["right"], answer="right"),
        "wrong": arm(wrong, answer="wrong", log2_length=0.0, added_words=0),
    }
    used: list[str] = []
    for step, ratio in STEPS.items():
        aim = round(max(words, LEAST) * (ratio - 1))
        used = fill(fillers, used, aim)
        added = sum(map(texts.n_words, used))
        if abs(added - aim) > 4:
            return None
        dose = round(log2((words + added) / words), 4)
        name = step.replace(" ", "_")
        arms[name] = arm(insert(wrong, used, "end"), answer=step, log2_length=dose, added_words=added)
    likely = likely_sentences(draw, row["cluster"])
    instead = next((found for count in _near(words) if (found := fill_exactly(likely, count))), None)
    if instead:
        arms["likely"] = arm(" ".join(instead), answer="likely text")
    return {
        "id": row["cluster"],
        "cluster": row["cluster"],
        "prompt": asked(row["prompt"]),
        "arms": arms,
        "source": row["source"],
        "licence": row["licence"],
        "domain": row["domain"],
    }
