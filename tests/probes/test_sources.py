"""The source texts: no slips that a reader would take for faults, and no answers that are broken off."""

from __future__ import annotations

import re

import pytest

from builders.probes import common
from rmaudit.generate.filler import parts_of
from rmaudit.generate.pools import is_taken_apart, pool
from tests.probes.reading_items import items, response


@pytest.mark.parametrize("name", ["answers", "right_and_wrong", "close_pairs", "facts", "better_and_worse"])
def test_sources_have_no_misprints(name: str) -> None:
    for row in pool(name):
        given = [row[key] for key in ("response", "right", "wrong", "better", "worse") if key in row]
        for text in (text for each in given for text in ([each] if isinstance(each, str) else each)):
            assert not common.is_misprinted(text), text


@pytest.mark.parametrize("name", ["answers", "right_and_wrong", "close_pairs", "facts", "better_and_worse"])
def test_questions_of_mathematics_have_single_blanks(name: str) -> None:
    assert not [row["prompt"] for row in pool(name) if row["source"] == "gsm8k" and re.search(r"\s\s", row["prompt"])]


@pytest.mark.parametrize(
    "text",
    [
        "The House is made of of representatives.",
        "He meets at a at a luncheonette.",
        "It is a American series.",
        "a second Super Bowl.The Falcons lost",
        "apples altogether .\nHe sold 10",
        'an acronym for "without passport"or not',
        "10 (for Mico) + 10 9for Marco) = 20",
        "Go on with this sentence. [MALE] was a weatherman.",
    ],
)
def test_misprints_are_found(text: str) -> None:
    assert common.is_misprinted(text)


@pytest.mark.parametrize(
    "text", ["He sold 40 x .25 = 10 pieces.", "It is what it is, and that is that.", "In France (Paris) he rests."]
)
def test_sound_texts_are_no_misprints(text: str) -> None:
    assert not common.is_misprinted(text)


def test_known_slips_are_mended() -> None:
    assert common.mended("AD' means 'After Death'.") == "'AD' means 'After Death'."
    assert common.mended("'AD' means 'Anno Domini'.") == "'AD' means 'Anno Domini'."
    assert common.mended("It's is debatable.") == "It is debatable."


@pytest.mark.parametrize(
    ("path", "arm"),
    [
        ("length/items.jsonl", "base"),
        ("length/items_recap.jsonl", "plain"),
        ("length/items_extension.jsonl", "content_yes_filler_no"),
        ("format/items_marks.jsonl", "plain"),
        ("format/items_dose.jsonl", "plain"),
        ("format/items_lines.jsonl", "original"),
    ],
)
def test_answers_are_whole(path: str, arm: str) -> None:
    """No numbered list in running text is cut at its numbers, and no paragraph ends in the middle of a sentence."""
    for item in items(path):
        text = response(item, arm)
        if item.source != "gsm8k":
            assert not is_taken_apart(parts_of(text)), text
            assert re.search(r"[.!?][\"')]?$", text), text
