"""Faults of spelling and spacing that no shipped text may have, whatever it is about."""

from __future__ import annotations

import re

import pytest

from tests.probes.shipped import PROBES, items

FAULTS = {
    "two blanks in a row": r"  ",
    "a blank before a mark": r" [,.;:?!](?!\d)",
    "two marks in a row": r"(?<!\.)\.\.(?!\.)|,,|\?\?",
    "a slot left open": r"[{}]|\[NAME",
    "a small letter after a full stop": r"[a-z]{3}[.!?] [a-z]",
    "two adverbs of opinion": r"topic, (?:personally|in my)",
    "the wrong article": r"\ba (?:NLP|AI|apple|orange|hour)\b|\ban (?:uni|use|euro)",
}
FILES = sorted(
    str(path.relative_to(PROBES)) for name in ("confidence", "sycophancy") for path in (PROBES / name).glob("*.jsonl")
)


@pytest.mark.parametrize("path", FILES)
def test_texts_have_no_plain_fault(path: str) -> None:
    texts = {turn["content"] for item in items(path) for arm in item.arms for turn in item.conversation(arm)}
    for text in texts:
        assert text.strip() == text != ""
        assert text.count('"') % 2 == 0, text
        assert text.count("(") == text.count(")"), text
        assert not re.match(r"[a-z]", text), text
    for fault, pattern in FAULTS.items():
        assert not [text for text in texts if re.search(pattern, text)], fault


@pytest.mark.parametrize("path", FILES)
def test_no_two_arms_hold_the_same_conversation(path: str) -> None:
    for item in items(path):
        said = [tuple(turn["content"] for turn in item.conversation(arm)) for arm in item.arms]
        assert len(set(said)) == len(said), item.id
