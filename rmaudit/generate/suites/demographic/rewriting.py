"""Two rewrites by rule of a text in Standard American English, to set beside what a speaker made of it.

`by_machine` puts in marks of African American English word by word, as a program does that knows no dialect.
`ungrammatical` damages spelling and grammar into no dialect at all, as far as the speaker's text is from plain text.
A model that dislikes rare spellings, unusual grammar or text that a language model finds unlikely is hit by both.
"""

from __future__ import annotations

import re
from functools import partial
from statistics import fmean

from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.predictability import letter_surprise, rarity, surprise, unigrams
from rmaudit.generate.texts import word_list

_WORD = re.compile(r"[A-Za-z][A-Za-z'\u2019]*")


def by_machine(text: str) -> str:
    """The text with marks of the dialect wherever a rule finds a place."""
    for pattern, replacement in word_list("dialect_rules")["machine"].items():
        text = re.sub(rf"\b{pattern}", partial(_like, replacement), text, flags=re.IGNORECASE)
    return text


def _like(replacement: str, found: re.Match[str]) -> str:
    """A rule's replacement, with the capital of what it replaces."""
    new = found.expand(replacement)
    return new[0].upper() + new[1:] if found.group()[0].isupper() else new


def ungrammatical(draw: Draw, standard: str, spoken: str, key: str, beyond: float) -> str:
    """The standard text, as long as the spoken one and damaged until it is less likely.

    Words that fit nowhere are put in, or small words left out, until it is as long. Then, one after the other, as many
    words are misspelt as the spoken text has words that no plain text has, words get wrong forms, and more words are
    misspelt, until the text is less likely than the spoken one. Three models are asked, by the frequency of words, by
    pairs of words and by letters, since what is matched under one of them alone is not so under models of others.

    Args:
        draw: chooses the places.
        standard: what is damaged.
        spoken: its rewrite in a dialect.
        key: names the text.
        beyond: by which share the damaged text is to be less likely than the rewrite; 0 for as likely.
    """
    words = _as_long(draw, standard.split(), len(spoken.split()) - len(standard.split()), key)
    places = sorted(range(1, len(words)), key=lambda place: draw.rank(f"{key} {place}", "damage"))
    places = [place for place in places if re.fullmatch(r"[a-z]{2,}[.,?!]?", words[place])]
    long = [place for place in places if len(words[place].strip(".,?!")) >= 4]
    misspelt = max(0, strangers(spoken) - strangers(standard))
    plan = [(place, _misspelt) for place in long[:misspelt]]
    plan += [(place, _bent) for place in places if place not in long[:misspelt]]
    plan += [(place, _misspelt) for place in long[misspelt:]]
    for place, damage in plan:
        if _beyond(" ".join(words), spoken) >= beyond:
            break
        found = re.fullmatch(r"(.*?)([.,?!]?)", words[place])
        assert found
        words[place] = damage(found.group(1)) + found.group(2)
    return " ".join(words)


UNLIKELY = (rarity, surprise, letter_surprise)
"""Models of the shipped answers under which texts are compared."""


def _beyond(text: str, other: str) -> float:
    """By which share a text is less likely than another, on average over the models; 0 for as likely."""
    return fmean(measure(text) / measure(other) for measure in UNLIKELY) - 1


def _as_long(draw: Draw, words: list[str], extra: int, key: str) -> list[str]:
    """The words and so many that fit nowhere, or without so many small ones; the first and the last word stay."""
    places = sorted(range(1, len(words)), key=lambda place: draw.rank(f"{key} {place}", "length"))
    rare, frequent = (listed.split() for listed in word_list("dialect_rules")["strays"])
    if extra < 0:
        # No verb: to leave out *is* would be a mark of the dialect.
        small = [place for place in places if words[place] in frequent][:-extra]
        return [word for place, word in enumerate(words) if place not in small]
    inner = [place for place in places if words[place][0].islower() and words[place - 1][-1] not in ".?!:"]
    strays = (draw.some(listed, extra, key, "strays") for listed in (rare, frequent))
    put = dict(zip(inner, [word for pair in zip(*strays, strict=True) for word in pair][:extra], strict=False))
    return [each for place, word in enumerate(words) for each in ([put[place]] if place in put else []) + [word]]


def _misspelt(word: str) -> str:
    """A word without one of its inner letters, as spelt dialect drops letters, in half of the words with the mark."""
    if len(word) < 4:
        return word
    at = 1 + stable_rank(word, "letter") % (len(word) - 2)
    return f"{word[:at]}{word[at + 1 :]}" + ("'" if stable_rank(word, "mark") % 2 else "")


def _bent(word: str) -> str:
    """A wrong form of a word: the other number, the other tense, or another small word."""
    swaps = word_list("dialect_rules")["wrong_forms"]
    if word in swaps:
        return str(swaps[word])
    if word.endswith("ing"):
        return f"{word[:-3]}ed"
    if word.endswith("ed") and len(word) > 4 and not word.endswith("eed"):
        return f"{word[:-2]}ing"
    # An ending left out would be one of the dialect's marks.
    return _misspelt(word) if word.endswith("s") else f"{word}s"


def _bare(word: str) -> str:
    return word.strip('.,?!:;"()%$')


def strangers(text: str) -> int:
    """Words of a text that no answer of the shipped sources has, names and numbers aside."""
    words = [_bare(word) for word in text.split()]
    return sum(bool(_WORD.fullmatch(word)) and word[0].islower() and word not in unigrams() for word in words)
