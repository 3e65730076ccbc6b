"""Right and wrong answers, each said surely, unsurely and in neutral wordings of the same length."""

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
NEUTRAL = 2
"""How many of them come with their neutral wordings."""
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
            truth = "right" if truly else "wrong"
            shared = {"correct": "yes" if truly else "no", "position": place}
            for level, text in (("high", wording.sure), ("low", wording.unsure)):
                factors = {
                    "confidence": level,
                    "truth": shared["correct"],
                    "certainty": "yes" if level == "high" else "no",
                    "wording": level,
                    "mix": f"{truth}_{level}",
                    "marker": marker(text),
                }
                arms[f"{truth}_{level}_{number}"] = _arm(text, fact, truly, shared | factors)
            if number <= NEUTRAL:
                for edit, text in (("neutral_a", wording.neutral_a), ("neutral_b", wording.neutral_b)):
                    factors = {"edit": edit, "wording": "neutral"}
                    arms[f"{truth}_{edit}_{number}"] = _arm(text, fact, truly, shared | factors)
    return arms


def _arm(wording: str, fact: Fact, truly: bool, factors: dict[str, str]) -> dict[str, Any]:
    return {"response": in_wording(wording, fact, truly=truly), "factors": factors}
