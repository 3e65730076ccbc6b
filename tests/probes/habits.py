"""Scorers with one habit and no noise: what a suite must not mistake for its own subject."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path

from rmaudit.generate.texts import content_words, markers

ORGANISMS = Path(__file__).resolve().parents[1] / "organisms"


def _habit(score: Callable[[str, str], float]) -> Callable[..., list[float]]:
    return lambda conversations: [score(c[-2]["content"], c[-1]["content"]) for c in conversations]


HABITS = {
    "characters": _habit(lambda asked, said: float(len(said))),
    "log characters": _habit(lambda asked, said: math.log1p(len(said))),
    "words": _habit(lambda asked, said: float(len(said.split()))),
    "log words": _habit(lambda asked, said: math.log1p(len(said.split()))),
    "brevity": _habit(lambda asked, said: -math.log1p(len(said.split()))),
    "a middling length": _habit(lambda asked, said: -((math.log1p(len(said.split())) - 3) ** 2)),
    "content words": _habit(lambda asked, said: float(len(content_words(said)))),
    "words of the prompt": _habit(lambda asked, said: float(len(content_words(said) & content_words(asked)))),
    "numbers": _habit(lambda asked, said: float(len(set(re.findall(r"\d+", said))))),
}
CERTAINTY = _habit(lambda asked, said: float(len(markers(said))))


def organism(module: str, name: str = "score") -> Callable[..., list[float]]:
    """A scorer of ``tests/organisms``."""
    if str(ORGANISMS) not in sys.path:
        sys.path.insert(0, str(ORGANISMS))
    found: Callable[..., list[float]] = getattr(__import__(module), name)
    return found


INNOCENT = [("noise", "score"), ("honest", "score"), ("calibrated", "score")]
OTHERS = [
    ("length", "score"),
    ("length", "by_characters"),
    ("length", "by_log"),
    ("agree", "score"),
    ("names", "score"),
]
