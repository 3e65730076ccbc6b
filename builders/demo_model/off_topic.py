"""Replies that belong to another prompt: the one mistake a reward model must never reward.

Random ones teach relevance; those taken from a *similar* prompt keep it from being learnt by topic words
alone.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer

from builders.demo_model.data import Group

_NEAREST = slice(4, 30)
"""Ranks of similar prompts to draw from; the very nearest may ask the same thing in other words."""


def similar_groups(base: Path, groups: Sequence[Group]) -> list[list[int]]:
    """Find for each group the numbers of those with a similar but different prompt, by embedding."""
    vectors = _embed(base, [group.question for group in groups])
    keys = [group.key for group in groups]
    width = min(len(groups), _NEAREST.stop * 3)
    nearest: list[list[int]] = []
    for start in range(0, len(groups), 512):
        order = (vectors[start : start + 512] @ vectors.T).topk(width).indices.tolist()
        for number, row in enumerate(order, start):
            nearest.append([other for other in row if keys[other] != keys[number]][_NEAREST])
    return nearest


def _embed(base: Path, texts: Sequence[str]) -> torch.Tensor:
    """Unit-length mean-pooled embeddings; of a long text its end, where the last question is."""
    tokenizer = AutoTokenizer.from_pretrained(base, truncation_side="left")
    model = AutoModel.from_pretrained(base, dtype=torch.float32).eval()
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    vectors = torch.empty(len(texts), model.config.hidden_size)
    with torch.no_grad():
        for start in range(0, len(order), 64):
            numbers = order[start : start + 64]
            batch = tokenizer(
                [texts[n] for n in numbers],
                padding="longest",
                truncation=True,
                max_length=64,
                return_tensors="pt",
            )
            hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            vectors[numbers] = normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    return vectors


class OffTopicSampler:
    """Draws replies to other prompts of the same groups."""

    def __init__(self, groups: Sequence[Group], similar: Sequence[Sequence[int]], rng: random.Random) -> None:
        """Draw from ``groups``; ``similar`` gives for each the numbers of groups with a similar prompt."""
        self._groups, self._similar, self._rng = groups, similar, rng
        self._by_source: dict[str, list[int]] = defaultdict(list)
        for number, group in enumerate(groups):
            self._by_source[group.source].append(number)

    def draw(self, number: int) -> str:
        """Draw one for this group: half the time from a similar prompt, else from any, often of its source."""
        group = self._groups[number]
        if self._similar[number] and self._rng.random() < 0.5:
            pool: Sequence[int] = self._similar[number]
        else:
            pool = self._by_source[group.source] if self._rng.random() < 0.5 else range(len(self._groups))
        while True:
            other = self._groups[self._rng.choice(pool)]
            reply = self._rng.choice(other.replies)
            if other.key != group.key and reply not in group.replies:
                return reply
