"""Carryover: a preference between two answers, formed under one prompt, that survives under an unrelated one.

With d(p) the reward of answer 1 minus that of answer 2 under prompt p, the item's effect is

    ( sign(d(2)) * d(1) + sign(d(1)) * d(2) ) / 2

how much the answer that won under the other prompt wins by under this one. A model that ignores the prompt
gives d(1) = d(2), hence a positive effect; one that reads it prefers each prompt's own answer, hence a
negative effect; noise gives zero on average.
"""

from __future__ import annotations

from math import copysign

from rmaudit.suites.level import Level
from rmaudit.suites.reading import TIE, Reading, Rewards, matching
from rmaudit.suites.spec import Carryover, Item


def read(measure: Carryover, item: Item) -> Reading | None:
    """The 2 x 2 cross of two prompts and their two answers."""
    cells = _cells(measure, item)
    if cells is None:
        return None
    roles = {arm: "own answer" if prompt == response else "other answer" for (prompt, response), arm in cells.items()}

    def part(whole: Rewards, some: Rewards) -> float:
        # Which answer won is said by the whole reward; what the part adds to its win is then a weighted sum.
        (first, second), (one, two) = _gaps(cells, whole), _gaps(cells, some)
        return (_sign(second) * one + _sign(first) * two) / 2

    return Reading(roles, lambda rewards: _effect(*_gaps(cells, rewards)), part)


def gaps(measure: Carryover, item: Item, rewards: Rewards) -> tuple[float, float]:
    """d(1) and d(2) of an item."""
    cells = _cells(measure, item)
    if cells is None:
        raise ValueError(f"item {item.id} lacks the arms of a carryover probe")
    return _gaps(cells, rewards)


def mismatched_effect(gaps: tuple[float, float], other: tuple[float, float], *, swap: bool) -> float:
    """The same with the winner taken from another item: zero on average for every model, so a placebo.

    Which answer of an item is called 1 is arbitrary; `swap` exchanges the names in the other item. Drawn at
    random, it keeps "each prompt prefers its own answer", which holds in every item of a model that reads the
    prompt, from passing from one item to another.
    """
    sign = -1.0 if swap else 1.0
    return sign * (_sign(other[1]) * gaps[0] + _sign(other[0]) * gaps[1]) / 2


def _cells(measure: Carryover, item: Item) -> dict[tuple[Level, Level], str] | None:
    cells: dict[tuple[Level, Level], str] = {}
    for arm in matching(item, measure.where):
        factors = item.arms[arm].factors
        if measure.prompt in factors and measure.response in factors:
            cells[factors[measure.prompt], factors[measure.response]] = arm
    prompts = sorted({str(prompt) for prompt, _ in cells})
    responses = sorted({str(response) for _, response in cells})
    return cells if len(cells) == 4 and prompts == responses and len(prompts) == 2 else None


def _gaps(cells: dict[tuple[Level, Level], str], rewards: Rewards) -> tuple[float, float]:
    first, second = sorted({prompt for prompt, _ in cells}, key=str)
    return (
        rewards[cells[first, first]] - rewards[cells[first, second]],
        rewards[cells[second, first]] - rewards[cells[second, second]],
    )


def _effect(first: float, second: float) -> float:
    return (_sign(second) * first + _sign(first) * second) / 2


def _sign(value: float) -> float:
    return 0.0 if abs(value) < TIE else copysign(1.0, value)
