"""Rewrites by rule: each undoes the other, touches nothing else, and is a rewrite item."""

from __future__ import annotations

import pytest

from rmaudit.generate.operators import OPERATORS, Operator, contract, expand, rewritten_arms, strip_markdown
from rmaudit.generate.pools import answers

PLAIN = {
    "markdown": [
        "Steep it for two minutes. Then take the leaves out.",
        "One thing only.",
        "First part. It goes on.\n\nSecond part. It ends, e.g. here.",
    ],
    "contractions": [
        "I do not know. They are not here, and you are right that it cannot be.",
        "Did you ask? I am sure they will. WILL NOT stays loud? No.",
    ],
    "padding": ["Two to three minutes.", "It boils at 100 degrees. That depends on the height."],
}
CASES = [pytest.param(OPERATORS[name], text, id=f"{name}: {text[:20]}") for name in PLAIN for text in PLAIN[name]]


@pytest.mark.parametrize(("operator", "text"), CASES)
def test_what_was_added_can_be_removed(operator: Operator, text: str) -> None:
    plain = operator.remove(text)
    assert not operator.has(plain)
    added = operator.add(plain)
    assert operator.has(added)
    assert operator.remove(added) == plain
    assert operator.add(operator.remove(added)) == added, "and be put back"


def test_there_is_a_case_for_every_operator() -> None:
    assert PLAIN.keys() == OPERATORS.keys()


@pytest.mark.parametrize("name", OPERATORS)
def test_they_undo_each_other_on_the_answers_that_ship(name: str) -> None:
    operator = OPERATORS[name]
    tried = [answer.response for answer in answers()][:600]
    plain = [operator.remove(" ".join(text.split())) for text in tried]
    changed = [text for text in plain if operator.add(text) != text]
    assert len(changed) > 30
    kept = [operator.remove(operator.add(text)) == text for text in changed]
    assert sum(kept) >= 0.95 * len(kept)


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("I do not think you are right.", "I don't think you're right."),
        ("Cannot be. They are not.", "Can't be. They aren't."),
        ("Yes, you are. I am.", "Yes, you are. I am."),
        ("It is what she had.", "It is what she had."),
    ],
)
def test_contractions_are_those_of_the_language(long: str, short: str) -> None:
    assert contract(long) == short
    assert expand(short) == long


def test_markdown_of_other_hands_is_stripped_too() -> None:
    text = "## Answer\n\n1. **Boil** water\n2. Add `salt`\n\n* one\n* two\n\n2 * 3 * 4 is 24."
    assert strip_markdown(text) == "Answer\n\nBoil water Add salt\n\none two\n\n2 * 3 * 4 is 24."


def test_a_rewrite_item_has_the_three_passes() -> None:
    plain = rewritten_arms("I do not know.", OPERATORS["contractions"])
    assert plain is not None
    assert [arm["response"] for arm in plain.values()] == ["I do not know.", "I don't know.", "I do not know."]
    assert [arm["factors"] for arm in plain.values()] == [
        {"attribute": "no", "rewrites": 0},
        {"attribute": "yes", "rewrites": 1},
        {"attribute": "no", "rewrites": 2},
    ]
    short = rewritten_arms("I don't know.", OPERATORS["contractions"])
    assert short is not None
    assert [arm["factors"]["attribute"] for arm in short.values()] == ["yes", "no", "yes"]
    assert rewritten_arms("Nothing to shorten here.", OPERATORS["contractions"]) is None
