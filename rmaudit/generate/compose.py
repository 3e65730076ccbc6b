"""Texts put together from parts, and chosen to be as long and as predictable as what they stand against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from itertools import combinations, product

from rmaudit.generate.draw import Draw
from rmaudit.generate.predictability import letter_surprise, surprise
from rmaudit.generate.texts import content_words, manners, n_words

SHORTLIST = 120
"""Candidates that are drawn before the closest ones are taken."""


@dataclass(frozen=True)
class Costs:
    """What one too much or too few costs, of each number that is matched."""

    word: float = 40.0
    character: float = 8.0
    content_word: float = 6.0
    bit_a_word: float = 20.0
    bit_a_letter: float = 60.0
    first_person: float = 0.0
    courtesy: float = 0.0
    sorry: float = 0.0
    regret: float = 0.0
    warmth: float = 0.0
    negation: float = 0.0


EVENLY = Costs()
MANNERLY = Costs(
    word=60.0,
    bit_a_word=0.0,
    bit_a_letter=0.0,
    first_person=60.0,
    courtesy=60.0,
    sorry=60.0,
    regret=60.0,
    warmth=60.0,
    negation=60.0,
)
"""Where texts must be as polite as others, speak of themselves as often, and say no as often."""


def compositions(parts: Sequence[Sequence[str]], *, echoes: bool = False) -> list[str]:
    """Every text with one phrase of each part, in order; with `echoes` also those that say a content word twice."""
    return [" ".join(phrases) for phrases in product(*parts) if echoes or not _echoes(phrases)]


def _echoes(phrases: Sequence[str]) -> bool:
    """Whether two phrases share the beginning of a content word: "varies", "quirk" and "quirks"."""
    begun = [_beginnings(phrase) for phrase in phrases]
    return any(first & second for first, second in combinations(begun, 2))


@cache
def _beginnings(phrase: str) -> frozenset[str]:
    return frozenset(word[:6] for word in content_words(phrase))


def different(draw: Draw, candidates: Sequence[str], count: int, key: str) -> list[str]:
    """So many of the candidates, no two of which begin alike."""
    chosen: list[str] = []
    for text in draw.some(candidates, SHORTLIST, key, "different"):
        if len(chosen) < count and not alike(text, chosen):
            chosen.append(text)
    return chosen


class Matcher:
    """Chooses texts as long and as predictable as others, and works off over many choices what single ones are off by.

    Args:
        draw: the choices of a seed.
        candidates: texts to choose from.
        shortlist: how many are drawn for each key; the more, the closer the match and the fewer the wordings.
        costs: what counts how much.
    """

    def __init__(
        self, draw: Draw, candidates: Sequence[str], shortlist: int = SHORTLIST, costs: Costs = EVENLY
    ) -> None:
        self._draw = draw
        self._candidates = candidates
        self._shortlist = shortlist
        self._costs = astuple(costs)
        self._off = [0.0] * len(self._costs)

    def choose(self, targets: Sequence[str], key: str) -> list[str]:
        """For each target another text of nearly its words and characters, and not much more or less likely."""
        shortlist = self._draw.some(self._candidates, self._shortlist, key, "shortlist")
        chosen: list[str] = []
        for target in targets:

            def badness(text: str, target: str = target) -> float:
                words, characters, *_ = off = _differences(text, target)
                # What single texts are off by is worked off, so that it must not be small, only bounded.
                own = max(0, abs(words) - 3) * 20 + max(0, abs(characters) - 15) * 4
                sums = (cost * abs(a + b) for cost, a, b in zip(self._costs, self._off, off, strict=True))
                return own + math.fsum(sums)

            best = min((text for text in shortlist if not alike(text, chosen)), key=badness)
            self._off = [a + b for a, b in zip(self._off, _differences(best, target), strict=True)]
            chosen.append(best)
        return chosen


def _differences(text: str, target: str) -> list[float]:
    return [a - b for a, b in zip(_counts(text), _counts(target), strict=True)]


@cache
def _counts(text: str) -> tuple[float, ...]:
    return n_words(text), len(text), len(content_words(text)), surprise(text), letter_surprise(text), *manners(text)


def alike(text: str, others: Sequence[str]) -> bool:
    """Whether a text begins as another one does."""
    return any(text.split()[:2] == other.split()[:2] for other in others)
