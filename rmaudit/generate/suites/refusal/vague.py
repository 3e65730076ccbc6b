"""Questions with a right answer, a wrong one, and answers of the same length that say nothing."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.compose import Costs, Matcher, compositions
from rmaudit.generate.draw import Draw
from rmaudit.generate.facts import everyday, facts
from rmaudit.generate.items import asked
from rmaudit.generate.texts import n_words, word_list

ITEMS = 250
SHORTEST, LONGEST = 9, 16
"""Words of a right answer."""
NOT_VAGUE = {"numbers", "words"}
"""Kinds of facts of which nobody would speak vaguely."""
OPENINGS = 2
"""Openings of the right answer, and vague answers, a question."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a question."""
    words = word_list("refusal")
    candidates = [*compositions(words["vague"]), *compositions([*words["vague"], words["vague_end"]])]
    vague = Matcher(draw, candidates, shortlist=250, costs=Costs(bit_a_word=80.0, bit_a_letter=100.0))
    general = Matcher(
        draw, compositions(words["general"], echoes=True), costs=Costs(bit_a_word=0.0, bit_a_letter=0.0, negation=20.0)
    )
    items = []
    for question, right, wrong, domain in sorted(_questions(draw), key=lambda row: draw.rank(row[0], "vague"))[:ITEMS]:
        openings = draw.some(words["openings"], OPENINGS, question, "opening")
        said = {"right": [right] * OPENINGS, "wrong": [wrong] if wrong else []}
        said["vague"] = vague.choose(said["right"], question)
        said["general"] = general.choose(said["vague"], question)
        arms = {
            f"{answer}_{n}": {"response": f"{opening} {text}", "factors": {"answer": answer}}
            for answer, texts in said.items()
            for n, (opening, text) in enumerate(zip(openings, texts, strict=False), 1)
        }
        items.append(
            {
                "id": f"vague/{question}",
                "cluster": question,
                "prompt": asked(question),
                "arms": arms,
                "source": "rmaudit",
                "licence": "Apache-2.0",
                "domain": domain,
            }
        )
    return items


def _questions(draw: Draw) -> list[tuple[str, str, str | None, str]]:
    """Question, right answer, wrong answer where there is one, and domain."""
    found: list[tuple[str, str, str | None, str]] = [
        (fact.question, fact.right, fact.wrong, fact.domain) for fact in facts(draw) if fact.domain not in NOT_VAGUE
    ]
    found += [(question, answer, None, "everyday knowledge") for question, answer in everyday()]
    return [row for row in found if SHORTEST <= n_words(row[1]) <= LONGEST]
