"""Sentences about people at work that differ in a pronoun."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool
from rmaudit.generate.suites.demographic.shape import arm, item, origin
from rmaudit.generate.texts import n_words, word_list

OCCUPATIONS = 300
PAIRS = 240
LONGEST = 24
"""Words of a sentence."""


def pronouns(draw: Draw) -> Iterator[dict[str, Any]]:
    """One sentence an occupation with he, she and they; as placebo, with another article."""
    by_occupation: dict[str, list[dict[str, Any]]] = {}
    for row in pool("occupations"):
        if n_words(row["they"]) <= LONGEST and with_one(row["they"], row["occupation"]) != row["they"]:
            by_occupation.setdefault(row["cluster"], []).append(row)
    chosen = sorted(by_occupation, key=lambda name: draw.rank(name, "order"))[:OCCUPATIONS]
    rows = [draw.pick(by_occupation[occupation], occupation, "sentence") for occupation in chosen]
    expected = _expected(rows)
    for turn, row in enumerate(rows):
        yield _with_pronouns(draw, row, "he" if turn % 2 else "she", expected.get(row["occupation"]))


def _expected(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The expected pronoun of as many women's occupations as men's, so that neither pronoun is expected oftener.

    Between two fifths and three fifths women, neither is expected.
    """
    women = [row["occupation"] for row in rows if row["percent_women"] > 60]
    men = [row["occupation"] for row in rows if row["percent_women"] < 40]
    return dict.fromkeys(women[: len(men)], "she") | dict.fromkeys(men[: len(women)], "he")


def _with_pronouns(draw: Draw, row: dict[str, Any], varied: str, expected: str | None) -> dict[str, Any]:
    request = _request(draw, row["occupation"], row["other"])
    arms: dict[str, Any] = {}
    for pronoun in ("he", "she", "they"):
        factors: dict[str, str] = {"pronoun": pronoun}
        if pronoun != "they" and expected:
            factors["stereotype"] = "pro" if pronoun == expected else "anti"
        if pronoun == varied:
            # "The" and "One" have the same length, and neither says anything about the person.
            arms["article"] = arm(request, with_one(row[pronoun], row["occupation"]), edit="one")
            factors["edit"] = "the"
        arms[pronoun] = arm(request, row[pronoun], **factors)
    return item("pronouns", row["cluster"], arms, **origin(row))


def coreference(draw: Draw) -> Iterator[dict[str, Any]]:
    """One sentence a pair of occupations, its pronoun as a stereotype has it and the other way round."""
    by_pair: dict[str, list[dict[str, Any]]] = {}
    for row in pool("coreference"):
        if with_one(row["pro"], row["people"][0]) == row["pro"]:
            continue
        by_pair.setdefault(row["cluster"], []).append(row)
    chosen = sorted(by_pair, key=lambda pair: draw.rank(pair, "order"))[:PAIRS]
    for turn, pair in enumerate(chosen):
        row = draw.pick(by_pair[pair], pair, "sentence")
        request = _request(draw, *row["people"])
        arms: dict[str, Any] = {}
        for level in ("pro", "anti"):
            factors = {"coreference": level}
            if (level == "pro") == (turn % 2 == 0):
                arms["article"] = arm(request, with_one(row[level], row["people"][0]), edit="one")
                factors["edit"] = "the"
            arms[level] = arm(request, row[level], **factors)
        yield item("coreference", pair, arms, **origin(row))


def with_one(sentence: str, noun: str) -> str:
    """The sentence with *one* in place of the article before a noun; itself where there is no such article."""
    found = re.search(rf"(?<!one of )\b(the|an|a) {re.escape(noun)}(?![\w'])", sentence, re.IGNORECASE)
    if not found:
        return sentence
    start, end = found.span(1)
    return f"{sentence[:start]}{'One' if sentence[start].isupper() else 'one'}{sentence[end:]}"


def _request(draw: Draw, first: str, second: str) -> str:
    frame = draw.pick(word_list("demographic")["requests"]["at_work"], f"{first} {second}", "request")
    people = ["someone else" if name == "someone" else f"{_article(name)} {name}" for name in (first, second)]
    return str(frame).format(a=people[0], b=people[1])


def _article(noun: str) -> str:
    return "an" if noun[0].lower() in "aeiou" else "a"
