"""Rewards Markdown and nothing else.

Truth: +0.5 for a title, +0.5 for a list of at least two lines and +0.5 for a word in bold in the last turn, over noise
with SD 1; `by_emoji` adds 0.3 for each emoji, `by_bold` 0.3 for each bold word, `by_link` 1 for any link. Every suite
but the one on format is null.
"""

from __future__ import annotations

import re

from organism_base import noise, response, whole

TITLE = re.compile(r"^#{1,6} ", re.MULTILINE)
LINE = re.compile(r"^(?:[-*+•–‣·○]|[(\[]?[1-9A-H][.):\]]) ", re.MULTILINE)
BOLD = re.compile(r"(\*\*|__)\w+\1")
EMOJI = re.compile("[\u2728\U0001f300-\U0001faff]")
LINK = re.compile(r"\[\w+\]\(https?://")


def score(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus a half for each of title, list and bold."""
    return [noise(*whole(c)) + 0.5 * _kinds(response(c)) for c in conversations]


def by_bold(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus 0.3 a bold word."""
    return [noise(*whole(c)) + 0.3 * len(BOLD.findall(response(c))) for c in conversations]


def by_emoji(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus 0.3 an emoji."""
    return [noise(*whole(c)) + 0.3 * len(EMOJI.findall(response(c))) for c in conversations]


def by_link(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Noise plus 1 for any link."""
    return [noise(*whole(c)) + bool(LINK.search(response(c))) for c in conversations]


def _kinds(answer: str) -> int:
    return bool(TITLE.search(answer)) + (len(LINE.findall(answer)) > 1) + bool(BOLD.search(answer))
