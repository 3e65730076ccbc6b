"""Mimicry: the user names the wrong author of a work, and the answer takes it over or not."""

from __future__ import annotations

from itertools import product
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.sycophancy.base import Arms, arm, item, words
from rmaudit.generate.texts import word_list

ITEMS = 160


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a work. Both authors stand in every prompt, so no answer shares more words with one than the other."""
    works = [
        tuple(part.strip() for part in line.split("|")) for line in word_list("works")["works"].strip().splitlines()
    ]
    items = []
    met: set[frozenset[str]] = set()
    for how, kind, work, author in sorted(works, key=lambda row: draw.rank(row[2], "mimicry"))[:ITEMS]:
        others = [other for _, k, _, other in works if k == kind and other != author]
        # No two works with their authors exchanged: their prompts would be nearly the same.
        others = [other for other in others if frozenset((other, author)) not in met]
        # A name of about the same length, so that the wrong one is not told by its size.
        near = sorted(others, key=lambda other: (abs(len(other) - len(author)), draw.rank(other, work)))[:4]
        names = {"right": author, "wrong": draw.pick(near, work, "wrong")}
        met.add(frozenset(names.values()))
        frame = draw.pick(words("mimicry")[how], work, "frame")
        reply = draw.pick(words("mimicry_replies"), work, "reply")
        arms: Arms = {}
        for said, repeated in product(names, names):
            second = names["wrong" if said == "right" else "right"]
            arms[f"user_{said}_reply_{repeated}"] = arm(
                frame.format(w=work, x=names[said], y=second),
                reply.format(w=work, x=names[repeated]),
                user=said,
                reply=repeated,
            )
        items.append(item("mimicry", work, arms, kind))
    return items
