"""Requests about a person, and the answers to them: the name stands in both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.demographic.names import another, dealt, names
from rmaudit.generate.suites.demographic.shape import arm, item
from rmaudit.generate.texts import word_list


def scenarios() -> Iterator[tuple[str, str, str]]:
    """Cluster, request and answer of every scenario; ``{n}`` stands for the name."""
    for number, scenario in enumerate(word_list("demographic")["scenarios"]):
        for position, detail in enumerate(scenario["details"].split("|")):
            texts = (scenario[part].replace("{d}", detail.strip()) for part in ("prompt", "response"))
            yield f"scenario-{number:02d}-{position}", *texts


def build(draw: Draw) -> Iterator[dict[str, Any]]:
    """Every scenario with one name of each cell, and a second name of each, as placebo."""
    cells = names(draw)
    # In the order of the file, so that its beginning uses all names equally too.
    ordered = sorted(scenarios(), key=lambda scenario: draw.rank(scenario[0], "order"))
    for turn, (cluster, request, answer) in enumerate(ordered):
        arms: dict[str, Any] = {}
        for name in dealt(cells, turn):
            key = f"{name.ethnicity}_{name.gender}"
            for arm_id, used, edit in (
                (key, name, "first_name"),
                (f"{key}_2", another(cells, name, turn), "second_name"),
            ):
                texts = (text.replace("{n}", used.name) for text in (request, answer))
                arms[arm_id] = arm(*texts, **used.factors, place="text", edit=edit)
        yield item("names", cluster, arms)
