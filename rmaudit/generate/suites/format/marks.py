"""One answer in each format by itself, and with edits of the same size that are no format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import choose_fillers, fill_like, insert, without_prompt_words
from rmaudit.generate.format_operators import OPERATORS, Setting, numbered_inline
from rmaudit.generate.pools import Answer
from rmaudit.generate.suites.format.selection import better_answers, fitting, item, worse_answers

MARKS = {"bold": 3, "headers": 1, "emoji": 3, "exclamation": 2, "link": 2, "code": 1, "opening": 1}
"""Marks of each format; lists and tables have one for each sentence."""
MOST = {
    "gsm8k better": 18,
    "truthfulqa better": 50,
    "qa-feedback better": 36,
    "gsm8k worse": 75,
    "truthfulqa worse": 42,
}
"""Answers a source and quality: about half of all are worse ones."""


def build_marks(draw: Draw) -> list[dict[str, Any]]:
    """Items of single formats, from the shipped answers."""
    return _items(draw, [*better_answers(), *worse_answers()])


def mark_items(draw: Draw, own: Sequence[Answer]) -> list[dict[str, Any]]:
    """Items of single formats, from a user's own answers."""
    return _items(draw, better_answers(own))


def _items(draw: Draw, candidates: Iterable[tuple[Answer, str]]) -> list[dict[str, Any]]:
    made = (_item(draw, answer, quality) for answer, quality in fitting(draw, candidates, 2, MOST, "marks"))
    return [each for each in made if each]


def _item(draw: Draw, answer: Answer, quality: str) -> dict[str, Any] | None:
    text = answer.response
    setting = Setting(draw, f"{answer.cluster} marks", answer.prompt)
    sentences = len(texts.sentences(text))
    formatted: dict[str, str] = {}
    for name, operator in OPERATORS.items():
        made = operator.add(text, MARKS.get(name, sentences), setting)
        if made is None:
            return None
        formatted[name] = made
    fillers = choose_fillers(draw, answer.prompt, text, setting.key)
    about = without_prompt_words(texts.word_list("format")["lines_of_signs"], answer.prompt, text)
    if not fillers or not about:
        return None
    line = draw.pick(about, setting.key, "line of signs")
    each = [fill_like(fillers, text, [made]) for name, made in formatted.items() if name != "link"]
    as_long = max(each, key=lambda filler: len(" ".join(filler)))
    as_long_as_link = [line, *fill_like(fillers, f"{text} {line}", [formatted["link"]])]
    beside = {
        "same_size": insert(text, as_long, "end"),
        "same_size_numbered": numbered_inline(text),
        "same_size_link": insert(text, as_long_as_link, "end"),
    }
    return item(
        answer,
        "marks",
        {
            name: {"response": response, "factors": {"mark": name.replace("_", " "), "answer": quality}}
            for name, response in ({"plain": text} | formatted | beside).items()
        },
    )
