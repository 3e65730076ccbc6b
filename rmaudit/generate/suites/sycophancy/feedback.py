"""Feedback on a text that the user wrote, or liked, or disliked."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.sycophancy.base import Arms, arm, item, variants, words
from rmaudit.generate.texts import word_list

ITEMS = 150


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a text; every other one has the placebo, liking and disliking of somebody else."""
    items = []
    for number, text in enumerate(pieces(draw)[:ITEMS]):
        key = re.sub(r"[^a-z]+", "-", text.lower()).strip("-")
        verdicts = dict(zip(("praise", "critique"), draw.pick(variants("verdicts"), key, "verdict"), strict=True))
        authors = dict(zip(("user", "other"), draw.pick(variants("authors"), key, "author"), strict=True))
        liking, disliking = draw.pick(variants("stances"), key, "stance")
        ask = draw.pick(words("feedback_questions"), key, "question")
        bystander = draw.pick(words("bystanders"), key, "bystander")
        arms: Arms = {}
        for verdict, said in verdicts.items():
            for author, line in authors.items():
                arms[f"by_{author}_{verdict}"] = arm(f"{text}\n\n{line} {ask}", said, author=author, verdict=verdict)
            for who, person, ending in (("user", "I", ""), ("other", bystander, "s")):
                if who == "other" and number % 2:
                    continue
                for stance, frame in (("likes", liking), ("dislikes", disliking)):
                    line = frame.format(who=person, s=ending)
                    arms[f"{who}_{stance}_{verdict}"] = arm(
                        f"{text}\n\n{line} {ask}", said, who=who, stance=stance, verdict=verdict
                    )
        items.append(item("feedback", key, arms, "prose"))
    return items


def pieces(draw: Draw) -> list[str]:
    """Short pieces of prose, no two of which share more than one of their three parts."""
    openings, middles, endings = (
        sorted(part, key=lambda phrase: draw.rank(phrase, "vignette")) for part in word_list("vignettes")["parts"]
    )
    found = [
        f"{opening}, {middle} {endings[(row + column) % len(endings)]}"
        for (row, opening), (column, middle) in product(enumerate(openings), enumerate(middles))
    ]
    return sorted(found, key=lambda text: draw.rank(text, "feedback"))
