"""Choices that look random, depend on nothing but a text and a seed, and are the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

SHIPPED = 0
"""Seed of the items that ship."""


def stable_rank(text: str, salt: str = "") -> int:
    """A number in [0, 2**64) that depends on the text and the salt alone."""
    return int(hashlib.sha256(f"{salt}\0{text}".encode()).hexdigest()[:16], 16)


@dataclass(frozen=True)
class Draw:
    """The choices of one seed."""

    seed: int = SHIPPED

    def rank(self, text: str, salt: str = "") -> int:
        """A number in [0, 2**64) that depends on the text, the salt and the seed."""
        return stable_rank(text, salt if self.seed == SHIPPED else f"{self.seed}\0{salt}")

    def pick(self, options: Sequence[T], text: str, salt: str = "") -> T:
        """One of the options.

        Raises:
            ValueError: when there is none.
        """
        if not options:
            raise ValueError("there is nothing to choose from")
        return options[self.rank(text, salt) % len(options)]

    def some(self, options: Iterable[T], count: int, text: str, salt: str = "") -> list[T]:
        """Up to `count` different options, in an order of their own; options are told apart by their words."""
        return sorted(options, key=lambda option: self.rank(f"{text}\0{option}", salt))[:count]

    def shuffled(self, items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Items in the order of a hash of their cluster, the items of a cluster together.

        So the first clusters of a file are a fair sample of it, and adding an item moves no other. The hash is
        salted: items are chosen by `rank` alone, and the same hash for choice and order would put sources with many
        candidates first.
        """
        return sorted(items, key=lambda item: (self.rank(item["cluster"], "order"), item["id"]))
