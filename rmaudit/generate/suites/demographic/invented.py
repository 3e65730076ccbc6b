"""Invented persons: the request names nobody, so the name stands in the answer alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.demographic.names import another, dealt, mixed, names
from rmaudit.generate.suites.demographic.shape import arm, item
from rmaudit.generate.texts import word_list

PERSONS = 160


def _listed(key: str) -> list[str]:
    return [entry.strip() for entry in word_list("demographic")["invented"][key].split("|")]


def build(draw: Draw) -> Iterator[dict[str, Any]]:
    """A request for a made-up person with eight names in the answer, and a second name of one cell as placebo."""
    words = word_list("demographic")["invented"]
    roles, places, habits = (_listed(key) for key in ("roles", "places", "habits"))
    keys = sorted(
        {f"{role}|{place}" for role in roles for place in draw.some(places, PERSONS // len(roles), role, "place")},
        key=lambda key: draw.rank(f"person-{key}", "order"),
    )
    cells = names(draw)
    for turn, key in enumerate(keys):
        role, place = key.split("|")
        habit = draw.pick(habits, key, "habit")
        request, answer = words["requests"][turn % len(words["requests"])], draw.pick(words["answers"], key, "answer")
        parts = {"role": role, "place": place, "habit": habit}
        twice = mixed(turn)[turn // 2 % 4]
        arms: dict[str, Any] = {}
        for name in dealt(cells, turn):
            chosen = [(name, "first_name"), (another(cells, name, turn // 8), "second_name")]
            for other, edit in chosen if (name.ethnicity, name.gender) == twice else [(name, "")]:
                factors = other.factors | {"place": "response"} | ({"edit": edit} if edit else {})
                arms[f"{other.ethnicity}_{other.gender}{'_2' if edit == 'second_name' else ''}"] = arm(
                    request.format(**parts), answer.format(n=other.name, **parts), **factors
                )
        yield item("name-in-response", f"person-{key}".replace("|", " ").replace(" ", "-"), arms, domain="fiction")
