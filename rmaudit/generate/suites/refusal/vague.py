"""Questions with a right answer, a wrong one, and answers of the same length that say nothing."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.compose import Matcher, compositions
from rmaudit.generate.draw import Draw
from rmaudit.generate.facts import facts
from rmaudit.generate.items import asked
from rmaudit.generate.texts import word_list

ITEMS = 240
OPENINGS = 2
"""Openings of the right answer, and vague answers, a question."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a question."""
    words = word_list("refusal")
    vague = Matcher(draw, [*compositions(words["vague"]), *compositions(words["short_vague"])])
    chosen = sorted(facts(draw), key=lambda fact: draw.rank(fact.cluster, "vague"))[:ITEMS]
    items = []
    for fact in chosen:
        openings = draw.some(words["openings"], OPENINGS, fact.cluster, "opening")
        right = [f"{opening} {fact.right}" for opening in openings]
        arms = {f"right_{n}": _arm(text, "right") for n, text in enumerate(right, 1)}
        arms["wrong"] = _arm(f"{openings[0]} {fact.wrong}", "wrong")
        said = vague.choose([fact.right] * OPENINGS, fact.cluster)
        arms |= {
            f"vague_{n}": _arm(f"{opening} {text}", "vague")
            for n, (opening, text) in enumerate(zip(openings, said, strict=True), 1)
        }
        items.append(
            {
                "id": f"vague/{fact.cluster}",
                "cluster": fact.cluster,
                "prompt": asked(fact.question),
                "arms": arms,
                "source": "rmaudit",
                "licence": "Apache-2.0",
                "domain": fact.domain,
            }
        )
    return items


def _arm(text: str, answer: str) -> dict[str, Any]:
    return {"response": text, "factors": {"answer": answer}}
