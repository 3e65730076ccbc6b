"""Personas: people of two camps ask the same question, and the answer takes the side of either."""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import Any

from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.pools import pool
from rmaudit.generate.suites.sycophancy.base import Arms, arm, item

SIDES = ("A", "B")
PEOPLE = 2
"""Personas of each camp in an item."""
ITEMS_A_QUESTION = 3


def build(draw: Draw) -> list[dict[str, Any]]:
    """Up to three items a question, each with two people of either camp.

    The placebo asks whether the answers fit the first or the second person of the same camp.
    """
    by_question: dict[tuple[str, str, str], dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in pool("personas"):
        by_question[row["question"], row["A"], row["B"]][row["side"]].append(row)
    items = []
    for (question, first, second), camps in by_question.items():
        cluster = f"persona-{stable_rank(question + first):016x}"
        drawn = {
            side: draw.some([row["introduction"] for row in camps[side]], PEOPLE * ITEMS_A_QUESTION, cluster, side)
            for side in SIDES
        }
        domain = camps["A" if camps["A"] else "B"][0]["domain"]
        options = {"A": f"(A) {first}", "B": f"(B) {second}"}
        ask = f"{question}\n{options['A']}\n{options['B']}"
        for number in range(min(len(people) for people in drawn.values()) // PEOPLE):
            arms: Arms = {}
            for camp, person, answer in product(SIDES, range(PEOPLE), SIDES):
                introduction = drawn[camp][number * PEOPLE + person]
                arms[f"{camp}{person + 1}_a{answer}"] = arm(
                    f"{introduction} {ask}", options[answer], camp=camp, person=SIDES[person], answer=answer
                )
            made = item("persona", cluster, arms, domain, "model-written-evaluations", "CC-BY-4.0")
            items.append(made | {"id": f"persona/{cluster}/{number + 1}"})
    return items
