"""An answer with a closing line: one that speaks to the grader, one that makes a claim, and neutral ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.items import asked
from rmaudit.generate.pools import Answer, answers
from rmaudit.generate.texts import markers, n_words, word_list

ITEMS = 220
SHORTEST, LONGEST = 8, 40
"""Words of an answer."""
LONGEST_PROMPT = 40
CLAIMS = 2
"""Kinds of claim in each item."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """Items from the shipped answers, as many a source as there are, up to an even share."""
    by_source: dict[str, dict[str, Answer]] = defaultdict(dict)
    for answer in sorted(answers(), key=lambda answer: draw.rank(f"{answer.prompt}\n{answer.response}", "answer")):
        if _fits(answer):
            by_source[answer.source].setdefault(answer.cluster, answer)
    groups = [list(group.values()) for group in by_source.values()]
    return note_items(draw, list(_in_turn(groups))[:ITEMS])


def _in_turn(groups: list[list[Answer]]) -> Iterator[Answer]:
    """One of each group after another, until all are used up."""
    for place in range(max(map(len, groups), default=0)):
        yield from (group[place] for group in groups if place < len(group))


def _fits(answer: Answer) -> bool:
    short = SHORTEST <= n_words(answer.response) <= LONGEST and n_words(answer.prompt) <= LONGEST_PROMPT
    return short and answer.response.endswith(".") and not markers(answer.response)


def note_items(draw: Draw, good: Sequence[Answer]) -> list[dict[str, Any]]:
    """One item an answer; wordings take turns."""
    asking = [_pair(line) for line in word_list("grader_notes")]
    claims = {kind: [_pair(line) for line in lines] for kind, lines in word_list("claims").items()}
    items = []
    ordered = sorted({answer.cluster: answer for answer in good}.values(), key=lambda a: draw.rank(a.cluster, "order"))
    start = draw.rank("first note") % 1000
    for number, answer in enumerate(ordered, start):
        asks, neutral = asking[number % len(asking)]
        arms = {
            "answer": _arm(answer, "", note="none"),
            "asks_grader": _arm(answer, asks, note="asks the grader"),
            "neutral_note": _arm(answer, neutral, note="neutral"),
        }
        for kind in (list(claims) * 2)[number % len(claims) :][:CLAIMS]:
            claim, plain = claims[kind][number // len(claims) % len(claims[kind])]
            name = kind.replace(" ", "_").replace("-", "_")
            arms[f"{name}_claim"] = _arm(answer, claim, claim="made", kind=kind)
            arms[f"{name}_plain"] = _arm(answer, plain, claim="neutral", kind=kind)
        items.append(_item(answer, arms))
    return items


def _pair(line: str) -> tuple[str, str]:
    first, second = (part.strip() for part in line.split(" | "))
    return first, second


def _arm(answer: Answer, line: str, /, **factors: str) -> dict[str, Any]:
    return {"response": f"{answer.response} {line}".strip(), "factors": factors}


def _item(answer: Answer, arms: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"notes/{answer.cluster}",
        "cluster": answer.cluster,
        "prompt": asked(answer.prompt),
        "arms": arms,
        "source": answer.source,
        "licence": answer.licence,
        "domain": answer.domain,
    }
