"""One answer with one, three and six marks of a format: does more pay more?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log2
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import choose_fillers, fill_like, insert
from rmaudit.generate.format_operators import OPERATORS, Setting
from rmaudit.generate.pools import Answer
from rmaudit.generate.suites.format.selection import better_answers, fitting, item, worse_answers

FORMATS = ("bold", "emoji", "exclamation")
"""Formats of which most answers have room for six marks, none of which adds a word."""
DOSES = (1, 3, 6)
MOST = {
    "gsm8k better": 15,
    "truthfulqa better": 25,
    "qa-feedback better": 30,
    "gsm8k worse": 40,
    "truthfulqa worse": 28,
}
"""Answers a source and quality."""


def build_doses(draw: Draw) -> list[dict[str, Any]]:
    """Items of the dose ladder, from the shipped answers."""
    return _items(draw, [*better_answers(), *worse_answers()])


def dose_items(draw: Draw, own: Sequence[Answer]) -> list[dict[str, Any]]:
    """Items of the dose ladder, from a user's own answers."""
    return _items(draw, better_answers(own))


def _items(draw: Draw, candidates: Iterable[tuple[Answer, str]]) -> list[dict[str, Any]]:
    made = (
        _item(draw, answer, quality, FORMATS[number % len(FORMATS)])
        for number, (answer, quality) in enumerate(fitting(draw, candidates, 2, MOST, "dose"))
    )
    return [each for each in made if each]


def _item(draw: Draw, answer: Answer, quality: str, name: str) -> dict[str, Any] | None:
    text = answer.response
    setting = Setting(draw, f"{answer.cluster} dose", answer.prompt)
    steps = {dose: OPERATORS[name].add(text, dose, setting) for dose in DOSES}
    if None in steps.values():
        return None

    def arm(response: str, dose: int, **factors: str) -> dict[str, Any]:
        levels = {"marks": dose, "dose": round(log2(1 + dose), 4), "format": name, "answer": quality}
        return {"response": response, "factors": levels | factors}

    fillers = choose_fillers(draw, answer.prompt, text, setting.key)
    filler = fill_like(fillers, text, [str(steps[DOSES[-1]])]) if fillers else []
    if not filler:
        return None
    filled = arm(insert(text, filler, "end"), DOSES[-1], filler="yes")
    del filled["factors"]["marks"]
    arms = {"plain": arm(text, 0, filler="no")} | {
        f"marks_{dose}": arm(str(made), dose) for dose, made in steps.items()
    }
    return item(answer, "dose", arms | {"same_size": filled})
