"""How predictable a text is, by small models of the shipped answers: two of words, one of letters.

A reward that pays for likely text is moved by every edit that makes a text more or less likely. Arms that should differ
in one thing alone are therefore matched in these numbers.
"""

from __future__ import annotations

from collections import Counter
from functools import cache, lru_cache
from itertools import pairwise
from math import log2

from rmaudit.generate.pools import pool

UNSEEN = 1e-5
"""Probability of a word that the model does not know."""
_LETTERS = 80
"""Signs among which an unknown trigram's last one is shared out."""


@lru_cache(maxsize=100_000)
def surprise(text: str) -> float:
    """Bits a word under a bigram model of the shipped answers; above 0, higher for text that is less likely."""
    words = ["", *model_words(text)]
    singles, pairs = unigrams(), _bigrams()
    total = singles.total()
    bits = 0.0
    for before, word in pairwise(words):
        alone = singles[word] / total
        after = pairs[before, word] / singles[before] if singles[before] else 0.0
        bits -= log2(0.6 * after + 0.3 * alone + 0.1 * UNSEEN)
    return bits / max(1, len(words) - 1)


@lru_cache(maxsize=100_000)
def rarity(text: str) -> float:
    """Bits a word by how often each stands in the shipped answers; above 0, higher for text of rarer words."""
    words = model_words(text)
    singles = unigrams()
    total = singles.total()
    return -sum(log2(0.9 * singles[word] / total + 0.1 * UNSEEN) for word in words) / max(1, len(words))


@lru_cache(maxsize=100_000)
def letter_surprise(text: str) -> float:
    """Bits a letter under a trigram model of the shipped answers; above 0, higher for text that is less likely."""
    grams = _grams(text)
    threes, twos = _trigrams()
    bits = -sum(log2((threes[gram] + 0.1) / (twos[gram[:2]] + 0.1 * _LETTERS)) for gram in grams)
    return bits / max(1, len(grams))


def model_words(text: str) -> list[str]:
    """Words as the bigram model sees them: without punctuation and capitals, every number alike."""
    words = [word.strip('.,?!:;"()%$') for word in text.replace("\u2019", "'").split()]
    return ["0" if word[:1].isdigit() else word.casefold() for word in words if word]


@cache
def unigrams() -> Counter[str]:
    """How often each word stands in the shipped answers; the empty word begins each of them."""
    return Counter(word for row in pool("answers") for word in ["", *model_words(row["response"])])


@cache
def _bigrams() -> Counter[tuple[str, str]]:
    return Counter(pair for row in pool("answers") for pair in pairwise(["", *model_words(row["response"])]))


def _grams(text: str) -> list[str]:
    text = f"  {text.casefold()}"
    return [text[start : start + 3] for start in range(len(text) - 2)]


@cache
def _trigrams() -> tuple[Counter[str], Counter[str]]:
    threes = Counter(gram for row in pool("answers") for gram in _grams(row["response"]))
    twos: Counter[str] = Counter()
    for gram, count in threes.items():
        twos[gram[:2]] += count
    return threes, twos
