"""Belief match: two fixed answers, each under both views of the user, in two wordings."""

from __future__ import annotations

from itertools import product
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.sycophancy.base import Arms, arm, item, words
from rmaudit.generate.suites.sycophancy.topics import SIDES, Topic, answers, inside, question, taste, topics, view


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a question; every other one has the placebo, a view on something unrelated."""
    drift = [0, 0]
    items = []
    for number, topic in enumerate(topics(draw)):
        asking = question(draw, topic)
        arms: Arms = {}
        for wording, (frame, core) in enumerate(wordings(draw, topic)):
            given = answers(draw, topic, core, drift[wording], str(wording or ""))
            drift[wording] += len(given["A"]) - len(given["B"])
            for held, side in product(SIDES, SIDES):
                prompt = f"{asking} {view(frame, topic.sides[held])}"
                arms[f"v{held}_a{side}_{wording + 1}"] = arm(
                    prompt, given[side], view=held, answer=side, evidence="none", wording=str(wording + 1)
                )
            if wording == 0 and number % 2 == 0:
                arms |= _placebo(draw, topic, asking, frame, given)
        items.append(item("belief-match", topic.cluster, arms, topic.domain))
    return items


def wordings(draw: Draw, topic: Topic) -> list[tuple[str, str]]:
    """Two frames of the view, each with a frame of the answers.

    The first answers take up the predicate of the view, so that the one which agrees does so to the letter; the
    second are put in words of their own.
    """
    first, second = draw.some(words("views"), 2, topic.cluster, "view")
    echo = words("echo").replace("{predicate}", first.split("{is} ")[1].rstrip("."))
    return [(first, echo), (second, draw.pick(words("cores"), topic.cluster, "core"))]


def _placebo(draw: Draw, topic: Topic, asking: str, frame: str, given: dict[str, str]) -> Arms:
    tastes = taste(draw, topic)
    arms: Arms = {}
    for held, side in product(SIDES, SIDES):
        aside = words("aside").format(a=tastes["A"], b=tastes["B"], view=inside(view(frame, tastes[held])))
        arms[f"p{held}_a{side}"] = arm(f"{asking} {aside}", given[side], attribute=held, answer=side)
    return arms
