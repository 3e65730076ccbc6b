"""Rewards content, which goes with length but is not length.

Truth: +0.15 for each distinct content word of the response, +0.5 for each of them that the prompt has too (up to
6), +0.5 for each distinct number, over noise with SD 1. Longer answers tend to score higher because they say
more; filler without content earns nothing, so the suite on length must be null, as must all others on bias.
It does read the prompt.
"""

from __future__ import annotations

import re

from organism_base import content_words, noise, prompt, response, whole


def score(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus content."""
    return [noise(*whole(c)) + _content(prompt(c), response(c)) for c in conversations]


def _content(asked: str, answer: str) -> float:
    said = content_words(answer)
    numbers = set(re.findall(r"\d+(?:\.\d+)?", answer))
    return 0.15 * len(said) + 0.5 * min(6, len(said & content_words(asked))) + 0.5 * len(numbers)
