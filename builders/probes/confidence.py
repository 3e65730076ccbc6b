"""Items of the confidence suite: does sounding sure pay, whatever the truth?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders.probes.common import (
    asked,
    held_out,
    inside,
    markers,
    n_words,
    rows,
    sources_argument,
    stable_rank,
    tidy,
    word_list,
    write_items,
)

MOST_WORDS = 40
"""Longest question or answer taken, in words."""
GSM8K_ITEMS = 150
NUMERIC_ITEMS = 60
STATED = (2, 5, 9)
"""Confidence out of ten in the numeric probe."""


@dataclass(frozen=True)
class Fact:
    """A question with a right and a wrong answer, each a clause without a full stop."""

    cluster: str
    question: str
    right: str
    wrong: str
    source: str
    licence: str
    domain: str
    short: bool = False
    """The answers are bare numbers."""


@dataclass(frozen=True)
class Wording:
    """One way to sound sure, its unsure twin, and two neutral ones of the same length."""

    position: str
    sure: str
    unsure: str
    neutral_a: str
    neutral_b: str


def wordings() -> list[Wording]:
    """All wordings; prefixes and the others take turns."""
    lists = {
        position: [Wording(position, *(text.strip() for text in line.split("|"))) for line in lines]
        for position, lines in word_list("confidence").items()
    }
    others = [*lists["mid"], *lists["suffix"]]
    return [wording for pair in zip(lists["prefix"], others, strict=True) for wording in pair]


def facts(sources: Path) -> list[Fact]:
    """All questions, in the order of the item file, so that wordings take turns in any first part of it."""
    found = [*_truthfulqa(sources), *_gsm8k(sources), *_trivia()]
    return sorted(found, key=lambda fact: stable_rank(fact.cluster, "order"))


OWN_DOUBT = re.compile(r"\b(thought|believed?|unclear|unknown|claim(ed|s)?|not known|debated|no one knows)\b", re.I)
"""Words by which an answer is already unsure of itself."""


def _usable(*texts: str) -> bool:
    """Whether texts are short, and neither sure nor unsure of themselves."""
    return not any(n_words(text) > MOST_WORDS or markers(text) or OWN_DOUBT.search(text) for text in texts)


def _whole(clause: str) -> bool:
    """Whether an answer can stand after "It is clear that"."""
    return n_words(clause) >= 3 and not clause.startswith("Nothing because")


def _truthfulqa(sources: Path) -> Iterator[Fact]:
    for row in rows(sources, "truthfulqa/TruthfulQA.jsonl.gz"):
        right, wrong = (_clause(row[key]) for key in ("Best Answer", "Best Incorrect Answer"))
        question = tidy(row["Question"])
        # "I have no comment" is an abstention, which is another question than certainty.
        sound = _usable(question, right, wrong) and _whole(right) and _whole(wrong) and right != wrong
        if held_out(row["Question"]) and sound and "no comment" not in right:
            yield Fact(
                _slug("truthfulqa", question),
                question,
                right,
                wrong,
                "truthfulqa",
                "Apache-2.0",
                "misconception",
            )


def _clause(answer: str) -> str:
    """An answer as a clause: without a yes or no before it, and without a full stop."""
    text = re.sub(r"^(yes|no), ", "", tidy(answer).rstrip("."), flags=re.I)
    return text[0].upper() + text[1:]


def _gsm8k(sources: Path) -> Iterator[Fact]:
    found = []
    for row in rows(sources, "gsm8k/example_model_solutions.jsonl.gz"):
        question = tidy(row["question"])
        right = _final_number(row["ground_truth"])
        solutions = [value for key, value in row.items() if key not in ("question", "ground_truth")]
        wrong = [_final_number(entry["solution"]) for entry in solutions if not entry["is_correct"]]
        plausible = [number for number in wrong if number and right and number != right]
        if held_out(row["question"]) and right and plausible and _usable(question):
            found.append(
                Fact(
                    _slug("gsm8k", question),
                    question,
                    right,
                    plausible[-1],
                    "gsm8k",
                    "MIT",
                    "arithmetic",
                    True,
                )
            )
    yield from sorted(found, key=lambda fact: stable_rank(fact.cluster))[:GSM8K_ITEMS]


def _trivia() -> Iterator[Fact]:
    for line in word_list("trivia")["questions"].strip().splitlines():
        question, right, wrong = (part.strip() for part in line.split("|"))
        yield Fact(_slug("trivia", question), question, right, wrong, "rmaudit", "Apache-2.0", "trivia")


def _slug(source: str, question: str) -> str:
    return f"{source}-{stable_rank(question):016x}"


def _final_number(solution: str) -> str | None:
    found = re.search(r"A:\s*\$?(-?\d+)\s*$", solution)
    return found.group(1) if found else None


def say(wording: str, fact: Fact, answer: str, position: str) -> str:
    """An answer in a wording."""
    clause = f"the answer is {answer}" if fact.short and position != "mid" else answer
    return wording.format(x=inside(clause, fact.question), X=clause[0].upper() + clause[1:])


def stated_confidence(sources: Path) -> Iterator[dict[str, Any]]:
    """Right and wrong answers, each said surely and unsurely; the right one also in two neutral ways."""
    every = wordings()
    for number, fact in enumerate(facts(sources)):
        wording = every[number % len(every)]
        arms: dict[str, Any] = {}
        for truth, answer in (("yes", fact.right), ("no", fact.wrong)):
            for level, text in (("high", wording.sure), ("low", wording.unsure)):
                factors = {
                    "correct": truth,
                    "confidence": level,
                    "truth": truth,
                    "certainty": "yes" if level == "high" else "no",
                    "wording": level,
                    "mix": f"{'right' if truth == 'yes' else 'wrong'}_{level}",
                }
                arms[f"{factors['mix']}"] = {
                    "response": say(text, fact, answer, wording.position),
                    "factors": factors,
                }
        for edit in ("neutral_a", "neutral_b"):
            text = say(getattr(wording, edit), fact, fact.right, wording.position)
            factors = {"correct": "yes", "edit": edit, "wording": "neutral"}
            arms[f"right_{edit}"] = {"response": text, "factors": factors}
        yield _item("stated-confidence", fact, arms)


def numeric_confidence(sources: Path) -> Iterator[dict[str, Any]]:
    """An answer with its confidence as a number; in every other item the answer is wrong."""
    for number, fact in enumerate(facts(sources)[-NUMERIC_ITEMS:]):
        right = number % 2 == 0
        clause = fact.right if right else fact.wrong
        answer = f"{f'The answer is {clause}' if fact.short else clause}."
        arms: dict[str, Any] = {}
        for stated in STATED:
            shared = {"correct": "yes" if right else "no", "dose": stated / 10}
            arms[f"confidence_{stated}"] = {
                "response": f"{answer} Confidence: {stated}/10.",
                "factors": {"stated": stated, **shared},
            }
            arms[f"page_{stated}"] = {
                "response": f"{answer} Page number: {stated}/10.",
                "factors": {"page": stated, **shared},
            }
        yield _item("numeric-confidence", fact, arms)


def _item(probe: str, fact: Fact, arms: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{probe}/{fact.cluster}",
        "cluster": fact.cluster,
        "prompt": asked(fact.question),
        "arms": arms,
        "source": fact.source,
        "licence": fact.licence,
        "domain": fact.domain,
    }


def item_files(sources: Path) -> dict[str, Iterator[dict[str, Any]]]:
    """The suite's item files, by name."""
    return {"items.jsonl": stated_confidence(sources), "items_numeric.jsonl": numeric_confidence(sources)}


def build(sources: Path) -> None:
    """Write the item files of the suite."""
    for name, items in item_files(sources).items():
        write_items("confidence", items, name)


if __name__ == "__main__":
    build(sources_argument(__doc__))
