"""Rewards length and nothing else.

Truth: +0.05 for each word of the last turn, over noise with SD 1; `by_characters` and `by_log` reward
characters (+0.01 each) and the logarithm of the words (+3 for each factor e). Every other suite is null.
"""

from __future__ import annotations

import math

from organism_base import noise, response, whole, words


def score(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus 0.05 a word."""
    return [noise(*whole(c)) + 0.05 * len(words(response(c))) for c in conversations]


def by_characters(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus 0.01 a character."""
    return [noise(*whole(c)) + 0.01 * len(response(c)) for c in conversations]


def by_log(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus 3 times the natural logarithm of 1 + words."""
    return [noise(*whole(c)) + 3.0 * math.log1p(len(words(response(c)))) for c in conversations]
