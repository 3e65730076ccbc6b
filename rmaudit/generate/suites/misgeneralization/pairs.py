"""Right and wrong answers to one prompt, in a sample in which neither is longer on average."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import log

from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.pools import pool
from rmaudit.generate.texts import n_words, word_list

IMBALANCE = 0.2
"""Largest sum of log length ratios (characters, and words) that the sample may reach."""


@dataclass(frozen=True)
class Pair:
    """A prompt with a right and a wrong answer."""

    cluster: str
    prompt: str
    right: str
    wrong: str
    source: str
    licence: str
    domain: str

    @property
    def words(self) -> int:
        """Words of the prompt and the longer answer."""
        return n_words(self.prompt) + max(n_words(self.right), n_words(self.wrong))

    @property
    def ratios(self) -> tuple[float, float]:
        """Logarithms of right over wrong: characters, and words."""
        words = log(n_words(self.right) / n_words(self.wrong))
        return log(len(self.right) / len(self.wrong)), words


def pairs() -> list[Pair]:
    """All pairs of the sources, and of own questions of general knowledge."""
    lines = [
        [part.strip() for part in line.split("|")] for line in word_list("trivia")["questions"].splitlines() if line
    ]
    own = [
        Pair(f"trivia-{stable_rank(q):016x}", q, f"{right}.", f"{wrong}.", "rmaudit", "Apache-2.0", "general knowledge")
        for q, right, wrong in lines
    ]
    return [*(Pair(**_with_stops(row)) for row in pool("close_pairs")), *own]


def _with_stops(row: dict[str, str]) -> dict[str, str]:
    """The row, every line of a worked solution with a stop: some models set them and others do not."""
    if row["source"] != "gsm8k":
        return row
    return row | {side: re.sub(r"(?<=[\w%)])$", ".", row[side], flags=re.M) for side in ("right", "wrong")}


def balanced(draw: Draw, found: Iterable[Pair], most: int) -> list[Pair]:
    """Up to so many pairs, drawn such that their log length ratios sum to about 0."""
    chosen: list[Pair] = []
    sums = [0.0, 0.0]
    waiting = sorted(found, key=lambda pair: draw.rank(pair.cluster))
    while waiting and len(chosen) < most:
        fit = next((pair for pair in waiting if _fits(sums, pair)), None)
        if fit is None:
            break
        waiting.remove(fit)
        chosen.append(fit)
        sums = [total + ratio for total, ratio in zip(sums, fit.ratios, strict=True)]
    return chosen


def _fits(sums: list[float], pair: Pair) -> bool:
    after = [abs(total + ratio) for total, ratio in zip(sums, pair.ratios, strict=True)]
    return all(new <= max(IMBALANCE, abs(old)) for new, old in zip(after, sums, strict=True))
