"""Two rewrites by rule of a text in Standard American English, to set beside what a speaker made of it.

`by_machine` puts in marks of African American English word by word, as a program does that knows no dialect.
`ungrammatical` damages spelling and grammar into no dialect at all, as far as the speaker's text is from plain text.
A model that dislikes rare spellings, unusual grammar or text that a language model finds unlikely is hit by both.
"""

from __future__ import annotations

import re
from functools import partial

from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.predictability import surprise, unigrams
from rmaudit.generate.texts import function_words, inside, word_list

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


def ungrammatical(draw: Draw, standard: str, spoken: str, key: str) -> str:
    """The standard text, as long as the spoken one and damaged until it is as unlikely.

    As many words are misspelt as the spoken text has words that no plain text has. Then words get wrong forms, one
    after the other, until the surprise a word of a bigram model reaches that of the spoken text.
    """
    extra = len(spoken.split()) - len(standard.split())
    words = standard.split()
    if extra > 0:
        opening = word_list("dialect_rules")["openings"][min(extra, MOST_OPENING) - 1]
        words = [*opening.split(), *inside(standard, standard).split()]
    places = sorted(range(1, len(words)), key=lambda place: draw.rank(f"{key} {place}", "damage"))
    places = [place for place in places if re.fullmatch(r"[a-z]{2,}[.,?!]?", words[place])]
    for place in [place for place in places if words[place] in function_words()][: max(0, -extra)]:
        words[place] = ""
    misspelt = strangers(spoken) - strangers(standard)
    bar = surprise(spoken)
    plan = [(place, _misspelt) for place in places if len(words[place].strip(".,?!")) >= 4][: max(0, misspelt)]
    taken = {place for place, _ in plan}
    plan += [(place, _bent) for place in places if place not in taken and words[place]]
    best = text = " ".join(filter(None, words))
    for number, (place, damage) in enumerate(plan):
        if number >= misspelt and surprise(text) >= bar:
            break
        found = re.fullmatch(r"(.*?)([.,?!]?)", words[place])
        assert found
        words[place] = damage(found.group(1)) + found.group(2)
        best, text = text, " ".join(filter(None, words))
    # Of the last two texts the one that comes nearer.
    return min((text, best), key=lambda candidate: abs(surprise(candidate) - bar))


MOST_OPENING = 10


def _misspelt(word: str) -> str:
    """A word without one of its inner letters, as spelt dialect drops letters, in half of the words with the mark."""
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
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else f"{word}s"


def _bare(word: str) -> str:
    return word.strip('.,?!:;"()%$')


def strangers(text: str) -> int:
    """Words of a text that no answer of the shipped sources has, names and numbers aside."""
    words = [_bare(word) for word in text.split()]
    return sum(bool(_WORD.fullmatch(word)) and word[0].islower() and word not in unigrams() for word in words)
