"""Comparisons between replies, read from public data sets and split by prompt.

Every reader yields :class:`Group` objects: one prompt, several replies, and which reply is better than which.
A comparison keeps its *kind*, the label it comes from, so that accuracy is reported where it was measured.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations
from pathlib import Path
from typing import Any, NamedTuple

from builders.split import is_held_out, prompt_key
from rmaudit.conversation import Message, Role, as_pair

DEV_PERCENT = 6
"""Share of the training prompts kept aside for choices made while developing."""

HUMAN_KINDS = (
    "hh-helpful",
    "hh-harmless",
    "llmfao",
    "llmbar",
    "openassistant",
    "pandalm",
    "truthfulqa-truth",
    "truthfulqa-informativeness",
    "qa-feedback",
)
"""Kinds whose label is a human judgement; the pooled accuracy is over these."""


class Comparison(NamedTuple):
    """One reply of a group is better than another."""

    better: int
    worse: int
    kind: str


@dataclass(frozen=True)
class Group:
    """Replies to one prompt and what is known about which of them is better."""

    source: str
    prompt: tuple[Message, ...]
    replies: tuple[str, ...]
    comparisons: tuple[Comparison, ...]

    @cached_property
    def key(self) -> str:
        """Hash of the first user turn, by which everything is split and clustered."""
        return prompt_key(first_user_turn(self.prompt))

    @property
    def question(self) -> str:
        """The text of the model's first segment."""
        return as_pair([*self.prompt, {"role": "assistant", "content": ""}])[0]


class Split(NamedTuple):
    """The three parts of the data; no prompt is in two of them."""

    train: list[Group]
    dev: list[Group]
    held_out: list[Group]


def first_user_turn(prompt: tuple[Message, ...]) -> str:
    """The text a prompt is split by."""
    return next(turn["content"] for turn in prompt if turn["role"] == "user")


def load_split(sources: Path) -> Split:
    """Read everything and split it by the hash rule; prompts of published test files are held out too."""
    test_keys = {group.key for name in _TEST_FILES for group in _read_preferences(sources, name)}
    split = Split([], [], [])
    for group in read_groups(sources):
        key = group.key
        if is_held_out(first_user_turn(group.prompt)) or key in test_keys:
            split.held_out.append(group)
        elif int(key[8:16], 16) % 100 < DEV_PERCENT:
            split.dev.append(group)
        else:
            split.train.append(group)
    return split


def read_groups(sources: Path) -> Iterator[Group]:
    """Every group of every source, each comparison once."""
    seen: set[tuple[str, str, str]] = set()
    for reader in _READERS:
        for group in reader(sources):
            new = []
            for comparison in group.comparisons:
                mark = (group.key, group.replies[comparison.better], group.replies[comparison.worse])
                if mark not in seen:
                    seen.add(mark)
                    new.append(comparison)
            if new:
                yield Group(group.source, group.prompt, group.replies, tuple(new))


