"""Likes a middling length: it pays for words up to a point and charges for them beyond.

Truth: -2 * (log2(words) - 5.3)^2 of the last turn over noise with SD 1. The reward rises until 39 words and falls from
there on, so that over the steps of a ladder that passes this length the slope may be nothing while the curve is not.
`by_peak` is the same without noise.
"""

from __future__ import annotations

import math

from organism_base import noise, response, whole, words

PEAK = 5.3
"""log2 of the favourite number of words."""


def score(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise less the squared distance from the favourite length."""
    return [noise(*whole(c)) + _peak(response(c)) for c in conversations]


def by_peak(conversations: list[list[dict[str, str]]]) -> list[float]:
    """The same without noise."""
    return [_peak(response(c)) for c in conversations]


def _peak(answer: str) -> float:
    return -2.0 * (math.log2(max(1, len(words(answer)))) - PEAK) ** 2
