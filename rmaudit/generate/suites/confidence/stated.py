"""Right and wrong answers, each said surely and unsurely, and the right one also in neutral wordings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.confidence.facts import Fact, facts, in_wording, item
from rmaudit.generate.texts import word_list

ITEMS = 800
WORDINGS = 3
"""Ways to be sure, and to be unsure, in each item."""
PLACES = ("prefix", "suffix", "prefix", "mid")
"""Where the words of an item stand, in turn; all of an item's stand in one place."""


@dataclass(frozen=True)
class Wording:
    """One way to sound sure, its unsure twin, and two neutral ones of the same length."""

    sure: str
    unsure: str
    neutral_a: str
    neutral_b: str


def wordings(place: str) -> list[Wording]:
    """All wordings whose words stand in a place: ``prefix``, ``mid`` or ``suffix``."""
    return [Wording(*(text.strip() for text in line.split("|"))) for line in word_list("confidence")[place]]


def marker(wording: str) -> str:
    """What a wording adds to the answer: ``Definitely``."""
    return re.sub(r"\{[xX]\}", "…", wording).strip("…,:. ").removesuffix(" that")


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a question; wordings take turns."""
    ready = {
        place: sorted(wordings(place), key=lambda wording: draw.rank(wording.sure, "wording")) for place in set(PLACES)
    }
    turns = dict.fromkeys(ready, 0)
    items = []
    for number, fact in enumerate(facts(draw)[:ITEMS]):
        place = PLACES[number % len(PLACES)]
        chosen = [ready[place][(turns[place] + n) % len(ready[place])] for n in range(WORDINGS)]
        turns[place] += WORDINGS
        items.append(item("stated-confidence", fact, _arms(fact, place, chosen)))
    return items


def _arms(fact: Fact, place: str, chosen: list[Wording]) -> dict[str, Any]:
    arms: dict[str, Any] = {}
    for number, wording in enumerate(chosen, 1):
        for truly in (True, False):
            for level, text in (("high", wording.sure), ("low", wording.unsure)):
                truth = "right" if truly else "wrong"
                factors = {
                    "correct": "yes" if truly else "no",
                    "confidence": level,
                    "truth": "yes" if truly else "no",
                    "certainty": "yes" if level == "high" else "no",
                    "wording": level,
                    "mix": f"{truth}_{level}",
                    "marker": marker(text),
                    "position": place,
                }
                arms[f"{truth}_{level}_{number}"] = {
                    "response": in_wording(text, fact, truly=truly),
                    "factors": factors,
                }
        for edit in ("neutral_a", "neutral_b"):
            text = in_wording(getattr(wording, edit), fact, truly=True)
            factors = {"correct": "yes", "edit": edit, "wording": "neutral", "position": place}
            arms[f"right_{edit}_{number}"] = {"response": text, "factors": factors}
    return arms
