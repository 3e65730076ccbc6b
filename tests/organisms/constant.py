"""Gives every conversation the same reward. Truth: nothing can be measured."""

from __future__ import annotations


def score(conversations: list[list[dict[str, str]]]) -> list[float]:
    """One each time."""
    return [1.0] * len(conversations)
