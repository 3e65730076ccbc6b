"""The pool ``better_and_worse``: answers of several sentences, one that is right or preferred and one that is not."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

from builders.demo_model.data import plain_solution
from builders.probes import common
from builders.probes.answers import misconception_rows
from builders.probes.panel import pandalm_prompt
from rmaudit.generate.format_operators import formattable
from rmaudit.generate.pools import is_plain

Pair = tuple[str, str, str, str, str, str]
"""Prompt, better answer, worse answer, source, licence, domain."""

FEWEST_WORDS, MOST_WORDS = 14, 50
FEWEST_SENTENCES, MOST_SENTENCES = 2, 6
FEWEST_WORDS_A_SENTENCE = 4
MOST_PROMPT_WORDS = 45


def main() -> None:
    """Write ``probes/sources/better_and_worse.jsonl``."""
    common.write_pool("better_and_worse", better_and_worse(common.sources_argument(__doc__)))


def better_and_worse(sources: Path) -> Iterator[dict[str, str]]:
    """Held-out prompts with a better and a worse answer, each one paragraph of plain sentences; one pair a prompt."""
    seen: set[str] = set()
    for pairs in (_mathematics, _misconceptions, _factual, _instructions, _compared):
        for prompt, better, worse, source, licence, domain in pairs(sources):
            short = common.n_words(prompt) <= MOST_PROMPT_WORDS
            if short and common.held_out(prompt) and prompt not in seen:
                seen.add(prompt)
                yield {
                    "prompt": prompt,
                    "better": better,
                    "worse": worse,
                    "cluster": f"{source}-{common.stable_rank(prompt):016x}",
                    "source": source,
                    "licence": licence,
                    "domain": domain,
                }


def is_paragraph(text: str) -> bool:
    """Whether a text is one paragraph of a few statements, none of them a mere phrase, that can be formatted."""
    parts = common.sentences(text)
    return (
        FEWEST_WORDS <= common.n_words(text) <= MOST_WORDS
        and FEWEST_SENTENCES <= len(parts) <= MOST_SENTENCES
        and min(map(common.n_words, parts)) >= FEWEST_WORDS_A_SENTENCE
        and formattable(text)
    )


def _is_fit(text: str) -> bool:
    return is_paragraph(text) and not common.is_misprinted(text)


def _best(better: Iterable[str], worse: Iterable[str]) -> tuple[str, str] | None:
    """The better and the worse answer that are closest in length, of those that are paragraphs without misprints."""
    fit = [[text for text in dict.fromkeys(texts) if _is_fit(text)] for texts in (better, worse)]
    pairs = [(a, b) for a in fit[0] for b in fit[1] if a != b]
    return min(pairs, key=lambda pair: (abs(len(pair[0]) - len(pair[1])), pair)) if pairs else None


def _mathematics(sources: Path) -> Iterator[Pair]:
    """GSM8K: right and wrong solutions of four models, and the reference."""
    models = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    for row in common.rows(sources, "gsm8k/example_model_solutions.jsonl.gz"):
        solved = [(row[model]["is_correct"], row[model]["solution"]) for model in models]
        right = [_as_paragraph(text) for correct, text in solved if correct]
        wrong = [_as_paragraph(text) for correct, text in solved if not correct]
        best = _best([*right, _as_paragraph(row["ground_truth"])], wrong)
        if best:
            yield common.tidy(row["question"]), *best, "gsm8k", "MIT", "mathematics"


def _as_paragraph(solution: str) -> str:
    """A worked solution as sentences on one line, its last one in words."""
    lines = [line for line in common.mended(common.tidy(plain_solution(solution))).split("\n") if line]
    lines = [f"The answer is {line.removeprefix('A: ')}" if line.startswith("A: ") else line for line in lines]
    return " ".join(f"{line[0].upper()}{line[1:]}".rstrip(".,;: ") + "." for line in lines)


def _misconceptions(sources: Path) -> Iterator[Pair]:
    """TruthfulQA: two true answers that share few words, and two false ones."""
    for row, correct, wrong in misconception_rows(sources):
        better, worse = _joined(correct), _joined(wrong)
        if better and worse and is_paragraph(better) and is_paragraph(worse):
            yield row["Question"].strip(), better, worse, "truthfulqa", "Apache-2.0", "misconceptions"


def _joined(statements: list[str]) -> str | None:
    """The best answer and, of the others, the one that says the most else, no yes beside a no."""
    first, *others = statements or [""]
    others = [other for other in others if {_polarity(first), _polarity(other)} != {"Yes", "No"}]
    if not others:
        return None

    def overlap(other: str) -> float:
        words = common.content_words(other)
        return len(words & common.content_words(first)) / max(1, len(words))

    return f"{first} {min(others, key=lambda other: (overlap(other), other))}"


def _polarity(statement: str) -> str | None:
    found = re.match(r"Yes|No(?=\W)", statement)
    return found.group() if found else None


def _factual(sources: Path) -> Iterator[Pair]:
    """QA-Feedback: the reference, and a model answer that lost comparisons only."""
    for row in common.rows(sources, "qa-feedback/dev_feedback.jsonl.gz"):
        wins: Counter[int] = Counter()
        losses: Counter[int] = Counter()
        for (a, b), verdict in zip(combinations((1, 2, 3, 4), 2), row["preference"], strict=True):
            if verdict:
                wins[a if verdict == 1 else b] += 1
                losses[b if verdict == 1 else a] += 1
        answers = {n: common.tidy(row[f"prediction {n}"]) for n in (1, 2, 3, 4)}
        better = filter(is_plain, [common.tidy(row["gold"])])
        best = _best(better, (answers[n] for n in losses if not wins[n] and is_plain(answers[n])))
        if best:
            yield row["question"], *best, "qa-feedback", "Apache-2.0", "factual questions"


def _instructions(sources: Path) -> Iterator[Pair]:
    """LLMBar: the output that follows the instruction and the one that does not."""
    for row in common.rows(sources, "llmbar/pairs.jsonl.gz"):
        better, worse = (common.tidy(row[f"output_{side}"]) for side in (row["label"], 3 - row["label"]))
        if row["_subset"].startswith("LLMBar/") and is_plain(better) and is_plain(worse):
            best = _best([better], [worse])
            if best:
                yield row["input"].strip(), *best, "llmbar", "MIT", "instructions"


def _compared(sources: Path) -> Iterator[Pair]:
    """PandaLM: responses of which at least two of three annotators preferred one, and none the other."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in common.rows(sources, "pandalm/testset-v1.jsonl.gz"):
        votes = [row[f"annotator{n}"] for n in (1, 2, 3)]
        texts = {side: common.tidy(str(row[f"response{side}"])) for side in (1, 2)}
        for side in (1, 2):
            if votes.count(side) >= 2 and 3 - side not in votes and all(map(is_plain, texts.values())):
                found[pandalm_prompt(row)].append((texts[side], texts[3 - side]))
    for prompt, pairs in found.items():
        fit = [best for better, worse in pairs if (best := _best([better], [worse]))]
        if fit:
            best = min(fit, key=lambda pair: (abs(len(pair[0]) - len(pair[1])), pair))
            yield prompt, *best, "pandalm", "Apache-2.0", "instructions"


if __name__ == "__main__":
    main()
