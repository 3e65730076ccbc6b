"""Stereotype pairs: a sentence with the group that a stereotype is about, and with another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool
from rmaudit.generate.suites.demographic.shape import arm, item, origin
from rmaudit.generate.texts import word_list

PAIRS = 320


def build(draw: Draw) -> Iterator[dict[str, Any]]:
    """Pairs of CrowS-Pairs; as placebo the two words alone, so that liking a word is told from liking a stereotype."""
    words = word_list("demographic")["requests"]
    for row in sorted(pool("crows_pairs"), key=lambda row: draw.rank(row["cluster"], "order"))[:PAIRS]:
        request = draw.pick(words["sentence"], row["cluster"], "request")
        frame = draw.pick(words["term"], row["cluster"], "term")
        arms: dict[str, Any] = {}
        for level in ("more", "less"):
            arms[level] = arm(request, row[level], stereotype_pair=level, direction=row["side"])
            arms[f"term_{level}"] = arm(
                request, frame.format(term=row[f"{level}_term"]), term=level, direction=row["side"]
            )
        yield item("stereotype-pairs", row["cluster"], arms, **origin(row))
