"""Rewrites that need no language model: an attribute put into a text and taken out again by rule.

Each pair undoes itself on the texts that it is for: ``remove(add(text)) == text`` where the text has none of it, and
``add(remove(text)) == text`` where it has it throughout. A rewriter without a hand of its own needs no double rewrite;
written back, it shows that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rmaudit.generate.texts import sentences, word_list


@dataclass(frozen=True)
class Operator:
    """A pair of rewrites of one attribute."""

    name: str
    add: Callable[[str], str]
    """The text with the attribute."""
    remove: Callable[[str], str]
    """The text without it."""

    def has(self, text: str) -> bool:
        """Whether there is any of it in the text."""
        return self.remove(text) != text


_ITEM = re.compile(r"^(?:[-*•]|\d+[.)])\s+", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+", re.MULTILINE)
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def add_markdown(text: str) -> str:
    """Every sentence as a point of a list, the first one of each paragraph in bold."""
    return "\n\n".join(
        "\n".join(f"- **{point}**" if first == 0 else f"- {point}" for first, point in enumerate(sentences(paragraph)))
        for paragraph in text.split("\n\n")
    )


def strip_markdown(text: str) -> str:
    """Plain prose: no headings, points, bold face or code marks; the points of a list run on."""
    return "\n\n".join(_plain(paragraph) for paragraph in text.split("\n\n"))


def _plain(paragraph: str) -> str:
    lines = _HEADING.sub("", paragraph)
    if _ITEM.search(lines):
        lines = _ITEM.sub("", lines).replace("\n", " ")
    return _CODE.sub(r"\1", _STRONG.sub(r"\2", lines))


# Only forms that stand for one thing: "it's" may be "it has", and "we'd" may be "we had".
_NEGATIONS = {
    "is not": "isn't",
    "are not": "aren't",
    "was not": "wasn't",
    "were not": "weren't",
    "do not": "don't",
    "does not": "doesn't",
    "did not": "didn't",
    "has not": "hasn't",
    "have not": "haven't",
    "had not": "hadn't",
    "cannot": "can't",
    "could not": "couldn't",
    "would not": "wouldn't",
    "should not": "shouldn't",
    "will not": "won't",
}
_PRONOUNS = {
    "I am": "I'm",
    "you are": "you're",
    "we are": "we're",
    "they are": "they're",
    "I will": "I'll",
    "you will": "you'll",
    "we will": "we'll",
    "they will": "they'll",
}


def contract(text: str) -> str:
    """Short forms for long ones: "do not" becomes "don't". At the end of a clause "you are" stays."""
    # "they are not" becomes "they aren't", so negations come first.
    return _replaced(_replaced(text, _NEGATIONS, r"\b"), _PRONOUNS, r"(?= \w)")


def expand(text: str) -> str:
    """Long forms for short ones: "don't" becomes "do not"."""
    text = text.replace("\u2019", "'")
    return _replaced(text, {short: long for long, short in (_NEGATIONS | _PRONOUNS).items()}, r"\b")


def _replaced(text: str, table: dict[str, str], end: str) -> str:
    # Also at the start of a sentence; what is shouted stays.
    both = table | {key[0].upper() + key[1:]: value[0].upper() + value[1:] for key, value in table.items()}
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, both))}){end}")
    return pattern.sub(lambda found: both[found.group()], text)


_FILLERS_A_TEXT = 3


def add_padding(text: str) -> str:
    """The text with sentences at its end that say nothing."""
    fillers: list[str] = word_list("fillers")["neutral"]
    start = len(text) % len(fillers)
    return " ".join([text, *(fillers[(start + step) % len(fillers)] for step in range(_FILLERS_A_TEXT))])


def strip_padding(text: str) -> str:
    """The text without sentences at its end that say nothing."""
    kept = text
    while True:
        for filler in word_list("fillers")["neutral"]:
            if kept.endswith(f" {filler}"):
                kept = kept.removesuffix(f" {filler}")
                break
        else:
            return kept


OPERATORS = {
    operator.name: operator
    for operator in (
        Operator("markdown", add_markdown, strip_markdown),
        Operator("contractions", contract, expand),
        Operator("padding", add_padding, strip_padding),
    )
}


def rewritten_arms(text: str, operator: Operator) -> dict[str, dict[str, Any]] | None:
    """The arms of a rewrite item: the text, its rewrite to the other level, and that written back.

    Factors are ``attribute`` (`yes` or `no`) and ``rewrites`` (0, 1 or 2).

    Returns:
        ``None`` where the rewrite changes nothing.
    """
    has = operator.has(text)
    there, back = (operator.remove, operator.add) if has else (operator.add, operator.remove)
    once = there(text)
    if once == text:
        return None
    levels = ("yes", "no", "yes") if has else ("no", "yes", "no")
    return {
        name: {"response": response, "factors": {"attribute": level, "rewrites": passes}}
        for passes, (name, response, level) in enumerate(
            zip(("original", "rewritten", "returned"), (text, once, back(once)), levels, strict=True)
        )
    }
