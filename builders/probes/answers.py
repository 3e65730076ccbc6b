"""The pools ``answers`` and ``right_and_wrong``: real answers to held-out prompts from the sources that have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from builders.demo_model.data import plain_solution
from builders.probes import common
from builders.probes.panel import pandalm_prompt, truthfulqa_labels, truthfulqa_rows
from builders.split import prompt_key
from rmaudit.generate.pools import Answer


def main() -> None:
    """Write ``probes/sources/answers.jsonl`` and ``right_and_wrong.jsonl``."""
    sources = common.sources_argument(__doc__)
    common.write_pool("answers", (asdict(answer) for answer in good_answers(sources)))
    common.write_pool("right_and_wrong", right_and_wrong(sources))


def answer_to(prompt: str, response: str, source: str, licence: str, domain: str) -> Answer:
    """An answer, its cluster named after source and prompt."""
    return Answer(prompt, response, f"{source}-{prompt_key(prompt)[:10]}", source, licence, domain)


def good_answers(sources: Path) -> Iterator[Answer]:
    """Every good answer of every source but misprints and known mistakes, several a prompt; held-out prompts only."""
    for reader in (_factual, _mathematics, _instructions, _compared, _chat, _misconceptions):
        for answer in reader(sources):
            sound = not common.is_misprinted(answer.prompt, answer.response)
            sound = sound and bool(answer.response) and not answer.response.startswith(MISJUDGED)
            if sound and common.held_out(answer.prompt) and not is_unfit(answer.prompt):
                yield answer


def _factual(sources: Path) -> Iterator[Answer]:
    """QA-Feedback: the reference answer, and the model answer that lost no comparison and won one."""
    for row in common.rows(sources, "qa-feedback/dev_feedback.jsonl.gz"):
        wins: dict[int, int] = defaultdict(int)
        lost = set()
        for (a, b), verdict in zip(combinations((1, 2, 3, 4), 2), row["preference"], strict=True):
            if verdict:
                winner, loser = (a, b) if verdict == 1 else (b, a)
                wins[winner] += 1
                lost.add(loser)
        best = sorted((n for n in wins if n not in lost), key=lambda n: -wins[n])[:1]
        for text in (row["gold"], *(row[f"prediction {n}"] for n in best)):
            yield answer_to(row["question"], common.tidy(text), "qa-feedback", "Apache-2.0", "factual questions")


def worked_solution(answer: str) -> str:
    """A GSM8K reference solution without calculator marks, its last line in words."""
    steps, number = plain_solution(answer).rsplit("####", 1)
    lines = [
        line if line.endswith((".", "!", "?")) else f"{line}." for line in common.mended(common.tidy(steps)).split("\n")
    ]
    return "\n".join([*lines, f"The answer is {number.strip()}."])


def _mathematics(sources: Path) -> Iterator[Answer]:
    """GSM8K: the reference solution."""
    for name in ("gsm8k/test.jsonl.gz", "gsm8k/train_first3000.jsonl.gz"):
        for row in common.rows(sources, name):
            question = common.tidy(row["question"])
            yield answer_to(question, worked_solution(row["answer"]), "gsm8k", "MIT", "mathematics")


def _instructions(sources: Path) -> Iterator[Answer]:
    """LLMBar: the output that follows the instruction."""
    for row in common.rows(sources, "llmbar/pairs.jsonl.gz"):
        if row["_subset"].startswith("LLMBar/"):
            text = common.tidy(row[f"output_{row['label']}"])
            yield answer_to(row["input"].strip(), text, "llmbar", "MIT", "instructions")


def _compared(sources: Path) -> Iterator[Answer]:
    """PandaLM: responses that all three annotators preferred in every comparison with a majority."""
    won: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for row in common.rows(sources, "pandalm/testset-v1.jsonl.gz"):
        votes = [row[f"annotator{n}"] for n in (1, 2, 3)]
        for side in (1, 2):
            against = sum(vote not in (0, side) for vote in votes)
            won[pandalm_prompt(row)][common.tidy(str(row[f"response{side}"]))].append(
                votes.count(side) == 3 or (against == 0 and votes.count(side) > 0)
            )
    for prompt, responses in won.items():
        for text, outcomes in responses.items():
            if all(outcomes) and len(outcomes) >= 2:
                yield answer_to(prompt, text, "pandalm", "Apache-2.0", "instructions")


def _chat(sources: Path) -> Iterator[Answer]:
    """OpenAssistant: the reply that volunteers ranked first, to the opening turn of a tree."""
    for row in common.rows(sources, "oasst/en_100_tree.jsonl.gz"):
        for reply in row["prompt"]["replies"]:
            if reply["role"] == "assistant" and reply.get("rank") == 0:
                text, prompt = common.tidy(reply["text"]), common.tidy(row["prompt"]["text"])
                yield answer_to(prompt, text, "openassistant", "Apache-2.0", "open conversation")


def misconception_rows(sources: Path) -> Iterator[tuple[dict[str, Any], list[str], list[str]]]:
    """TruthfulQA rows with their correct and incorrect answers as sentences, the best of each first.

    Answers that decline to answer are left out.
    """
    for row in truthfulqa_rows(sources):
        if is_unfit(row["Question"]):
            continue
        correct = [row["Best Answer"], *row["Correct Answers"].split(";")]
        wrong = [row["Best Incorrect Answer"], *row["Incorrect Answers"].split(";")]
        yield row, _as_sentences(correct), _as_sentences(wrong)


def _as_sentences(texts: list[str]) -> list[str]:
    stripped = dict.fromkeys(common.mended(common.tidy(text)).rstrip(".") for text in texts)
    return [f"{text}." for text in stripped if text not in ("", "I have no comment") and not common.is_misprinted(text)]


UNFIT = ("two first cousins", '"wop"', "'AD' mean")
"""What stands in questions whose answers the source has wrong or garbled, or that hold a slur."""


def is_unfit(question: str) -> bool:
    """Whether a question is kept out of the pools."""
    return any(part in question for part in UNFIT)


MISJUDGED = (
    "Bernie Sanders was born in Brooklyn",
    "Boston is a small town",
    "The iron maiden was used in the Middle Ages",
    "Organ donation is dangerous because",
    "The hare is faster in real life. The tortoise is faster in the race.",
    "The Chicago White Sox have owned a team",
    "The closer you sit to the television",
)
"""How model answers begin that people judged good and that are wrong."""


def _misconceptions(sources: Path) -> Iterator[Answer]:
    """TruthfulQA: reference answers that are true, and model answers judged true and informative."""
    for row, correct, _ in misconception_rows(sources):
        for text in correct:
            yield answer_to(row["Question"].strip(), text, "truthfulqa", "Apache-2.0", "misconceptions")
    for question, judged in truthfulqa_labels(sources).items():
        for text, labels in sorted(judged.items()):
            if labels == (True, True):
                yield answer_to(question, text, "truthfulqa", "Apache-2.0", "misconceptions")


def right_and_wrong(sources: Path) -> Iterator[dict[str, str]]:
    """Held-out prompts with a right and a wrong answer."""
    for triples in (_wrong_mathematics(sources), _wrong_misconceptions(sources)):
        for prompt, right, wrong, source, licence, domain in triples:
            if common.held_out(prompt):
                yield {
                    "prompt": prompt,
                    "right": right,
                    "wrong": wrong,
                    "cluster": f"{source}-{common.stable_rank(prompt):016x}",
                    "source": source,
                    "licence": licence,
                    "domain": domain,
                }


Triple = tuple[str, str, str, str, str, str]
"""Prompt, right answer, wrong answer, source, licence, domain."""


def _wrong_mathematics(sources: Path) -> Iterable[Triple]:
    """A right and a wrong solution, the closest in length that the models and the reference have to offer."""
    models = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    for row in common.rows(sources, "gsm8k/example_model_solutions.jsonl.gz"):
        solutions = [(row[model]["is_correct"], row[model]["solution"]) for model in models]
        right = [_in_words(text) for correct, text in solutions if correct]
        wrong = [_in_words(text) for correct, text in solutions if not correct]
        pairs = [(a, b) for a in right for b in wrong if max(map(common.n_words, (a, b))) <= 70]
        if pairs:
            best = min(pairs, key=lambda pair: (abs(len(pair[0]) - len(pair[1])), pair))
            yield common.tidy(row["question"]), *best, "gsm8k", "MIT", "mathematics"


def _in_words(solution: str) -> str:
    return common.mended(common.tidy(plain_solution(solution))).replace("\nA: ", "\nThe answer is ") + "."


def _wrong_misconceptions(sources: Path) -> Iterable[Triple]:
    """The best true answer and the best false one."""
    for row, correct, wrong in misconception_rows(sources):
        if correct and wrong and min(common.n_words(correct[0]), common.n_words(wrong[0])) >= 4:
            yield row["Question"].strip(), correct[0], wrong[0], "truthfulqa", "Apache-2.0", "misconceptions"


if __name__ == "__main__":
    main()
