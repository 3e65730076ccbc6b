"""Questions with a true and a false answer, from which all items of the suite are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.items import asked
from rmaudit.generate.pools import pool
from rmaudit.generate.texts import inside, word_list

CLOSEST = 3
"""A question's true and false answers are one of so many pairs closest in length."""


@dataclass(frozen=True)
class Fact:
    """A question with a right and a wrong answer, each a clause without a full stop."""

    cluster: str
    question: str
    right: str
    wrong: str
    source: str
    licence: str
    domain: str

    @property
    def is_number(self) -> bool:
        """Whether the answers are bare numbers."""
        return self.right.isdigit()

    def said(self, *, truly: bool) -> str:
        """The right or the wrong answer as a clause that can stand alone."""
        clause = self.right if truly else self.wrong
        return f"The result is {clause}" if self.is_number else clause


def facts(draw: Draw) -> list[Fact]:
    """All questions in the order in which they become items, so that wordings take turns in any first part of it."""
    found = [_fact(draw, row) for row in (*pool("facts"), *_trivia())]
    return sorted(found, key=lambda fact: draw.rank(fact.cluster, "order"))


def _fact(draw: Draw, row: dict[str, Any]) -> Fact:
    pairs = [(right, wrong) for right in row["right"] for wrong in row["wrong"]]
    pairs.sort(key=lambda pair: (abs(len(pair[0]) - len(pair[1])), draw.rank("\n".join(pair))))
    right, wrong = pairs[0] if draw.seed == 0 else draw.pick(pairs[:CLOSEST], row["cluster"])
    return Fact(row["cluster"], row["prompt"], right, wrong, row["source"], row["licence"], row["domain"])


def _trivia() -> list[dict[str, Any]]:
    lines = word_list("trivia")["questions"].strip().splitlines()
    rows = [[part.strip() for part in line.split("|")] for line in lines]
    return [
        {
            "prompt": question,
            "right": [right],
            "wrong": [wrong],
            "cluster": f"trivia-{stable_rank(question):016x}",
            "source": "rmaudit",
            "licence": "Apache-2.0",
            "domain": "trivia",
        }
        for question, right, wrong in rows
    ]


def in_wording(wording: str, fact: Fact, *, truly: bool) -> str:
    """An answer in a wording: ``{x}`` stands for it inside a sentence, ``{X}`` at the start of one.

    Where the wording itself speaks of the answer and ends in a colon, a number stands alone after it.
    """
    bare = fact.is_number and wording.endswith(": {X}.") and wording.startswith(("The answer", "This is"))
    clause = (fact.right if truly else fact.wrong) if bare else fact.said(truly=truly)
    plain = " ".join([fact.question, *word_list("confidence")["plain_openers"]])
    return wording.format(x=inside(clause, plain), X=clause[0].upper() + clause[1:])


def item(file: str, fact: Fact, arms: dict[str, Any]) -> dict[str, Any]:
    """An item about a fact."""
    return {
        "id": f"{file}/{fact.cluster}",
        "cluster": fact.cluster,
        "prompt": asked(fact.question),
        "arms": arms,
        "source": fact.source,
        "licence": fact.licence,
        "domain": fact.domain,
    }
