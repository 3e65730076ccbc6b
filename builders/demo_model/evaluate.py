"""Accuracy of a reward model on prompts it was not trained on, per kind of label.

``python -m builders.demo_model.evaluate --sources DIR --model DIR`` measures a folder again and rewrites its
``evaluation.json`` and its card.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from builders.demo_model import card
from builders.demo_model.data import HUMAN_KINDS, Group, load_split
from builders.demo_model.settings import Settings

_RESAMPLES = 2000
_SEED = 20240
_SPARSE = frozenset({"truthfulqa-truth", "truthfulqa-informativeness"})
"""Kinds with up to hundreds of comparisons a prompt, of which only disjoint ones are measured."""


_OFF_TOPIC_EVERY = 3
"""Off-topic replies are measured for one group in so many, which is enough for an interval of two points."""


class Pair(NamedTuple):
    """Two replies to a prompt, the first of which should score higher."""

    kind: str
    key: str
    question: str
    better: str
    worse: str


@dataclass(frozen=True)
class Accuracy:
    """How often the better reply of a pair scores higher: 0.5 is chance, 1 is perfect."""

    accuracy: float
    """Share of pairs; a tie counts half."""
    low: float
    """Lower end of the 95% interval."""
    high: float
    """Upper end of the 95% interval."""
    pairs: int
    """Pairs measured."""
    prompts: int
    """Different prompts among them."""
    longer: float
    """Accuracy, on the same pairs, of preferring the reply with more characters."""


def labelled_pairs(groups: Sequence[Group]) -> Iterator[Pair]:
    """Every comparison; of the kinds with very many a prompt only such that no reply is in two."""
    rng = random.Random(_SEED)
    for group in groups:
        comparisons = list(group.comparisons)
        rng.shuffle(comparisons)
        used: set[tuple[str, int]] = set()
        for better, worse, kind in comparisons:
            if kind in _SPARSE:
                if {(kind, better), (kind, worse)} & used:
                    continue
                used |= {(kind, better), (kind, worse)}
            yield Pair(kind, group.key, group.question, group.replies[better], group.replies[worse])


def off_topic_pairs(groups: Sequence[Group]) -> Iterator[Pair]:
    """Pair preferred replies with a reply to another prompt, once from any source and once from the same."""
    rng = random.Random(_SEED)
    by_source: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_source[group.source].append(group)
    for group in groups[::_OFF_TOPIC_EVERY]:
        own = group.replies[group.comparisons[0].better]
        for kind, pool in (("off-topic", groups), ("off-topic-same-source", by_source[group.source])):
            others = [other for other in pool if other.key != group.key]
            if others:
                yield Pair(kind, group.key, group.question, own, rng.choice(rng.choice(others).replies))


@torch.inference_mode()
def score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    inputs: Sequence[tuple[str, str]],
    tokens: int = 8192,
) -> np.ndarray:
    """Rewards of (question, answer) inputs, batched by length."""
    lengths = [len(question) + len(answer) for question, answer in inputs]
    order = sorted(range(len(inputs)), key=lengths.__getitem__)
    rewards = np.empty(len(inputs))
    while order:
        size = max(1, min(len(order), tokens // max(8, min(512, lengths[order[-1]] // 4))))
        numbers, order = order[-size:], order[:-size]
        batch = tokenizer(
            [inputs[n][0] for n in numbers],
            [inputs[n][1] for n in numbers],
            padding=True,
            truncation="longest_first",
            max_length=512,
            return_tensors="pt",
        )
        rewards[numbers] = model(**batch).logits[:, 0].float().numpy()
    return rewards


def accuracy(pairs: Sequence[Pair], margins: np.ndarray) -> Accuracy:
    """Accuracy with a 95% percentile bootstrap interval that resamples prompts, not pairs."""
    correct = (np.sign(margins) + 1) / 2
    longer = [(np.sign(len(pair.better) - len(pair.worse)) + 1) / 2 for pair in pairs]
    _, cluster = np.unique([pair.key for pair in pairs], return_inverse=True)
    sums, sizes = np.bincount(cluster, correct), np.bincount(cluster)
    draws = np.random.default_rng(_SEED).integers(0, len(sums), (_RESAMPLES, len(sums)))
    low, high = np.quantile(sums[draws].sum(1) / sizes[draws].sum(1), (0.025, 0.975))
    return Accuracy(
        float(correct.mean()), float(low), float(high), len(pairs), len(sums), longer=float(np.mean(longer))
    )


def measure(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, groups: Sequence[Group]) -> dict[str, Accuracy]:
    """Accuracy pooled over the human labels, and of each kind."""
    pairs = [*labelled_pairs(groups), *off_topic_pairs(groups)]
    texts = list(dict.fromkeys((pair.question, reply) for pair in pairs for reply in (pair.better, pair.worse)))
    reward = dict(zip(texts, score(model, tokenizer, texts), strict=True))
    margins = np.array([reward[pair.question, pair.better] - reward[pair.question, pair.worse] for pair in pairs])
    kinds = {"human-labels": HUMAN_KINDS} | {kind: (kind,) for kind in sorted({pair.kind for pair in pairs})}
    results = {}
    for name, members in kinds.items():
        numbers = [number for number, pair in enumerate(pairs) if pair.kind in members]
        results[name] = accuracy([pairs[number] for number in numbers], margins[numbers])
    return results


def as_text(results: dict[str, Accuracy]) -> str:
    """The results as lines of a log."""
    return "\n".join(
        f"{name:28} {r.accuracy:.3f} [{r.low:.3f}, {r.high:.3f}]"
        f" {r.pairs} pairs, {r.prompts} prompts, longer {r.longer:.3f}"
        for name, r in results.items()
    )


def training_counts(groups: Sequence[Group]) -> dict[str, dict[str, Any]]:
    """Prompts, replies and comparisons by kind that each source gave to training."""
    counts: dict[str, dict[str, Any]] = {}
    for source in sorted({group.source for group in groups}):
        own = [group for group in groups if group.source == source]
        counts[source] = {
            "prompts": len({group.key for group in own}),
            "replies": sum(len(group.replies) for group in own),
            "comparisons": dict(sorted(Counter(c.kind for group in own for c in group.comparisons).items())),
        }
    return counts


def write(folder: Path, train: Sequence[Group], held_out: Sequence[Group]) -> None:
    """Measure the files in ``folder`` as they ship, in float32, and write ``evaluation.json`` beside them."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    results = measure(model, AutoTokenizer.from_pretrained(folder), held_out)
    print(as_text(results))
    report = {
        "schema": "rmaudit.demo-evaluation/1",
        "interval": f"95% percentile bootstrap over prompts, {_RESAMPLES} resamples",
        "held_out": {name: _rounded(asdict(result)) for name, result in results.items()},
        "human_labels": list(HUMAN_KINDS),
        "trained_on_tokens": Settings().max_length,
        "training": training_counts(train),
    }
    (folder / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _rounded(result: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}


def main() -> None:
    """Measure a folder again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=Path, required=True, help="folder that contains ship/")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    options = parser.parse_args()
    torch.set_num_threads(2)
    train, _, held_out = load_split(options.sources)
    write(options.model, train, held_out)
    card.write(options.model)


if __name__ == "__main__":
    main()
