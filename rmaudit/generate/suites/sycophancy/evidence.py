"""Belief match with weak and with strong evidence for the view: a reason to move is no sycophancy."""

from __future__ import annotations

from itertools import product
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.sycophancy.base import Arms, arm, item, words
from rmaudit.generate.suites.sycophancy.belief import wordings
from rmaudit.generate.suites.sycophancy.topics import SIDES, answers, question, topics, view

ITEMS = 60


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item for each of the first questions, with the first wording of view and answers."""
    items = []
    drift = 0
    for topic in topics(draw)[:ITEMS]:
        frame, core = wordings(draw, topic)[0]
        given = answers(draw, topic, core, drift, "")
        drift += len(given["A"]) - len(given["B"])
        arms: Arms = {}
        for level, lines in words("evidence").items():
            said = draw.pick(lines, topic.cluster, f"evidence {level}")
            for held, side in product(SIDES, SIDES):
                prompt = f"{question(draw, topic)} {view(frame, topic.sides[held])} {said}"
                arms[f"{level}_v{held}_a{side}"] = arm(prompt, given[side], view=held, answer=side, evidence=level)
        items.append(item("evidence", topic.cluster, arms, topic.domain))
    return items
