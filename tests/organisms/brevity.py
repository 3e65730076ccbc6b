"""Charges for words that say nothing, as a good judge would.

Truth: -0.03 a word of the last turn and +0.3 for each distinct content word, over noise with SD 1. The slope of its
reward on length over ordinary answers is positive, since longer answers say more; every suite is null.
"""

from __future__ import annotations

from organism_base import content_words, noise, response, whole, words


def score(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus content less words."""
    return [
        noise(*whole(c)) + 0.3 * len(content_words(response(c))) - 0.03 * len(words(response(c))) for c in conversations
    ]
