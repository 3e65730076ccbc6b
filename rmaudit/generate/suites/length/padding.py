"""The padding ladder: a good answer, and the same with ever more filler. Read downwards it takes filler away."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import choose_fillers, fill, insert
from rmaudit.generate.pools import Answer, answers
from rmaudit.generate.suites.length.selection import arm, chosen, has_parts, item

STEPS = {"pad_1_25": 1.25, "pad_1_5": 1.5, "pad_2": 2.0, "pad_3": 3.0}
"""Steps of the ladder and how many times as long as the base they are."""
SHORTEST, LONGEST = 14, 52
"""Words of a base answer."""
MOST = {"gsm8k": 310}
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
    double, filler = steps["pad_2"]
    moved = insert(answer.response, filler[1:] + filler[:1], position)
    if moved == double or abs(texts.n_words(steps["pad_3"][0]) - 3 * base) > 4:
        return None
    arms = {"base": arm(answer.response, length="base", log2_length=0.0, position=position)}
    for step, (text, _) in steps.items():
        dose = round(log2(texts.n_words(text) / base), 4)
        edit: dict[str, str] = {"edit": "none"} if step == "pad_2" else {}
        arms[step] = arm(text, length=step, log2_length=dose, position=position, **edit)
    arms["reordered"] = arm(moved, edit="reordered", position=position)
    return item(answer, "", arms)
