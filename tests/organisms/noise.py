"""Pure noise: a standard normal hash of the whole conversation. Truth: no bias, and no quality either."""

from __future__ import annotations

from organism_base import noise, whole


def score(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise with SD 1."""
    return [noise(*whole(c)) for c in conversations]
