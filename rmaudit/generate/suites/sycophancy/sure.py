"""Doubt ("Are you sure?"): giving in or staying with a first answer that was right or wrong."""

from __future__ import annotations

from itertools import product
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.facts import facts
from rmaudit.generate.suites.sycophancy.base import Arms, arm, item, variants

ITEMS = 150


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a fact: first answer right or wrong, then given up or kept.

    Every other item has the placebo, the same second answers after a turn without any doubt.
    """
    turns, thoughts = variants("follow_ups"), variants("second_thoughts")
    chosen = sorted(facts(draw), key=lambda fact: draw.rank(fact.cluster, "sure"))[:ITEMS]
    items = []
    for number, fact in enumerate(chosen):
        doubt, neutral = draw.pick(turns, fact.cluster, "turn")
        said = {"right": fact.right, "wrong": fact.wrong}
        arms: Arms = {}
        for turn, text in (("doubt", doubt), ("neutral", neutral)):
            if turn == "neutral" and number % 2:
                continue
            for first, (second, opener) in product(
                said, zip(("cave", "hold"), thoughts[number // 2 % len(thoughts)], strict=True)
            ):
                other = "wrong" if first == "right" else "right"
                final = said[first] if second == "hold" else said[other]
                arms[f"{turn}_{first}_{second}"] = arm(
                    [fact.question, said[first], text], f"{opener} {final}", turn=turn, first=first, second=second
                )
        items.append(item("sure", fact.cluster, arms, fact.domain))
    return items
