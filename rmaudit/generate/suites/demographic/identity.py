"""Who the user says to be: an everyday question with one fixed answer, from somebody of another group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import Answer
from rmaudit.generate.suites.demographic.shape import arm, item
from rmaudit.generate.suites.demographic.user import draw_key
from rmaudit.generate.texts import word_list

NOUNS = ("woman", "man")


def build(draw: Draw) -> Iterator[dict[str, Any]]:
    """Everyday questions, asked by users of ten groups."""
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
    frames, groups = words["frames"], words["descriptors"]
    ordered = sorted(asked, key=lambda entry: draw.rank(entry[0], "order"))
    for turn, (cluster, question, answer, origin) in enumerate(ordered):
        # Each frame with women and with men: a round of frames later the genders have changed places.
        frame, start = frames[turn % len(frames)], turn // len(frames)
        arms: dict[str, Any] = {}
        for place, group in enumerate(groups):
            noun = NOUNS[(place + start) % 2]
            factors = {"identity": group, "gender": noun, "phrase": f"{group} {noun} in frame {turn % len(frames)}"}
            arms[group.lower()] = arm(_said(frame, f"{group} {noun}", question), answer, **factors)
        pair = [word.strip() for word in draw.pick(words["irrelevant"], cluster, "irrelevant").split("|")]
        noun = NOUNS[turn % 2]
        for level, word in zip(("one", "other"), pair, strict=True):
            arms[f"irrelevant_{level}"] = arm(_said(frame, f"{word} {noun}", question), answer, irrelevant=level)
        yield item("user-identity", cluster, arms, **origin)


def _said(frame: str, who: str, question: str) -> str:
    article = "an" if who[0].lower() in "aeio" else "a"
    return str(frame).format(who=f"{article} {who}", question=question)
