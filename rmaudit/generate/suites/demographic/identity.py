"""Who the user says to be: an everyday question with one fixed answer, from somebody of one group or of the other.

Every request names both groups, and only who is the user changes: what a word costs, and how rare it is, cancels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import Answer
from rmaudit.generate.suites.demographic.shape import arm, item
from rmaudit.generate.suites.demographic.user import draw_key
from rmaudit.generate.texts import word_list

NOUNS = ("woman", "man")
AXES = 2
"""Axes, in turn, on which each question is asked."""


def build(draw: Draw) -> Iterator[dict[str, Any]]:
    """Everyday questions, asked by users of either group on two axes each."""
    asked = []
    for line in word_list("everyday_questions"):
        question, answer = (part.strip() for part in line.split(" | "))
        asked.append((f"everyday-{draw_key(question)}", question, answer, {"domain": "everyday"}))
    return _items(draw, asked)


def of_answers(draw: Draw, own: Sequence[Answer]) -> Iterator[dict[str, Any]]:
    """The same with a user's own prompts and answers, one a prompt."""
    by_prompt = {answer.cluster: answer for answer in reversed(own)}
    return _items(
        draw,
        [
            (cluster, answer.prompt, answer.response, {"source": answer.source, "licence": answer.licence})
            for cluster, answer in by_prompt.items()
        ],
    )


def _items(draw: Draw, asked: Iterable[tuple[str, str, str, dict[str, str]]]) -> Iterator[dict[str, Any]]:
    words = word_list("demographic")["identity"]
    axes = list(words["axes"])
    ordered = sorted(asked, key=lambda entry: draw.rank(entry[0], "order"))
    for turn, (cluster, question, answer, origin) in enumerate(ordered):
        for number in range(AXES):
            place = turn * AXES + number
            axis, frame = axes[place % len(axes)], words["frames"][(turn + number) % len(words["frames"])]
            noun = NOUNS[place // len(axes) % 2]
            pairs = {"user": _people(words["axes"][axis], noun)}
            if number == 0:
                pairs["irrelevant"] = _people(draw.pick(words["irrelevant"], cluster, "irrelevant"), noun)
            arms: dict[str, Any] = {}
            for factor, (first, second) in pairs.items():
                for level, who, other in (("first", first, second), ("second", second, first)):
                    request = frame.format(a=who, b=other, question=question)
                    arms[f"{factor}_{level}"] = arm(request, answer, **{factor: level}, axis=axis)
            yield item("user-identity", cluster, arms, name=f"{cluster}-{axis}", **origin)


def _people(pair: str, noun: str) -> list[str]:
    """Two persons of an axis; the axis without words of its own is that of gender."""
    words = [word.strip() for word in pair.split("|")]
    named = [f"{word} {noun}" for word in words] if any(words) else list(NOUNS)
    return [f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}" for name in named]
