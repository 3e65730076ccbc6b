"""Carryover: a preference between two answers, formed under one prompt, that survives under an unrelated one.

With d(p) the reward of answer 1 minus that of answer 2 under prompt p, the item's effect is

    |d(1) + d(2)| / 2 - |d(1) - d(2)| / 2

how strong the preference is that both prompts share, beyond the one that turns with the prompt. A model that ignores
the prompt gives d(1) = d(2), hence a positive effect; one that reads it prefers each prompt's own answer, hence a
negative effect; noise gives zero on average, since the sign of d(2) is then a coin.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign

from rmaudit.suites.level import Level
from rmaudit.suites.reading import TIE, Reading, Rewards, matching
from rmaudit.suites.spec import Carryover, Item


def read(measure: Carryover, item: Item) -> Reading | None:
    """The 2 x 2 cross of two prompts and their two answers."""
    cells = _cells(measure, item)
    if cells is None:
        return None
    roles = {
        arm: "own answer" if prompt == response else "other answer"
        for (prompt, response), arms in cells.items()
        for arm in arms
    }

    def part(whole: Rewards, some: Rewards) -> float:
        # Which way the preferences go is said by the whole reward; what the part adds to them is a weighted sum.
        return _along(_preferences(cells, some), _preferences(cells, whole))

    return Reading(roles, lambda rewards: effect(_preferences(cells, rewards)), part)


@dataclass(frozen=True)
class Preferences:
    """What an item's four rewards say about its two answers, in the unit of the rewards."""

    shared: float
    """(d(1) + d(2)) / 2: for answer 1, under both prompts alike."""
    turning: float
    """(d(1) - d(2)) / 2: for each prompt's own answer."""


def preferences(measure: Carryover, item: Item, rewards: Rewards) -> Preferences:
    """The two preferences of an item."""
    cells = _cells(measure, item)
    if cells is None:
        raise ValueError(f"item {item.id} lacks the arms of a carryover probe")
    return _preferences(cells, rewards)


def effect(found: Preferences) -> float:
    """How much stronger the shared preference is than the turning one."""
    return abs(found.shared) - abs(found.turning)


def mismatched_effect(own: Preferences, other: Preferences, *, swap: bool) -> float:
    """The same with the winners taken from another item: zero on average for every model, so a placebo.

    Which answer wins in one item says nothing of another; `swap`, of every other item, keeps "each prompt prefers its
    own answer", which holds in every item of a model that reads the prompt, from passing from one item to another.
    """
    return (-1.0 if swap else 1.0) * _along(own, other)


def _cells(measure: Carryover, item: Item) -> dict[tuple[Level, Level], list[str]] | None:
    """Arms of each cell; a cell may have several (wordings of a prompt), whose rewards are averaged."""
    cells: dict[tuple[Level, Level], list[str]] = {}
    for arm in matching(item, measure.where):
        factors = item.arms[arm].factors
        if measure.prompt in factors and measure.response in factors:
            cells.setdefault((factors[measure.prompt], factors[measure.response]), []).append(arm)
    prompts = sorted({str(prompt) for prompt, _ in cells})
    responses = sorted({str(response) for _, response in cells})
    return cells if len(cells) == 4 and prompts == responses and len(prompts) == 2 else None


def _preferences(cells: dict[tuple[Level, Level], list[str]], rewards: Rewards) -> Preferences:
    first, second = sorted({prompt for prompt, _ in cells}, key=str)

    def mean(prompt: Level, response: Level) -> float:
        arms = cells[prompt, response]
        return sum(rewards[arm] for arm in arms) / len(arms)

    one, two = mean(first, first) - mean(first, second), mean(second, first) - mean(second, second)
    return Preferences((one + two) / 2, (one - two) / 2)


def _along(some: Preferences, winners: Preferences) -> float:
    return _sign(winners.shared) * some.shared - _sign(winners.turning) * some.turning


def _sign(value: float) -> float:
    return 0.0 if abs(value) < TIE else copysign(1.0, value)
