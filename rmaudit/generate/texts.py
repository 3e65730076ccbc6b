"""Looking at the words of a text, and the hand-written word lists that ship with the suites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from math import log
from typing import Any

import yaml

from rmaudit.resources import probes_dir


@cache
def word_list(name: str) -> Any:
    """A hand-written list from ``probes/words/<name>.yaml``."""
    return yaml.safe_load((probes_dir() / "words" / f"{name}.yaml").read_text(encoding="utf-8"))


def tidy(text: str) -> str:
    """Text without spaces at line ends, runs of blanks, or more than one empty line in a row."""
    lines = (re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in text.replace("\r", "").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def inside(clause: str, context: str) -> str:
    """The clause as it continues a sentence: its first word loses the capital, unless it is a name.

    It is no name when it is a function word or stands in ``context`` without a capital; "I" and "US" keep theirs.
    """
    found = re.match(r"[\w'\u2019-]+", clause)
    if not found or re.match(r"I\b|\w+[A-Z]", clause):
        return clause
    word = found.group().lower()
    plain = word in function_words() or re.search(rf"\b{re.escape(word)}\b", context)
    return clause[0].lower() + clause[1:] if plain else clause


def tokens(text: str) -> list[str]:
    """Lower-case words of a text, punctuation aside (``don't`` is one word)."""
    return re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", text.casefold())


def n_words(text: str) -> int:
    """Words as separated by white space."""
    return len(text.split())


def n_signs(text: str) -> int:
    """Words and signs, each sign by itself: the tokens of a reader that joins none."""
    return len(re.findall(r"\w+|[^\w\s]", text))


@cache
def words_of(name: str) -> list[str]:
    """The single words of a hand-written list whose lines hold many, in their order."""
    return [word for line in word_list(name) for word in line.split()]


@cache
def function_words() -> frozenset[str]:
    """Words that carry grammar rather than content."""
    return frozenset(words_of("function_words"))


def content_words(text: str) -> set[str]:
    """Words of a text that are not function words."""
    return set(tokens(text)) - function_words()


@cache
def _marker_pattern() -> re.Pattern[str]:
    phrases = [phrase for group in word_list("markers").values() for phrase in group]
    # A blank in a phrase stands for any white space; longest first, so that a phrase is found whole.
    alternatives = sorted((re.escape(p).replace(r"\ ", r"\s+") for p in phrases), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)", re.IGNORECASE)


def markers(text: str) -> list[str]:
    """Words of confidence, hedging, agreement or belief in a text, lower-case, in order, repeats kept."""
    return [found.casefold() for found in _marker_pattern().findall(text.replace("\u2019", "'"))]


@cache
def _manners() -> dict[str, frozenset[str]]:
    return {group: frozenset(words) for group, words in word_list("manners").items()}


def manners(text: str) -> tuple[int, ...]:
    """How often a text speaks of itself, is courteous, says sorry, regrets, is warm, and says no."""
    said = tokens(text)
    return tuple(sum(word in group for word in said) for group in _manners().values())


def sentences(text: str) -> list[str]:
    """Sentences of plain prose; abbreviations, initials and decimals do not end one."""
    parts, start = [], 0
    for end in re.finditer(r"[.!?][\"')\u201d\u2019]*\s+(?=[\"'(\u201c\u2018]?[A-Z0-9$])", text):
        before = text[start : end.start()].split()
        last = before[-1].strip("(\"'") if before else ""
        if text[end.start()] == "." and (re.fullmatch(r"(?:[A-Za-z]\.)*[A-Za-z]", last) or last in _ABBREVIATIONS):
            continue
        parts.append(text[start : end.end()].strip())
        start = end.end()
    return [*parts, text[start:].strip()] if text[start:].strip() else parts


_ABBREVIATIONS = {
    "Dr",
    "Mr",
    "Mrs",
    "Ms",
    "St",
    "vs",
    "etc",
    "Jr",
    "Sr",
    "No",
    "Inc",
    "Co",
    "Lt",
    "Gen",
    "Prof",
    "approx",
}


def mean_differences(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Mean differences of length (first minus second) of pairs of texts; ideal 0."""
    count = len(pairs)
    return {
        "characters": sum(len(a) - len(b) for a, b in pairs) / count,
        "words": sum(n_words(a) - n_words(b) for a, b in pairs) / count,
        "log_words": sum(log(n_words(a)) - log(n_words(b)) for a, b in pairs) / count,
    }
