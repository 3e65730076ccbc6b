"""A GPT-2 reward model from a real checkpoint, scored rightly or with one of the mistakes that scripts make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoTokenizer, GPT2ForSequenceClassification

from rmaudit.conversation import Conversation
from rmaudit.models.interface import Identity, ModelFacts, RewardModel, Scored

Mistake = Literal[
    "none",
    "dropout left on",
    "head made up on loading",
    "last column read",
    "answers sorted by length",
    "positions of the padding",
    "middle read",
    "coarse numbers",
]


class Careless(RewardModel):
    """Scores with the tokenizer's template, right padding and the last token, but for one mistake."""

    def __init__(self, root: Path, mistake: Mistake = "none", dtype: str = "float32", sign: int = 1) -> None:
        self.facts = ModelFacts(Identity("0", str(root)), "careless", (), None, None, dtype, "cpu", None, 256)
        self._root, self._mistake, self._sign = root, mistake, sign
        self._tokenizer = AutoTokenizer.from_pretrained(root)
        self._model: Any = GPT2ForSequenceClassification.from_pretrained(root)
        head = self._model.score.weight.data
        if mistake == "head made up on loading":
            head.normal_()
        # As large as what a trained head adds to all rewards alike: harmless, unless numbers are coarse.
        self._constant = torch.tensor(1000.0 if mistake == "coarse numbers" else 0.0)
        self._model.to(getattr(torch, dtype))
        self._model.train(mistake == "dropout left on")

    def reload(self, dtype: str | None = None) -> RewardModel:
        return Careless(self._root, self._mistake, dtype or str(self.facts.dtype), self._sign)

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        rewards = self._forward(self._ids(conversations), "right")
        if self._mistake == "answers sorted by length":
            order = sorted(range(len(rewards)), key=lambda i: len(str(conversations[i])))
            rewards = [rewards[i] for i in order]
        return [Scored(reward) if reward == reward else Scored(None, reason="it is NaN") for reward in rewards]

    def padded_rewards(self, conversations: Sequence[Conversation], side: str) -> list[float]:
        return self._forward(self._ids(conversations), side)

    def library_reward(self, conversation: Conversation) -> float:
        (ids,) = self._ids([conversation])
        with torch.inference_mode():
            logits = self._model(torch.tensor([ids])).logits + self._constant.to(self._model.dtype)
        return self._sign * float(logits[0, 0])

    def _ids(self, conversations: Sequence[Conversation]) -> list[list[int]]:
        texts = [self._tokenizer.apply_chat_template(turns, tokenize=False) for turns in conversations]
        return [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]

    def _forward(self, batch: list[list[int]], side: str) -> list[float]:
        longest = max(map(len, batch))
        pads = [[0] * (longest - len(ids)) for ids in batch]
        rows = [ids + pad if side == "right" else pad + ids for ids, pad in zip(batch, pads, strict=True)]
        mask = torch.tensor(
            [
                [1] * len(ids) + pad if side == "right" else pad + [1] * len(ids)
                for ids, pad in zip(batch, pads, strict=True)
            ]
        )
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        if self._mistake == "positions of the padding":
            positions = torch.arange(longest).expand_as(mask)
        with torch.inference_mode():
            states = self._model.transformer(
                torch.tensor(rows), attention_mask=mask, position_ids=positions
            ).last_hidden_state
            last = [len(ids) - 1 if side == "right" else longest - 1 for ids in batch]
            if self._mistake == "last column read":
                last = [longest - 1] * len(batch)
            if self._mistake == "middle read":
                last = [i - len(ids) // 2 for i, ids in zip(last, batch, strict=True)]
            rewards = self._model.score(states[torch.arange(len(batch)), last])[:, 0]
            return [self._sign * float(x) for x in rewards + self._constant.to(rewards.dtype)]
