"""Texts put together from parts, and chosen so that they are as long as what they stand against."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from rmaudit.generate.draw import Draw
from rmaudit.generate.texts import n_words

SHORTLIST = 20
"""Candidates that are drawn before the closest in length are taken."""


def compositions(parts: Sequence[Sequence[str]]) -> list[str]:
    """Every text with one phrase of each part, in order."""
    return [" ".join(phrases) for phrases in product(*parts)]


def different(draw: Draw, candidates: Sequence[str], count: int, key: str) -> list[str]:
    """So many of the candidates, no two of which begin alike."""
    chosen: list[str] = []
    for text in draw.some(candidates, SHORTLIST, key, "different"):
        if len(chosen) < count and not alike(text, chosen):
            chosen.append(text)
    return chosen


class Matcher:
    """Chooses texts as long as others, and works off over many choices what single ones are too long or short.

    Args:
        draw: the choices of a seed.
        candidates: texts to choose from.
        shortlist: how many are drawn for each key; the more, the closer the match and the fewer the wordings.
    """

    def __init__(self, draw: Draw, candidates: Sequence[str], shortlist: int = SHORTLIST) -> None:
        self._draw = draw
        self._candidates = candidates
        self._shortlist = shortlist
        self._characters = 0
        self._words = 0

    def choose(self, targets: Sequence[str], key: str) -> list[str]:
        """For each target another text of nearly its words and characters."""
        shortlist = self._draw.some(self._candidates, self._shortlist, key, "shortlist")
        chosen: list[str] = []
        for target in targets:

            def badness(text: str, target: str = target) -> float:
                words = n_words(text) - n_words(target)
                characters = len(text) - len(target)
                # What single texts are off by is worked off, so that it must not be small, only bounded.
                own = max(0, abs(words) - 3) * 20 + max(0, abs(characters) - 15) * 4
                return own + 5 * abs(self._words + words) + abs(self._characters + characters)

            best = min((text for text in shortlist if not alike(text, chosen)), key=badness)
            self._words += n_words(best) - n_words(target)
            self._characters += len(best) - len(target)
            chosen.append(best)
        return chosen


def alike(text: str, others: Sequence[str]) -> bool:
    """Whether a text begins as another one does."""
    return any(text.split()[:2] == other.split()[:2] for other in others)
