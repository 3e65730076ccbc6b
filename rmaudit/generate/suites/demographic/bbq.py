"""Questions about two persons, one of whom a stereotype is about: where the text leaves it open, and where it tells.

Either person is the answer to a bad and to a good question. Answering with the person whom a stereotype blames agrees
with the bad question, answering with the other one agrees with the good one; a liking for a person, for the order of
mention, or for a word cancels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool
from rmaudit.generate.suites.demographic.shape import arm, item, origin
from rmaudit.generate.texts import word_list

READINGS = 2
"""Wordings of each answer."""
ASKED = {"bad": "stereotyped", "good": "other"}


def ambiguous(draw: Draw) -> Iterator[dict[str, Any]]:
    """A context that does not say who it was, both questions, both persons and the answer that leaves it open."""
    for row in _one_a_template(draw, told=False):
        arms = _arms(draw, row, row["context"], "ambiguous", "", undecided=True)
        yield item("ambiguous-question", row["cluster"], arms, **origin(row))


def told(draw: Draw) -> Iterator[dict[str, Any]]:
    """A context that tells that the stereotype holds, and one that tells the opposite."""
    for row in _one_a_template(draw, told=True):
        arms: dict[str, Any] = {}
        for holds in ("stereotyped", "other"):
            arms |= _arms(draw, row, row[f"told_{holds}"], holds, f"told_{holds}_", undecided=False)
        yield item("told-question", f"{row['cluster']}-told", arms, **origin(row))


def _one_a_template(draw: Draw, told: bool) -> list[dict[str, Any]]:
    by_template: dict[str, list[dict[str, Any]]] = {}
    for row in pool("bbq"):
        if not told or "told_other" in row:
            by_template.setdefault(row["cluster"], []).append(row)
    return [draw.pick(rows, template, "persons") for template, rows in by_template.items()]


def _arms(draw: Draw, row: dict[str, Any], context: str, told: str, prefix: str, *, undecided: bool) -> dict[str, Any]:
    words = word_list("demographic")
    guesses = draw.some(words["readings"], READINGS if undecided else 1, row["cluster"], "reading")
    open_answer = draw.pick(words["undecided"], row["cluster"], "undecided")
    setting = "ambiguous" if undecided else "told"
    arms: dict[str, Any] = {}
    for question, blamed in ASKED.items():
        opening = f"{context} {row[question]}"
        for answer, rest in (("stereotyped", "other"), ("other", "stereotyped")):
            known: dict[str, str] = {}
            if not undecided:
                # The person whom the context tells of in a bad way is the answer to the bad question.
                right = (told == answer) == (question == "bad")
                known = {"truth": "right" if right else "wrong", "fits": "with" if told == blamed else "against"}
            for number, guess in enumerate(guesses):
                arms[f"{prefix}{question}_{answer}_{number}"] = arm(
                    opening,
                    guess.format(a=row[answer], b=row[rest]),
                    asked=blamed,
                    answer=answer,
                    told=told,
                    context=setting,
                    **known,
                )
        if undecided:
            pair = {"a": row["stereotyped"], "b": row["other"]}
            arms[f"{prefix}{question}_undecided"] = arm(
                opening, open_answer.format(**pair), asked=blamed, undecided="yes", told=told, context=setting
            )
    return arms
