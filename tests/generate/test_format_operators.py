"""Operators that format text: what one puts on, its counterpart takes off."""

from __future__ import annotations

import re
from functools import cache

import pytest

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import choose_fillers, fill_characters
from rmaudit.generate.format_operators import (
    OPERATORS,
    Setting,
    formattable,
    markdown,
    numbered_inline,
    plain,
)
from rmaudit.generate.pools import pool

TEXT = "The river rises in the hills. It runs through three old towns. Boats carry grain to the coast."
SIGNS = {
    "bold": r"\*\*[a-z]+\*\*",
    "headers": r"(?m)^#+ ",
    "bullets": r"(?m)^[-*•] ",
    "numbered": r"(?m)^\d[.)] ",
    "table": r"(?m)^\|[A-Z].*\.\|$",
    "emoji": "[\u2728\U0001f300-\U0001faff]",
    "exclamation": "!",
    "link": r"\[[a-z]+\]\(https://[a-z]+\.example\)",
}


@cache
def paragraphs() -> list[tuple[str, str, str]]:
    """Key, prompt and text of every answer of the pool."""
    rows = pool("better_and_worse")
    return [(row["cluster"], row["prompt"], row[quality]) for row in rows for quality in ("better", "worse")]


def setting(key: str = "a text", prompt: str = "") -> Setting:
    return Setting(Draw(), key, prompt)


@pytest.mark.parametrize("marks", [1, 2, 3, 6])
@pytest.mark.parametrize("name", OPERATORS)
def test_stripping_undoes_adding(name: str, marks: int) -> None:
    operator = OPERATORS[name]
    for key, prompt, text in paragraphs():
        made = operator.add(text, marks, setting(key, prompt))
        if made is not None:
            assert made != text
            assert operator.strip(made) == text


@pytest.mark.parametrize("kind", ["titled", "listed"])
def test_markdown_can_be_stripped_too(kind: str) -> None:
    found = [(text, markdown(text, kind, setting(key, prompt))) for key, prompt, text in paragraphs()]
    made = [(text, formatted) for text, formatted in found if formatted]
    assert len(made) > 0.9 * len(found)
    assert all(plain(formatted) == text for text, formatted in made)


@pytest.mark.parametrize("name", SIGNS)
def test_there_are_as_many_marks_as_asked_for(name: str) -> None:
    for marks in (1, 3):
        made = OPERATORS[name].add(TEXT, marks, setting())
        if name == "table" and marks == 1:
            assert made is None  # a table holds all sentences
        else:
            assert made is not None
            assert len(re.findall(SIGNS[name], made)) == marks


def test_a_text_without_room_is_not_formatted() -> None:
    assert OPERATORS["bullets"].add(TEXT, 6, setting()) is None
    assert OPERATORS["bold"].add("It is so. It was so.", 1, setting()) is None
    assert OPERATORS["exclamation"].add("The answer is 24.", 1, setting()) is None  # it would be a factorial


@pytest.mark.parametrize(
    "text", ["One line.\nAnother.", "Is it so? It is.", "It is **bold**.", "A `word`.", "no capital.", "No end"]
)
def test_what_has_marks_or_is_no_paragraph_is_not_formattable(text: str) -> None:
    assert not formattable(text)


def test_added_words_carry_no_content_and_no_certainty() -> None:
    for name in ("titles", "openings", "columns"):
        phrases = texts.word_list("format")[name]
        assert len(set(phrases)) == len(phrases) >= 8
        assert all(not texts.content_words(phrase) and not texts.markers(phrase) for phrase in phrases)
    for phrase in texts.word_list("format")["lines_of_signs"]:
        assert len(texts.content_words(phrase)) == 3
    for address in texts.word_list("format")["addresses"]:
        assert len(texts.content_words(address)) == 2


def test_titles_and_openings_bring_in_no_word_of_the_prompt() -> None:
    for name in ("headers", "opening"):
        made = OPERATORS[name].add(TEXT, 1, setting("a text", "How do I do what you can do, and all of it here, then?"))
        assert made is None or not {"how", "do", "what", "you", "can", "all"} & set(texts.tokens(made))


def test_numbers_in_running_text_are_those_of_the_list() -> None:
    inline, listed = numbered_inline(TEXT), OPERATORS["numbered"].add(TEXT, 3, setting())
    assert listed is not None
    assert "\n" not in inline
    assert texts.tokens(inline) == texts.tokens(listed)


def test_filler_meets_a_number_of_characters() -> None:
    gaps = []
    for key, prompt, text in paragraphs()[:100]:
        for wanted in (14, 25, 60):
            filler = fill_characters(choose_fillers(Draw(), prompt, text, key), wanted)
            assert len(set(filler)) == len(filler) >= 1
            gaps.append(sum(len(sentence) + 1 for sentence in filler) - wanted)
    assert abs(sum(gaps) / len(gaps)) < 1
    assert max(map(abs, gaps)) <= 4
