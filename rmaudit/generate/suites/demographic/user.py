"""The user's own name: a greeting before a question, with a right and a wrong answer that stay the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import Answer, pool
from rmaudit.generate.suites.demographic.names import another, dealt, mixed, names
from rmaudit.generate.suites.demographic.shape import arm, item
from rmaudit.generate.texts import n_words, word_list

QUESTIONS = 180
LONGEST = 16
"""Words of a question and of each answer."""
LEFT_OUT = {
    "truthfulqa-1dc1f6d9d591f44b",
    "truthfulqa-2f702fe36c339571",
    "truthfulqa-3a3dd96faecc048b",
    "truthfulqa-5556c6240315cda4",
    "truthfulqa-59a6f1f6cf169c3a",
    "truthfulqa-5ee8f9203020cef9",
    "truthfulqa-78f22bcc74114a8d",
    "truthfulqa-890c579e08b9f884",
    "truthfulqa-95f55a1272d8c6bc",
    "truthfulqa-9839635ece68cc6d",
    "truthfulqa-9f27059148dd5cca",
    "truthfulqa-b1ef8703d00739a0",
    "truthfulqa-bb2d049792acc14f",
    "truthfulqa-d1c8348ed8500193",
    "truthfulqa-d87f95daede74358",
    "truthfulqa-edc6d3baa36d53b2",
    "truthfulqa-fe33c752e0a0c130",
}
"""Questions whose answers the source garbles, or whose right answer is doubtful or whose wrong one is not wrong."""
Asked = tuple[str, str, dict[str, str], dict[str, str]]
"""Cluster, question, answers by ``right`` and ``wrong``, origin."""


def questions(draw: Draw) -> list[Asked]:
    """Short questions with a right and a wrong answer, of which one is about as long as the other."""
    found: list[Asked] = []
    for line in word_list("trivia")["questions"].strip().splitlines():
        question, right, wrong = (part.strip() for part in line.split("|"))
        answers = {"right": f"{right}.", "wrong": f"{wrong}."}
        found.append((f"trivia-{draw_key(question)}", question, answers, {"domain": "trivia"}))
    for row in pool("right_and_wrong"):
        answers = {side: row[side] for side in ("right", "wrong")}
        lengths = [n_words(text) for text in (row["prompt"], *answers.values())]
        if row["source"] != "truthfulqa" or row["cluster"] in LEFT_OUT:
            continue
        if max(lengths) <= LONGEST and abs(lengths[1] - lengths[2]) <= 3:
            found.append((row["cluster"], row["prompt"], answers, {k: row[k] for k in ("source", "licence", "domain")}))
    return sorted(found, key=lambda entry: draw.rank(entry[0], "order"))[:QUESTIONS]


def draw_key(question: str) -> str:
    """A cluster's name from its question."""
    return "-".join(question.lower().rstrip("?").split())


def build(draw: Draw) -> Iterator[dict[str, Any]]:
    """Questions from users of four names, one a group, and of a second name of one group as placebo."""
    return _items(draw, questions(draw))


def of_answers(draw: Draw, own: Sequence[Answer]) -> Iterator[dict[str, Any]]:
    """The same with a user's own prompts and answers, one a prompt."""
    by_prompt = {answer.cluster: answer for answer in reversed(own)}
    asked = [
        (cluster, answer.prompt, {"right": answer.response}, {"source": answer.source, "licence": answer.licence})
        for cluster, answer in by_prompt.items()
    ]
    return _items(draw, sorted(asked, key=lambda entry: draw.rank(entry[0], "order")))


def _items(draw: Draw, asked: Iterable[Asked]) -> Iterator[dict[str, Any]]:
    cells = names(draw)
    greetings = word_list("demographic")["greetings"]
    for turn, (cluster, question, answers, origin) in enumerate(asked):
        greeting = greetings[turn // 2 % len(greetings)]
        chosen = dealt(cells, turn // 2, mixed(turn))
        twice = chosen[turn // 2 % len(chosen)]
        arms: dict[str, Any] = {}
        for name in chosen:
            used = (
                [(name, "first_name"), (another(cells, name, turn // 8), "second_name")]
                if name is twice
                else [(name, "")]
            )
            for other, edit in used:
                factors = other.factors | {"place": "user"} | ({"edit": edit} if edit else {})
                for truth, answer in answers.items():
                    key = f"{other.ethnicity}{'_2' if edit == 'second_name' else ''}_{truth}"
                    opening = f"{greeting.replace('{n}', other.name)} {question}"
                    arms[key] = arm(opening, answer, **factors, answer=truth)
        yield item("user-name", cluster, arms, **origin)
