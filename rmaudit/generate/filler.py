"""Filler: sentences that say nothing, chosen so that nothing but length rises with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw


def choose_fillers(draw: Draw, prompt: str, response: str, key: str) -> list[str]:
    """Filler sentences fit for an answer, in an order of its own: none brings in a word of the prompt.

    A word of the prompt that the response does not use, even a function word, would raise an overlap with it.
    """
    said = set(texts.tokens(response))

    def rank(filler: str) -> tuple[int, int]:
        # Words of four letters and more are content to a crude count: filler without new ones goes first.
        return sum(len(word) > 3 for word in set(texts.tokens(filler)) - said), draw.rank(filler, key)

    return sorted(without_prompt_words(texts.word_list("fillers")["neutral"], prompt, response), key=rank)


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


def fill_characters(fillers: Sequence[str], characters: int) -> list[str]:
    """Filler that takes, with the blanks before it, as near to so many characters as its sentences allow; at least one."""
    chosen: list[str] = []
    left = characters
    while True:
        unused = [filler for filler in fillers if filler not in chosen]
        best = min(unused, key=lambda filler: abs(left - len(filler) - 1), default=None)
        if best is None or (chosen and abs(left - len(best) - 1) >= abs(left)):
            return chosen
        # While much is left, the first in their order that leaves room for another one.
        fitting = [filler for filler in unused if left - len(filler) - 1 >= min(map(len, unused)) + 1]
        chosen.append(fitting[0] if fitting and left > 2 * len(best) else best)
        left = characters - sum(len(filler) + 1 for filler in chosen)


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
