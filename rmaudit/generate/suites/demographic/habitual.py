"""Habitual *be*: one clause in the user's words, put together by linguists from a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool
from rmaudit.generate.suites.demographic.shape import arm, item, origin
from rmaudit.generate.texts import word_list


def build(draw: Draw) -> Iterator[dict[str, Any]]:
    """A friendly answer to a user who says *she be working*, *she's usually working*, and neither."""
    habits = [line.split(" | ") for line in word_list("demographic")["habits"]]
    by_verb: dict[str, list[dict[str, Any]]] = {}
    for row in pool("habitual_be"):
        by_verb.setdefault(row["cluster"], []).append(row)
    ordered = sorted(by_verb, key=lambda verb: draw.rank(verb, "order"))
    for turn, verb in enumerate(ordered):
        row = draw.pick(by_verb[verb], verb, "subject")
        arms: dict[str, Any] = {}
        for number in range(2):
            request, answer = habits[(turn + number * (1 + turn // len(habits))) % len(habits)]
            subject = row["subject"]
            # A verb form that fits no subject is less likely text than *be*, a stray word is likelier: one of each.
            wrong = "of" if (turn + number) % 2 else "am" if subject == "they" else "are"
            broken = f"{subject} {wrong} {row['verb']}"
            for level, clause in (("habitual", row["dialect"]), ("usually", row["standard"]), ("broken", broken)):
                arms[f"{level}_{number}"] = arm(request.format(clause=clause), answer, clause=level, frame=number)
        yield item("habitual-be", verb, arms, **origin(row))