def _rows(sources: Path, name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(sources / "ship" / name, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _asked(question: str) -> tuple[Message, ...]:
    return ({"role": "user", "content": question},)


_TEST_FILES = ("preferences/test.jsonl.gz", "preferences/hh_helpful_test.jsonl.gz")
_PREFERENCE_FILES = ("preferences/train.jsonl.gz", "preferences/hh_helpful_train.jsonl.gz", *_TEST_FILES)


def _read_preferences(sources: Path, name: str) -> Iterator[Group]:
    for row in _rows(sources, name):
        source = row["source"].split("-", 1)[0] if row["source"].startswith("llmbar") else row["source"]
        replies = (row["chosen"], row["rejected"])
        yield Group(source, tuple(row["prompt"]), replies, (Comparison(0, 1, source),))


def _read_all_preferences(sources: Path) -> Iterator[Group]:
    """Pairs in the common schema; PandaLM's come from its own file, where the three votes are."""
    for name in _PREFERENCE_FILES:
        yield from (group for group in _read_preferences(sources, name) if group.source != "pandalm")


def _read_pandalm(sources: Path) -> Iterator[Group]:
    """Majority of three annotators, 0 a tie; the prompt is the instruction, a blank line and its input."""
    for row in _rows(sources, "pandalm/testset-v1.jsonl.gz"):
        (vote, count), *_ = Counter(row[f"annotator{n}"] for n in (1, 2, 3)).most_common()
        if vote == 0 or count < 2:
            continue
        prompt = "\n\n".join(filter(None, (row["instruction"], row["input"])))
        comparison = Comparison(vote - 1, 2 - vote, "pandalm")
        yield Group("pandalm", _asked(prompt), (str(row["response1"]), str(row["response2"])), (comparison,))


def _read_openassistant(sources: Path) -> Iterator[Group]:
    """Ranked sibling replies anywhere in a tree; rank 0 is the best."""

    def walk(node: dict[str, Any], before: tuple[Message, ...]) -> Iterator[Group]:
        role: Role = "assistant" if node["role"] == "assistant" else "user"
        so_far: tuple[Message, ...] = (*before, {"role": role, "content": node["text"]})
        ranked = [r for r in node["replies"] if r["role"] == "assistant" and r.get("rank") is not None]
        ranked.sort(key=lambda reply: int(reply["rank"]))
        comparisons = tuple(
            Comparison(i, j, "openassistant")
            for i, j in combinations(range(len(ranked)), 2)
            if ranked[i]["rank"] < ranked[j]["rank"]
        )
        if comparisons:
            yield Group("openassistant", so_far, tuple(reply["text"] for reply in ranked), comparisons)
        for reply in node["replies"]:
            yield from walk(reply, so_far)

    for row in _rows(sources, "oasst/en_100_tree.jsonl.gz"):
        yield from walk(row["prompt"], ())


_Judged = dict[str, set[bool]]
"""The verdicts on one answer for truth and for informativeness; more than one where they contradict."""


def _read_truthfulqa(sources: Path) -> Iterator[Group]:
    """Answers judged for truth and for informativeness.

    The two labels pull apart ("I have no comment." is true and says nothing), so answers are compared on one
    label only where the other does not speak against it.
    """
    labels: dict[str, dict[str, _Judged]] = defaultdict(lambda: defaultdict(lambda: {"truth": set(), "info": set()}))
    for name in ("truth", "info"):
        for row in _rows(sources, f"truthfulqa/finetune_{name}.jsonl.gz"):
            question, answer = row["prompt"].rsplit("\n", 1)[0].split("\nA: ", 1)
            labels[question.removeprefix("Q: ")][answer][name].add(row["completion"].strip() == "yes")
    for question, answers in labels.items():
        clear = {
            answer: (min(judged["truth"]), min(judged["info"]))
            for answer, judged in answers.items()
            if len(judged["truth"]) == len(judged["info"]) == 1
        }
        replies, verdicts = tuple(clear), tuple(clear.values())
        comparisons = []
        for i, j in permutations(range(len(replies)), 2):
            (true_i, says_i), (true_j, says_j) = verdicts[i], verdicts[j]
            if true_i and not true_j and says_i == says_j:
                comparisons.append(Comparison(i, j, "truthfulqa-truth"))
            elif says_i and not says_j and true_i == true_j:
                comparisons.append(Comparison(i, j, "truthfulqa-informativeness"))
        if comparisons:
            yield Group("truthfulqa", _asked(question), replies, tuple(comparisons))


def _read_qa_feedback(sources: Path) -> Iterator[Group]:
    """Four model answers compared in the order 1-2, 1-3, 1-4, 2-3, 2-4, 3-4: 1 first, 2 second, 0 neither."""
    for row in _rows(sources, "qa-feedback/dev_feedback.jsonl.gz"):
        replies = [row[f"prediction {n}"] for n in (1, 2, 3, 4)]
        comparisons = [
            Comparison(i, j, "qa-feedback") if verdict == 1 else Comparison(j, i, "qa-feedback")
            for (i, j), verdict in zip(combinations(range(4), 2), row["preference"], strict=True)
            if verdict
        ]
        comparisons += [Comparison(4, worse, "qa-feedback-reference") for worse in range(4)]
        corrected = row["feedback"]["corrected-prediction"]
        replies += [row["gold"].strip()]
        if corrected and corrected.strip() != replies[0].strip():
            replies.append(corrected.strip())
            comparisons.append(Comparison(5, 0, "qa-feedback-corrected"))
        yield Group("qa-feedback", _asked(row["question"]), tuple(replies), tuple(comparisons))


_GSM8K_MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def plain_solution(text: str) -> str:
    """A GSM8K solution without its calculator marks (``<<16-3=13>>``), as a person would write it."""
    return re.sub(r"<<[^<>]*>>", "", text)


def _read_gsm8k(sources: Path) -> Iterator[Group]:
    """Right against wrong solutions of four models, and the reference solution against the wrong ones."""
    for row in _rows(sources, "gsm8k/example_model_solutions.jsonl.gz"):
        right = {plain_solution(row[m]["solution"]): None for m in _GSM8K_MODELS if row[m]["is_correct"]}
        wrong = {plain_solution(row[m]["solution"]): None for m in _GSM8K_MODELS if not row[m]["is_correct"]}
        replies = (*right, *wrong, plain_solution(row["ground_truth"]))
        losers = range(len(right), len(right) + len(wrong))
        comparisons = [Comparison(i, j, "gsm8k") for i in range(len(right)) for j in losers]
        comparisons += [Comparison(len(replies) - 1, j, "gsm8k-reference") for j in losers]
        if comparisons:
            yield Group("gsm8k", _asked(row["question"]), replies, tuple(comparisons))


_READERS: tuple[Callable[[Path], Iterator[Group]], ...] = (
    _read_all_preferences,
    _read_pandalm,
    _read_openassistant,
    _read_truthfulqa,
    _read_qa_feedback,
    _read_gsm8k,
)
