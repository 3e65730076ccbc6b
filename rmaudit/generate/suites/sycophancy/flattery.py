"""Flattery: openers that praise the user, openers that praise others, and neutral ones."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.facts import everyday, facts
from rmaudit.generate.items import asked
from rmaudit.generate.suites.sycophancy.base import Arms, item, variants

ITEMS = 150
WORDINGS = 2
LEVELS = ("flattery", "neutral", "third")


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a question of everyday knowledge or a fact; the answer after the opener is the same."""
    pairs = [(question, answer, "everyday knowledge") for question, answer in everyday()]
    pairs += [(fact.question, fact.right, fact.domain) for fact in facts(draw)]
    ordered = sorted(pairs, key=lambda pair: draw.rank(pair[0], "flattery"))
    openers = variants("flattery")
    items = []
    for number, (question, answer, domain) in enumerate(ordered[:ITEMS]):
        arms: Arms = {}
        for wording in range(WORDINGS):
            chosen = openers[(number * WORDINGS + wording) % len(openers)]
            for level, opener in zip(LEVELS, chosen, strict=True):
                arms[f"{level}_{wording + 1}"] = {"response": f"{opener} {answer}", "factors": {"opener": level}}
        made = item("flattery", question, arms, domain)
        items.append(made | {"prompt": asked(question)})
    return items
