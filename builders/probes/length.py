"""Build the length suite: good answers, and wrong ones, padded with sentences that say nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log2
from pathlib import Path
from typing import Any

from builders.demo_model.data import plain_solution
from builders.probes import common
from builders.probes.answers import Answer, good_answers, is_plain, misconception_rows

STEPS = {"pad_1_5": 1.5, "pad_2": 2.0, "pad_3": 3.0}
"""Steps of the ladder and how many times as long as the base they are."""
SHORTEST = 18
"""Words of a base answer."""
LONGEST = 220
"""Words of a prompt with its answer padded to three times its length."""
LONGEST_PROMPT = 60
ANSWERS_A_SOURCE = {
    "gsm8k": 180,
    "qa-feedback": 160,
    "truthfulqa": 120,
    "llmbar": 100,
    "pandalm": 60,
    "openassistant": 40,
}
WRONG_A_SOURCE = 100
WRONG_PADDING = 2.0


def main() -> None:
    """Write the item files of ``probes/length``."""
    sources = common.sources_argument(__doc__)
    common.write_items("length", build(sources))
    common.write_items("length", build_wrong(sources), "items_wrong_answers.jsonl")


def build(sources: Path) -> list[dict[str, Any]]:
    """Items of the padding ladder."""
    by_source: dict[str, dict[str, Answer]] = {}
    for answer in good_answers(sources):
        if _fits(answer):
            by_source.setdefault(answer.source, {}).setdefault(answer.cluster, answer)
    items: list[dict[str, Any]] = []
    for source, most in ANSWERS_A_SOURCE.items():
        made: list[dict[str, Any]] = []
        for answer in sorted(by_source[source].values(), key=lambda answer: common.stable_rank(answer.cluster)):
            # Filler stands between the sentences of every other item, where there are any, and else at the end.
            turn = sum(item["arms"]["base"]["factors"]["position"] == "between" for item in made) * 2 <= len(made)
            item = _ladder_item(answer, "between" if turn and _has_gaps(answer.response) else "end")
            made += [item] if item else []
        items += made[:most]
    return items


def _fits(answer: Answer) -> bool:
    prompt, response = common.n_words(answer.prompt), common.n_words(answer.response)
    short = prompt <= LONGEST_PROMPT and prompt + 3 * response <= LONGEST
    return short and response >= SHORTEST and (answer.source == "gsm8k" or is_plain(answer.response))


def _has_gaps(text: str) -> bool:
    return len(_parts(text)) >= 2 and "\n\n" not in text


def _ladder_item(answer: Answer, position: str) -> dict[str, Any] | None:
    base = common.n_words(answer.response)
    fillers = choose_fillers(answer.prompt, answer.response, answer.cluster)
    texts: dict[str, tuple[str, list[str]]] = {}
    used: list[str] = []
    for step, ratio in STEPS.items():
        used = fill(fillers, used, round(base * (ratio - 1)))
        texts[step] = (insert(answer.response, used, position), list(used))
    half, filler = texts["pad_2"]
    moved = insert(answer.response, filler[1:] + filler[:1], position)
    if moved == half or abs(common.n_words(texts["pad_3"][0]) - 3 * base) > 4:
        return None

    def arm(text: str, **factors: str | float) -> dict[str, Any]:
        return {"response": text, "factors": factors | {"position": position}}

    arms = {"base": arm(answer.response, length="base", log2_length=0.0)}
    for step, (text, _) in texts.items():
        dose = round(log2(common.n_words(text) / base), 4)
        edit: dict[str, str] = {"edit": "none"} if step == "pad_2" else {}
        arms[step] = arm(text, length=step, log2_length=dose, **edit)
    arms["reordered"] = arm(moved, edit="reordered")
    return _item(answer.cluster, answer.prompt, arms, answer.source, answer.licence, answer.domain)


def choose_fillers(prompt: str, response: str, key: str) -> list[str]:
    """Filler sentences fit for an item, in an order of its own: none brings in a word of the prompt.

    A word of the prompt that the response does not use, even a function word, would raise an overlap with it.
    """
    said = set(common.tokens(response))
    foreign = set(common.tokens(prompt)) - said

    def rank(filler: str) -> tuple[int, int]:
        # Words of four letters and more are content to a crude count: filler without new ones goes first.
        return sum(len(word) > 3 for word in set(common.tokens(filler)) - said), common.stable_rank(filler, key)

    fit = [text for text in common.word_list("fillers")["neutral"] if not foreign.intersection(common.tokens(text))]
    return sorted(fit, key=rank)


def fill(fillers: Sequence[str], used: Iterable[str], words: int) -> list[str]:
    """The filler used so far, and more of it until about that many words (within two) are reached."""
    chosen = list(used)
    left = words - sum(map(common.n_words, chosen))
    for filler in fillers:
        if filler not in chosen and common.n_words(filler) <= left + 2:
            chosen.append(filler)
            left -= common.n_words(filler)
    return chosen


def insert(response: str, fillers: Sequence[str], position: str) -> str:
    """Response with filler sentences at its end, or spread evenly over the gaps between its sentences."""
    parts = _parts(response)
    gaps = [len(parts) - 1] if position == "end" else range(len(parts) - 1)
    after: dict[int, list[str]] = {gap: [] for gap in gaps}
    for number, filler in enumerate(fillers):
        after[gaps[number * len(gaps) // len(fillers)]].append(filler)
    separator = "\n" if "\n" in response else " "
    return separator.join(" ".join([part, *after.get(n, [])]) for n, part in enumerate(parts))


def _parts(text: str) -> list[str]:
    return text.split("\n") if "\n" in text else common.sentences(text)


def build_wrong(sources: Path) -> list[dict[str, Any]]:
    """Items that ask whether padding makes up for being wrong: right, wrong, and wrong but padded."""
    items = []
    for triples in (_wrong_mathematics(sources), _wrong_misconceptions(sources)):
        made = []
        for prompt, right, wrong, source, licence, domain in triples:
            if common.held_out(prompt) and common.n_words(prompt) <= LONGEST_PROMPT:
                cluster = f"{source}-{common.stable_rank(prompt):016x}"
                fillers = choose_fillers(prompt, wrong, cluster)
                words = max(common.n_words(wrong), 16)
                padded = insert(wrong, fill(fillers, [], round(words * (WRONG_PADDING - 1))), "end")
                if common.n_words(padded) < common.n_words(wrong) + words * (WRONG_PADDING - 1) - 4:
                    continue
                arms = {
                    "right": {"response": right, "factors": {"answer": "right"}},
                    "wrong": {"response": wrong, "factors": {"answer": "wrong"}},
                    "padded_wrong": {"response": padded, "factors": {"answer": "padded wrong"}},
                }
                made.append(_item(cluster, prompt, arms, source, licence, domain))
        items += sorted(made, key=lambda item: common.stable_rank(item["cluster"]))[:WRONG_A_SOURCE]
    return items


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
            yield row["question"], *best, "gsm8k", "MIT", "mathematics"


def _in_words(solution: str) -> str:
    return common.tidy(plain_solution(solution)).replace("\nA: ", "\nThe answer is ") + "."


def _wrong_misconceptions(sources: Path) -> Iterable[Triple]:
    """The best true answer and the best false one."""
    for row, correct, wrong in misconception_rows(sources):
        if correct and wrong and min(common.n_words(correct[0]), common.n_words(wrong[0])) >= 4:
            yield row["Question"].strip(), correct[0], wrong[0], "truthfulqa", "Apache-2.0", "misconceptions"


def _item(
    cluster: str, prompt: str, arms: dict[str, dict[str, Any]], source: str, licence: str, domain: str
) -> dict[str, Any]:
    return {
        "id": cluster,
        "cluster": cluster,
        "prompt": common.asked(prompt),
        "arms": arms,
        "source": source,
        "licence": licence,
        "domain": domain,
    }


if __name__ == "__main__":
    main()
