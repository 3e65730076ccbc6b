"""The length suite: good answers, and wrong ones, padded with sentences that say nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log2
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.items import asked
from rmaudit.generate.pools import Answer, answers, is_plain, pool
from rmaudit.generate.recipe import Recipe

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


def build(draw: Draw) -> list[dict[str, Any]]:
    """Items of the padding ladder, from the shipped answers."""
    return ladder_items(draw, answers())


def ladder_items(draw: Draw, good: Sequence[Answer]) -> list[dict[str, Any]]:
    """Items of the padding ladder, at most so many a source."""
    by_source: dict[str, dict[str, Answer]] = {}
    for answer in good:
        if _fits(answer):
            by_source.setdefault(answer.source, {}).setdefault(answer.cluster, answer)
    items: list[dict[str, Any]] = []
    for source, fit in by_source.items():
        most = ANSWERS_A_SOURCE.get(source, len(fit))
        made: list[dict[str, Any]] = []
        for answer in sorted(fit.values(), key=lambda answer: draw.rank(answer.cluster)):
            # Filler stands between the sentences of every other item, where there are any, and else at the end.
            turn = sum(item["arms"]["base"]["factors"]["position"] == "between" for item in made) * 2 <= len(made)
            item = _ladder_item(draw, answer, "between" if turn and _has_gaps(answer.response) else "end")
            made += [item] if item else []
        items += made[:most]
    return items


def _fits(answer: Answer) -> bool:
    prompt, response = texts.n_words(answer.prompt), texts.n_words(answer.response)
    short = prompt <= LONGEST_PROMPT and prompt + 3 * response <= LONGEST
    return short and response >= SHORTEST and (answer.source == "gsm8k" or is_plain(answer.response))


def _has_gaps(text: str) -> bool:
    return len(_parts(text)) >= 2 and "\n\n" not in text


def _ladder_item(draw: Draw, answer: Answer, position: str) -> dict[str, Any] | None:
    base = texts.n_words(answer.response)
    fillers = choose_fillers(draw, answer.prompt, answer.response, answer.cluster)
    steps: dict[str, tuple[str, list[str]]] = {}
    used: list[str] = []
    for step, ratio in STEPS.items():
        used = fill(fillers, used, round(base * (ratio - 1)))
        steps[step] = (insert(answer.response, used, position), list(used))
    half, filler = steps["pad_2"]
    moved = insert(answer.response, filler[1:] + filler[:1], position)
    if moved == half or abs(texts.n_words(steps["pad_3"][0]) - 3 * base) > 4:
        return None

    def arm(text: str, **factors: str | float) -> dict[str, Any]:
        return {"response": text, "factors": factors | {"position": position}}

    arms = {"base": arm(answer.response, length="base", log2_length=0.0)}
    for step, (text, _) in steps.items():
        dose = round(log2(texts.n_words(text) / base), 4)
        edit: dict[str, str] = {"edit": "none"} if step == "pad_2" else {}
        arms[step] = arm(text, length=step, log2_length=dose, **edit)
    arms["reordered"] = arm(moved, edit="reordered")
    return _item(answer.cluster, answer.prompt, arms, answer.source, answer.licence, answer.domain)


def choose_fillers(draw: Draw, prompt: str, response: str, key: str) -> list[str]:
    """Filler sentences fit for an item, in an order of its own: none brings in a word of the prompt.

    A word of the prompt that the response does not use, even a function word, would raise an overlap with it.
    """
    said = set(texts.tokens(response))
    foreign = set(texts.tokens(prompt)) - said

    def rank(filler: str) -> tuple[int, int]:
        # Words of four letters and more are content to a crude count: filler without new ones goes first.
        return sum(len(word) > 3 for word in set(texts.tokens(filler)) - said), draw.rank(filler, key)

    fit = [text for text in texts.word_list("fillers")["neutral"] if not foreign.intersection(texts.tokens(text))]
    return sorted(fit, key=rank)


def fill(fillers: Sequence[str], used: Iterable[str], words: int) -> list[str]:
    """The filler used so far, and more of it until about that many words (within two) are reached."""
    chosen = list(used)
    left = words - sum(map(texts.n_words, chosen))
    for filler in fillers:
        if filler not in chosen and texts.n_words(filler) <= left + 2:
            chosen.append(filler)
            left -= texts.n_words(filler)
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
    return text.split("\n") if "\n" in text else texts.sentences(text)


def build_wrong(draw: Draw) -> list[dict[str, Any]]:
    """Items that ask whether padding makes up for being wrong: right, wrong, and wrong but padded."""
    made: dict[str, list[dict[str, Any]]] = {}
    for row in pool("right_and_wrong"):
        prompt, wrong, source = row["prompt"], row["wrong"], row["source"]
        if texts.n_words(prompt) > LONGEST_PROMPT:
            continue
        cluster = row["cluster"]
        fillers = choose_fillers(draw, prompt, wrong, cluster)
        words = max(texts.n_words(wrong), 16)
        padded = insert(wrong, fill(fillers, [], round(words * (WRONG_PADDING - 1))), "end")
        if texts.n_words(padded) < texts.n_words(wrong) + words * (WRONG_PADDING - 1) - 4:
            continue
        arms = {
            "right": {"response": row["right"], "factors": {"answer": "right"}},
            "wrong": {"response": wrong, "factors": {"answer": "wrong"}},
            "padded_wrong": {"response": padded, "factors": {"answer": "padded wrong"}},
        }
        item = _item(cluster, prompt, arms, source, row["licence"], row["domain"])
        made.setdefault(source, []).append(item)
    return [
        item
        for items in made.values()
        for item in sorted(items, key=lambda item: draw.rank(item["cluster"]))[:WRONG_A_SOURCE]
    ]


def _item(
    cluster: str, prompt: str, arms: dict[str, dict[str, Any]], source: str, licence: str, domain: str
) -> dict[str, Any]:
    return {
        "id": cluster,
        "cluster": cluster,
        "prompt": asked(prompt),
        "arms": arms,
        "source": source,
        "licence": licence,
        "domain": domain,
    }


FILES = {
    "items.jsonl": Recipe(build, of_answers=ladder_items),
    "items_wrong_answers.jsonl": Recipe(build_wrong),
}
