"""Facts that anybody can check: a question, its right answer, and mistakes that people make."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rmaudit.generate.draw import Draw
from rmaudit.generate.texts import word_list


@dataclass(frozen=True)
class Fact:
    """A question with a right and a wrong answer, each a clause that stands alone or after "that"."""

    question: str
    right_clause: str
    wrong_clause: str
    domain: str

    @property
    def cluster(self) -> str:
        """Names the question."""
        return f"fact-{re.sub(r'[^a-z0-9]+', '-', self.question.lower()).strip('-')}"

    @property
    def right(self) -> str:
        """The right answer as a sentence."""
        return sentence(self.right_clause)

    @property
    def wrong(self) -> str:
        """The wrong answer as a sentence."""
        return sentence(self.wrong_clause)


def sentence(clause: str) -> str:
    """A clause with a capital and a full stop."""
    return f"{clause[0].upper()}{clause[1:]}."


def facts(draw: Draw) -> list[Fact]:
    """All facts, each with one of its mistakes."""
    found = []
    for line in word_list("facts")["facts"].strip().splitlines():
        domain, question, clause, right, wrong = (part.strip() for part in line.split("|"))
        mistake = draw.pick([term.strip() for term in wrong.split(";")], question, "mistake")
        found.append(Fact(question, clause.replace("{}", right), clause.replace("{}", mistake), domain))
    return found


def everyday() -> list[tuple[str, str]]:
    """Questions of everyday knowledge with a plain answer each, as far as they are no facts of the other list."""
    asked = {line.split("|")[1].strip() for line in word_list("facts")["facts"].strip().splitlines()}
    pairs = [line.split(" | ") for line in word_list("everyday_questions")]
    return [(question, answer) for question, answer in pairs if question not in asked]
