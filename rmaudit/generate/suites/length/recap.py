"""The contraction ladder: an answer that says everything twice, shortened until it says everything once.

What is taken away are whole sentences that stand in the answer already, so the substance stays what it is and the
words that go are those of ordinary prose, not of filler.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import parts_of, separator_of, without_prompt_words
from rmaudit.generate.pools import Answer, answers
from rmaudit.generate.suites.length.selection import arm, chosen, has_parts, item

SHORTEST, LONGEST = 16, 44
"""Words of the answer that says everything once."""
MOST = {"gsm8k": 65, "truthfulqa": 45, "qa-feedback": 50}
"""Answers a source."""


def build_recaps(draw: Draw) -> list[dict[str, Any]]:
    """Items of the contraction ladder, from the shipped answers."""
    return recap_items(draw, answers())


def recap_items(draw: Draw, good: Sequence[Answer]) -> list[dict[str, Any]]:
    """Items of the contraction ladder, from answers of at least two sentences."""
    made = (_item(draw, answer) for found in chosen(draw, good, _fits, MOST, "recap") for answer in found)
    return [each for each in made if each]


def _fits(answer: Answer) -> bool:
    return SHORTEST <= texts.n_words(answer.response) <= LONGEST and has_parts(answer.response, 2)


def _item(draw: Draw, answer: Answer) -> dict[str, Any] | None:
    openings = without_prompt_words(texts.word_list("recaps")["neutral"], answer.prompt, answer.response)
    parts, separator = parts_of(answer.response), separator_of(answer.response)
    if not openings or separator.join(parts) != answer.response:
        return None
    opening = draw.pick(openings, answer.cluster, "recap")
    part = parts[: (len(parts) + 1) // 2]

    def with_recap(said: Sequence[str], **factors: str | float) -> dict[str, Any]:
        text = separator.join([answer.response, " ".join([opening, said[0]]), *said[1:]])
        dose = round(log2(texts.n_words(text) / texts.n_words(answer.response)), 4)
        return arm(text, log2_length=dose, opening=opening, **factors)

    arms = {
        "plain": arm(answer.response, redundancy="none", log2_length=0.0, opening=opening),
        "recap_part": with_recap(part, redundancy="part"),
        "recap_whole": with_recap(parts, redundancy="whole", edit="none"),
        "reordered": with_recap(parts[1:] + parts[:1], edit="reordered"),
    }
    return item(answer, "recap", arms)
