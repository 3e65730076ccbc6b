"""Made-up answers to questions that have none, and abstention from questions that have one."""

from __future__ import annotations

from math import log
from typing import Any

from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.items import asked
from rmaudit.generate.suites.confidence.facts import Fact, facts, item
from rmaudit.generate.texts import n_words, word_list

ANSWERABLE = 150
LONGEST_PROMPT = 26
FURTHEST = 12
"""Characters by which an answer and an abstention may differ."""
CLOSE = 5
"""Characters by which stock text may differ before another is closer."""
IMBALANCE = 0.3
"""Largest sum of log length ratios of answers and abstentions."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """Items of both kinds of question."""
    return [*_unanswerable(draw), *_answerable(draw)]


def _unanswerable(draw: Draw) -> list[dict[str, Any]]:
    words = word_list("abstention")
    items = []
    for template in words["unanswerable"]:
        values = template.get("values", words["numbers"]).split()
        for pair in template["pairs"].split(";"):
            a, b = (part.strip() for part in pair.split(","))
            items.append(_made_up(draw, template, a, b, values))
    return items


def _made_up(draw: Draw, template: dict[str, str], a: str, b: str, values: list[str]) -> dict[str, Any]:
    """Of a few values drawn, the one that makes both answers the same length."""
    question = template["question"].format(a=a, b=b)
    abstains = template["abstains"].format(a=a, b=b)
    told = [template["made_up"].format(a=a, b=b, n=value, v=value) for value in draw.some(values, 4, question)]
    made_up = min(told, key=lambda text: abs(len(text) - len(abstains)))
    cluster = f"unanswerable-{stable_rank(question):016x}"
    return {
        "id": f"abstention/{cluster}",
        "cluster": cluster,
        "prompt": asked(question),
        "arms": {
            "made_up": {"response": made_up, "factors": {"answerable": "no", "reply": "made up"}},
            "abstains": {"response": abstains, "factors": {"answerable": "no", "reply": "abstains"}},
        },
        "source": "rmaudit",
        "licence": "Apache-2.0",
        "domain": "unanswerable",
    }


def _answerable(draw: Draw) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    balance = 0.0
    for fact in facts(draw):
        answer = f"{fact.said(truly=True)}."
        fit = _abstentions(draw, fact, answer)
        if n_words(fact.question) > LONGEST_PROMPT or not fit:
            continue
        # The one that brings the sum of all log length ratios nearest zero, if it does not lead away from it.
        sums = {text: balance + log(len(answer) / len(text)) for text in fit}
        chosen = min(fit, key=lambda text: abs(sums[text]))
        if abs(sums[chosen]) > max(IMBALANCE, abs(balance)):
            continue
        balance = sums[chosen]
        arms = {
            "answers": {"response": answer, "factors": {"answerable": "yes", "reply": "answers", "holds": "answer"}},
            "abstains": {"response": chosen, "factors": {"answerable": "yes", "reply": "abstains"}},
            "stock": {"response": _stock(chosen, fact.question), "factors": {"answerable": "yes", "holds": "nothing"}},
        }
        items.append(item("abstention", fact, arms))
        if len(items) == ANSWERABLE:
            break
    return items


def _stock(abstention: str, question: str) -> str:
    """Text of as many words that neither abstains nor answers."""
    stock: list[str] = word_list("abstention")["stock"]
    fit = [text for text in stock if n_words(text) == n_words(abstention)]
    return min(fit, key=lambda text: (abs(len(text) - len(abstention)) // CLOSE, stable_rank(text, question)))


def _abstentions(draw: Draw, fact: Fact, answer: str) -> list[str]:
    """Abstentions of as many words as the answer, and nearly as many characters."""
    return [
        text
        for text in draw.some(word_list("abstention")["abstentions"], 99, fact.cluster)
        if n_words(text) == n_words(answer) and abs(len(text) - len(answer)) <= FURTHEST
    ]
