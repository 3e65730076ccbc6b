"""Filler: sentences that say nothing, chosen so that nothing but length rises with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.predictability import letter_surprise, surprise

OPEN_ENDED = "And so on, and so on."
"""A filler that is none behind an answer that lists things: it says that there are more."""


def choose_fillers(draw: Draw, prompt: str, response: str, key: str) -> list[str]:
    """Filler sentences fit for an answer, in an order of its own: none brings in a word of the prompt.

    A word of the prompt that the response does not use, even a function word, would raise an overlap with it.
    """
    said = set(texts.tokens(response))

    def rank(filler: str) -> tuple[int, int]:
        # Words of four letters and more are content to a crude count: filler without new ones goes first.
        return sum(len(word) > 3 for word in set(texts.tokens(filler)) - said), draw.rank(filler, key)

    fit = without_prompt_words(texts.word_list("fillers")["neutral"], prompt, response)
    return sorted((filler for filler in fit if filler != OPEN_ENDED), key=rank)


def unlikely_first(fillers: Sequence[str]) -> list[str]:
    """The half of the fillers that is less likely as text, then the other half, each in the order given.

    Behind a text of unlikely words, filler makes the whole likelier, and a reward for likely text would look like one
    for length.
    """

    def both(filler: str) -> float:
        # A bit a word and 0.15 bits a letter are about one SD of the fillers each.
        return surprise(filler) + letter_surprise(filler) / 0.15

    half = set(sorted(fillers, key=both, reverse=True)[: len(fillers) // 2])
    return sorted(fillers, key=lambda filler: filler not in half)


def likely_sentences(draw: Draw, key: str) -> list[str]:
    """Sentences that say nothing and are likelier than any filler, in an order of their own."""
    likely = texts.word_list("fillers")["likely"]
    return draw.some(likely, len(likely), key, "likely")


def without_prompt_words(phrases: Iterable[str], prompt: str, response: str) -> list[str]:
    """Phrases that bring in no word of the prompt which the response does not use itself."""
    foreign = set(texts.tokens(prompt)) - set(texts.tokens(response))
    return [phrase for phrase in phrases if not foreign.intersection(texts.tokens(phrase))]


def fill(fillers: Sequence[str], used: Iterable[str], words: int) -> list[str]:
    """The filler used so far, and more of it until about that many words (within two) are reached."""
    chosen = list(used)
    left = words - sum(map(texts.n_words, chosen))
    for filler in fillers:
        if filler not in chosen and texts.n_words(filler) <= left + 2:
            chosen.append(filler)
            left -= texts.n_words(filler)
    return chosen


def fill_exactly(fillers: Sequence[str], words: int) -> list[str] | None:
    """Filler of exactly so many words, ``None`` where the sentences at hand do not add up to them."""
    chosen = fill(fillers, [], words)
    gap = words - sum(map(texts.n_words, chosen))
    if not gap:
        return chosen
    for place, filler in enumerate(chosen):
        for other in fillers:
            if other not in chosen and texts.n_words(other) == texts.n_words(filler) + gap:
                return [*chosen[:place], other, *chosen[place + 1 :]]
    return None


def fill_characters(fillers: Sequence[str], characters: int) -> list[str]:
    """Filler that takes about so many characters with its blanks: at least one sentence where there is any."""
    chosen: list[str] = []
    unused = list(fillers)
    while unused and characters > 2 * max(map(len, unused)):
        chosen.append(unused.pop(0))
        characters -= len(chosen[-1]) + 1
    if not unused:
        return chosen
    by_size: dict[int, list[str]] = {}
    for filler in unused:
        by_size.setdefault(len(filler) + 1, []).append(filler)
    one = [(size,) for size in by_size]
    two = [pair for pair in combinations_with_replacement(by_size, 2) if pair[0] != pair[1] or by_size[pair[0]][1:]]
    best = min([*one, *two], key=lambda sizes: (abs(characters - sum(sizes)), len(sizes), sizes))
    return chosen + [by_size[size].pop(0) for size in best]


def fill_like(fillers: Sequence[str], text: str, others: Sequence[str]) -> list[str]:
    """Filler that adds to a text as many characters as the others have more on average, and no fewer words and signs.

    Marks are signs: to a model that reads every sign as a token, they take more room than their characters say.
    """
    characters = sum(len(other) - len(text) for other in others) / len(others)
    signs = sum(texts.n_signs(other) - texts.n_signs(text) for other in others) / len(others)
    per_sign = sum(len(filler) + 1 for filler in fillers) / max(1, sum(map(texts.n_signs, fillers)))
    return fill_characters(fillers, round(max(characters, signs * per_sign)))


def insert(response: str, fillers: Sequence[str], position: str) -> str:
    """Response with filler sentences at its end, or spread evenly over the gaps between its sentences."""
    parts = parts_of(response)
    gaps = [len(parts) - 1] if position == "end" else range(len(parts) - 1)
    after: dict[int, list[str]] = {gap: [] for gap in gaps}
    for number, filler in enumerate(fillers):
        after[gaps[number * len(gaps) // len(fillers)]].append(filler)
    return separator_of(response).join(" ".join([part, *after.get(n, [])]) for n, part in enumerate(parts))


def parts_of(text: str) -> list[str]:
    """Lines of a text that has several, else its sentences."""
    return text.split("\n") if "\n" in text else texts.sentences(text)


def separator_of(text: str) -> str:
    """What stands between the parts of a text."""
    return "\n" if "\n" in text else " "
