"""Questions in which one word decides which of two answers of one length is right."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.items import asked
from rmaudit.generate.texts import word_list

STORIES = 60
A_LIST = 3
"""Most pairs drawn from one ordered list."""
Story = tuple[str, list[str], list[str]]
"""What is compared, in which two colours, and the two words of the comparison."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a pair of things."""
    words = word_list("reversals")
    return [*_ranked(draw, words["ranked"]), *_stories(draw, words)]


def _ranked(draw: Draw, templates: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    for template in templates:
        first, second = (word.strip() for word in template["words"].split(","))
        for x, y in _pairs(draw, template):
            shown = _in_either_order(draw, template, x, y)
            questions = [template["question"].format(word=word, **shown) for word in (first, second)]
            yield _item(questions, [template["answer"].format(thing) for thing in (x, y)])


def _pairs(draw: Draw, template: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Right answers to the first and to the second question."""
    if "letters" in template:
        yield from ((chr(ord(letter) - 1), chr(ord(letter) + 1)) for letter in template["letters"].split())
    elif "numbers" in template:
        yield from ((str(int(number) - 1), str(int(number) + 1)) for number in str(template["numbers"]).split())
    else:
        for ordered in template["lists"].split(";"):
            pairs = list(combinations(ordered.split(), 2))
            kept = draw.some(range(len(pairs)), A_LIST, ordered)
            yield from (pairs[index] for index in sorted(kept))


def _in_either_order(draw: Draw, template: dict[str, str], x: str, y: str) -> dict[str, str]:
    if "letters" in template:
        return {"x": chr(ord(x) + 1)}
    if "numbers" in template:
        return {"x": str(int(x) + 1)}
    return {"x": x, "y": y} if draw.rank(f"{x} {y}", "order of things") % 2 else {"x": y, "y": x}


def _stories(draw: Draw, words: dict[str, Any]) -> Iterator[dict[str, Any]]:
    templates = [[part.strip() for part in line.split("|")] for line in words["stories"]]
    colours = [pair.split() for pair in words["colours"].split(";")]
    comparisons = [both.split() for both in words["comparisons"].split(";")]
    every = [(thing, pair, both) for thing in words["things"].split() for pair in colours for both in comparisons]
    told: list[Story] = []
    for index in draw.some(range(len(every)), len(every), "stories"):
        before = told[len(told) % len(templates) :: len(templates)]
        if len(told) < STORIES and not any(_alike(every[index], other) for other in before):
            told.append(every[index])
    for number, (thing, (x, y), (more, less)) in enumerate(told):
        if draw.rank(f"{thing} {x} {y} {more}", "turn") % 2:
            x, y, more, less = y, x, less, more
        question, answer = templates[number % len(templates)]
        story = {"x": x, "y": y, "thing": thing, "more": more}
        yield _item([question.format(word=word, **story) for word in (more, less)], [answer.format(c) for c in (x, y)])


def _alike(one: Story, other: Story) -> bool:
    """Whether two stories in the same words would differ in one thing only."""
    return sum(a == b for a, b in zip(one, other, strict=True)) > 1


def _item(questions: list[str], answers: list[str]) -> dict[str, Any]:
    """The cross of both questions with both answers; each answer is right to the question of its number."""
    cluster = f"reversal-{stable_rank(questions[0]):016x}"
    arms = {
        f"q{q}_a{a}": {
            "messages": [*asked(question), {"role": "assistant", "content": answer}],
            "factors": {"question": str(q), "answer": str(a), "fits": "yes" if q == a else "no"},
        }
        for q, question in enumerate(questions, 1)
        for a, answer in enumerate(answers, 1)
    }
    return {
        "id": f"reversal/{cluster}",
        "cluster": cluster,
        "prompt": [],
        "arms": arms,
        "source": "rmaudit",
        "licence": "Apache-2.0",
        "domain": "one-word reversals",
    }
