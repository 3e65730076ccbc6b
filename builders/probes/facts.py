"""The pool ``facts``: short questions with true and false answers, each a clause that can follow "It is clear that"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from builders.probes.answers import misconception_rows, worked_solution
from builders.probes.common import held_out, markers, n_words, rows, sources_argument, stable_rank, tidy, write_pool
from builders.probes.unsound_facts import UNSOUND_ANSWER, UNSOUND_QUESTIONS, mended

MOST_WORDS = 40
"""Longest question or answer taken, in words."""


def main() -> None:
    """Write ``probes/sources/facts.jsonl``."""
    write_pool("facts", facts(sources_argument(__doc__)))


def facts(sources: Path) -> Iterator[dict[str, Any]]:
    """Held-out questions, one row each."""
    seen: set[str] = set()
    for row in (*_misconceptions(sources), *_model_arithmetic(sources), *_arithmetic(sources)):
        if row["cluster"] not in seen and not row["prompt"].startswith(UNSOUND_QUESTIONS):
            seen.add(row["cluster"])
            yield row


OWN_DOUBT = re.compile(
    r"\b(thought|believed?|unclear|unknown|claim(ed|s)?|not known|debat(ed|able)|no one knows|(do not|don't) know if"
    r"|suggests|estimate[sd]?|by some measures|not necessarily|enough information|consensus|contention"
    r"|hard to answer)\b",
    re.I,
)
"""Words by which an answer is already unsure of itself."""
NO_CLAUSE = re.compile(
    r"(nothing because|no comment|misconception|subjective|depends|question is|make sense|\. |[?!]$)", re.I
)
"""What cannot stand after "It is clear that", or speaks of the question instead of answering it."""
LONGEST_CLAUSE = 22


def _usable(*texts: str) -> bool:
    """Whether texts are short, and neither sure nor unsure of themselves."""
    return not any(n_words(text) > MOST_WORDS or markers(text) or OWN_DOUBT.search(text) for text in texts)


def _clauses(answers: Iterable[str]) -> list[str]:
    """Answers as clauses: without a yes or no before them and without a full stop."""
    found = []
    for answer in answers:
        text = re.sub(r"^(yes|no), ", "", mended(tidy(answer).rstrip(".")), flags=re.I)
        text = text[0].upper() + text[1:]
        sound = _usable(text) and not NO_CLAUSE.search(text) and not UNSOUND_ANSWER.fullmatch(text)
        if sound and 3 <= n_words(text) <= LONGEST_CLAUSE and text.count('"') % 2 == 0:
            found.append(text)
    return list(dict.fromkeys(found))


def _misconceptions(sources: Path) -> Iterator[dict[str, Any]]:
    for row, correct, wrong in misconception_rows(sources):
        question = mended(tidy(row["Question"]))
        true, false = _clauses(correct), _clauses(wrong)
        if held_out(row["Question"]) and _usable(question) and true and false and not set(true) & set(false):
            yield _row("truthfulqa", question, true[:4], false[:4], "Apache-2.0", "misconceptions")


def _model_arithmetic(sources: Path) -> Iterator[dict[str, Any]]:
    """GSM8K test questions; the wrong numbers are those of models."""
    for row in rows(sources, "gsm8k/example_model_solutions.jsonl.gz"):
        right = _final_number(row["ground_truth"])
        solutions = [value for key, value in row.items() if key not in ("question", "ground_truth")]
        given = [_final_number(entry["solution"]) for entry in solutions if not entry["is_correct"]]
        wrong = [number for number in dict.fromkeys(given) if number and number.isdigit() and number != right]
        yield from _number_row(row["question"], right, wrong)


def _arithmetic(sources: Path) -> Iterator[dict[str, Any]]:
    """GSM8K training questions; the wrong numbers are results of earlier steps of the same solution."""
    for row in rows(sources, "gsm8k/train_first3000.jsonl.gz"):
        *steps, last = worked_solution(row["answer"]).split("\n")
        found = re.fullmatch(r"The answer is (\d+)\.", last)
        right = found.group(1) if found else None
        results = [number for step in steps for number in re.findall(r"= ?\$?(\d+)(?![\d.,/%])", step)]
        yield from _number_row(row["question"], right, [n for n in dict.fromkeys(results) if n != right])


def _number_row(question: str, right: str | None, wrong: list[str]) -> Iterator[dict[str, Any]]:
    text = mended(tidy(question))
    if held_out(question) and right and wrong and _usable(text):
        yield _row("gsm8k", text, [right], wrong[:4], "MIT", "arithmetic")


def _final_number(solution: str) -> str | None:
    found = re.search(r"A:\s*\$?(-?\d+)\s*$", solution)
    return found.group(1) if found else None


def _row(source: str, question: str, right: list[str], wrong: list[str], licence: str, domain: str) -> dict[str, Any]:
    return {
        "prompt": question,
        "right": right,
        "wrong": wrong,
        "cluster": f"{source}-{stable_rank(question):016x}",
        "source": source,
        "licence": licence,
        "domain": domain,
    }


if __name__ == "__main__":
    main()
