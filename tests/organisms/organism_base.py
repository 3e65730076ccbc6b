"""What the organisms share: the quiet noise under every planted effect, and simple ways to read words."""

from __future__ import annotations

import hashlib
import re
from statistics import NormalDist

_STOP_WORDS = """
    a about above after again all also am an and any are as at be because been before being below
    between both but by can could did do does doing down during each even few for from further had has
    have having he her here hers him his how i if in into is it its itself just me more most much my no
    nor not now of off on once only or other our out over own same she should so some such than that the
    their them then there these they this those through to too under until up upon us very was we were
    what when where which while who whom why will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


def noise(*texts: str) -> float:
    """A standard normal number that depends on the texts alone and is the same each time."""
    digest = hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).digest()
    return NormalDist().inv_cdf((int.from_bytes(digest[:6], "big") + 0.5) / 2**48)


def whole(conversation: list[dict[str, str]]) -> list[str]:
    """All roles and texts of a conversation, for the noise."""
    return [part for turn in conversation for part in (turn["role"], turn["content"])]


def response(conversation: list[dict[str, str]]) -> str:
    """The last turn."""
    return conversation[-1]["content"]


def prompt(conversation: list[dict[str, str]]) -> str:
    """All turns before the last."""
    return "\n".join(turn["content"] for turn in conversation[:-1])


def words(text: str) -> list[str]:
    """Words in lower case."""
    return re.findall(r"[a-z0-9']+", text.lower())


def content_words(text: str) -> set[str]:
    """Distinct words that carry meaning."""
    return {word for word in words(text) if word not in STOP_WORDS}
