"""The padding ladder: a good answer, and the same with ever more filler. Read downwards it takes filler away."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import choose_fillers, fill, fill_exactly, insert, likely_sentences, parts_of, separator_of
from rmaudit.generate.pools import Answer, answers
from rmaudit.generate.predictability import letter_surprise
from rmaudit.generate.suites.length.selection import arm, chosen, has_parts, item

STEPS = {"pad_1_25": 1.25, "pad_1_5": 1.5, "pad_2": 2.0, "pad_3": 3.0}
"""Steps of the ladder and how many times as long as the base they are."""
SHORTEST, LONGEST = 14, 52
"""Words of a base answer."""
FILLED = 2
"""Answers in which likely text stands in the place of content."""
LEAST_KEPT, MOST_KEPT = 0.25, 0.52
"""Share of the answer that stays where the rest of it makes way for likely text."""
MOST = {"gsm8k": 315}
"""Answers a source; mathematics would drown the others."""


def build_padding(draw: Draw) -> list[dict[str, Any]]:
    """Items of the padding ladder, from the shipped answers."""
    return padding_items(draw, answers())


def padding_items(draw: Draw, good: Sequence[Answer]) -> list[dict[str, Any]]:
    """Items of the padding ladder, filler between the sentences of every other one, where there are any."""
    items: list[dict[str, Any]] = []
    for found in chosen(draw, good, _fits, MOST):
        between = 0
        for number, answer in enumerate(found):
            turn = 2 * between <= number and has_parts(answer.response, 2)
            made = _item(draw, answer, "between" if turn else "end")
            between += turn and made is not None
            items += [made] if made else []
    return items


def _fits(answer: Answer) -> bool:
    return SHORTEST <= texts.n_words(answer.response) <= LONGEST


def _item(draw: Draw, answer: Answer, position: str) -> dict[str, Any] | None:
    base = texts.n_words(answer.response)
    fillers = choose_fillers(draw, answer.prompt, answer.response, answer.cluster)
    steps: dict[str, tuple[str, list[str]]] = {}
    used: list[str] = []
    for step, ratio in STEPS.items():
        more = fill(fillers, used, round(base * (ratio - 1)))
        if more == used:
            return None
        used = more
        steps[step] = (insert(answer.response, used, position), list(used))
    if abs(texts.n_words(steps["pad_3"][0]) - 3 * base) > 4:
        return None
    filled = _filled(answer.response, likely_sentences(draw, answer.cluster), position)
    edit: dict[str, str] = {"edit": "none"} if filled else {}
    arms = {"base": arm(answer.response, length="base", log2_length=0.0, position=position, **edit)}
    for step, (text, _) in steps.items():
        arms[step] = arm(text, length=step, log2_length=round(log2(texts.n_words(text) / base), 4), position=position)
    arms |= {f"filled_{number}": arm(text, edit="filled", position=position) for number, text in enumerate(filled, 1)}
    return item(answer, "", arms)


def _filled(response: str, likely: Sequence[str], position: str) -> list[str]:
    """The answer at its length, half of it replaced by likely text: what that is worth by itself, without any length.

    Up to two such texts; none where the answer has a single sentence, or no such text makes up for what goes.
    """
    parts, whole = parts_of(response), texts.n_words(response)
    cuts = range(1, len(parts))
    halves = [separator_of(response).join(half) for cut in cuts for half in (parts[:cut], parts[cut:])]
    halves = [half for half in halves if LEAST_KEPT * whole <= texts.n_words(half) <= MOST_KEPT * whole]
    # What stays is to be as predictable as the whole, so that nothing but what is put in changes that.
    halves.sort(key=lambda half: abs(letter_surprise(half) - letter_surprise(response)))
    found: list[str] = []
    for half in halves:
        for order in (likely, likely[::-1]):
            filler = fill_exactly(order, whole - texts.n_words(half))
            text = insert(half, filler, position if has_parts(half, 2) else "end") if filler else None
            if text and text not in found:
                found.append(text)
    return found[:FILLED]
