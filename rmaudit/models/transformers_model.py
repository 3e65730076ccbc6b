"""Sequence classifiers of the transformers library as reward models.

What decides the reward is done here and not left to defaults: where a batch is padded and which position is
read, so that the company of a conversation cannot change its reward.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models.conversation_input import ConversationInput, Encoded
from rmaudit.models.interface import ModelFacts, RewardModel, Scored

if TYPE_CHECKING:
    import torch

Side = Literal["left", "right"]

TOKENS_PER_PASS = 16_384
"""Most tokens, padding included, of one forward pass; a larger batch is split."""


class TransformersModel(RewardModel):
    """A loaded sequence classifier with one output."""

    def __init__(
        self,
        model: Any,
        conversation_input: ConversationInput,
        facts: ModelFacts,
        pad_id: int,
        batch_size: int | None,
    ) -> None:
        self.facts = facts
        self._model = model
        self._input = conversation_input
        self._pad_id = pad_id
        self._batch_size = batch_size
        self._decoder = hasattr(model, "score")
        self._vocabulary = int(model.get_input_embeddings().weight.shape[0])
        self._skipped_id: int | None = model.config.get_text_config().pad_token_id
        self._positions = "position_ids" in inspect.signature(model.base_model.forward).parameters
        self._cache: dict[tuple[tuple[str, str], ...], Encoded | str] = {}
        self._mixes = self._padding_is_harmless()

    @property
    def batch_size(self) -> int:
        """How many conversations are scored together."""
        return self._batch_size or (32 if self._model.device.type == "cpu" else 64)

    def lengths(self, conversations: Sequence[Conversation]) -> list[int]:
        """Length of each conversation in tokens; one that cannot be written out has length 0.

        The tokens are kept until the conversation is scored, so that planning does not tokenize twice.
        """
        encoded = self._encode(conversations)
        self._cache.update(zip(map(_key, conversations), encoded, strict=True))
        return [0 if isinstance(entry, str) else len(entry.ids) for entry in encoded]

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """Score conversations together, one result each, in order; see `RewardModel.score_batch`."""
        encoded = self._encode(conversations)
        for conversation in conversations:
            self._cache.pop(_key(conversation), None)
        results = [self._unscorable(entry) for entry in encoded]
        todo = {i: entry for i, entry in enumerate(encoded) if results[i] is None and isinstance(entry, Encoded)}
        for chosen in _passes({i: len(entry.ids) for i, entry in todo.items()}, mix=self._mixes):
            for i, reward in zip(chosen, self._forward([todo[i] for i in chosen]), strict=True):
                results[i] = _scored(reward, len(todo[i].ids))
        return [result for result in results if result is not None]

    def padded_rewards(self, conversations: Sequence[Conversation], side: Side) -> list[float] | None:
        """Rewards of conversations in one padded pass, for the self-test.

        Returns ``None`` where the side is not possible: encoders read their first position, and a model
        that cannot be told positions counts the padding. Conversations must all be scorable.
        """
        if side == "left" and not (self._decoder and self._positions):
            return None
        return self._forward([entry for entry in self._encode(conversations) if isinstance(entry, Encoded)], side)

    def library_reward(self, conversation: Conversation) -> float:
        """Reward by the library's own forward pass, one conversation without padding, for the self-test."""
        import torch

        (entry,) = self._encode([conversation])
        assert isinstance(entry, Encoded), "the self-test asks only for conversations that were scored"
        with torch.inference_mode():
            return float(self._model(**self._inputs([entry], "right")).logits[0, 0])

    def _padding_is_harmless(self) -> bool:
        """Whether a text scores the same beside a longer one; some encoders let padding leak into the text."""
        encoded = self._encode([_talk("Hello"), _talk("Hello, nice to meet you")])
        short, long = encoded
        if isinstance(short, str) or isinstance(long, str) or any(map(self._unscorable, encoded)):
            return True
        alone, beside = self._forward([short])[0], self._forward([short, long])[0]
        tolerance = 1e-4 if self.facts.dtype == "float32" else 5e-2
        return not abs(alone - beside) > tolerance * max(1.0, abs(alone))

    def _encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        keys = [_key(conversation) for conversation in conversations]
        new = {key: c for key, c in zip(keys, conversations, strict=True) if key not in self._cache}
        fresh = dict(zip(new, self._input.encode(list(new.values())), strict=True)) if new else {}
        return [self._cache[key] if key in self._cache else fresh[key] for key in keys]

    def _unscorable(self, entry: Encoded | str) -> Scored | None:
        if isinstance(entry, str):
            return Scored(None, reason=entry)
        tokens, limit = len(entry.ids), self.facts.max_length
        if tokens == 0:
            return Scored(None, tokens=0, reason="it has no tokens")
        if entry.ids.max() >= self._vocabulary:
            reason = f"token {entry.ids.max()} is not among the {self._vocabulary:,} that the model knows"
            return Scored(None, tokens=tokens, reason=reason)
        if limit is not None and tokens > limit:
            reason = f"{tokens:,} tokens, and the model reads at most {limit:,}"
            return Scored(None, tokens=tokens, truncated=True, reason=reason)
        return None

    def _inputs(self, batch: Sequence[Encoded], side: Side) -> dict[str, torch.Tensor]:
        """Padded tensors of shape ``(n, longest)``; the mask, not the padding token, says what is real."""
        import torch

        shape = (len(batch), max(len(entry.ids) for entry in batch))
        ids = np.full(shape, self._pad_id, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        segments = np.zeros(shape, dtype=np.int64)
        for row, entry in enumerate(batch):
            size = len(entry.ids)
            place = slice(0, size) if side == "right" else slice(shape[1] - size, shape[1])
            ids[row, place] = entry.ids
            mask[row, place] = 1
            if entry.segments is not None:
                segments[row, place] = entry.segments
        arrays = {"input_ids": ids, "attention_mask": mask}
        if batch[0].segments is not None:
            arrays["token_type_ids"] = segments
        if side == "left":
            # Counted over real tokens only; otherwise absolute positions would be those of the padding.
            arrays["position_ids"] = np.maximum(mask.cumsum(axis=1) - 1, 0)
        return {name: torch.from_numpy(array).to(self._model.device) for name, array in arrays.items()}

    def _forward(self, batch: Sequence[Encoded], side: Side = "right") -> list[float]:
        import torch

        inputs = self._inputs(batch, side)
        try:
            with torch.inference_mode():
                if not self._decoder:
                    logits = self._model(**inputs).logits.float()
                else:
                    options = {"use_cache": False} if "use_cache" in self._base_parameters else {}
                    states = self._model.base_model(**inputs, **options).last_hidden_state
                    rows = torch.arange(len(batch), device=states.device)
                    pooled = states[rows, self._read_positions(inputs).to(states.device)]
                    logits = torch.nn.functional.linear(pooled.float(), self._model.score.weight.float())
        except RuntimeError as error:
            longest = max(len(entry.ids) for entry in batch)
            raise ScoringError(
                f"The model failed on {len(batch)} conversations of up to {longest:,} tokens: "
                f"{first_line(error)}. If memory ran out, try --batch-size 1 or --dtype bfloat16."
            ) from error
        return [float(value) for value in logits[:, 0].double().cpu().numpy()]

    @property
    def _base_parameters(self) -> frozenset[str]:
        return frozenset(inspect.signature(self._model.base_model.forward).parameters)

    def _read_positions(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Index of the position that each row is read at, shape ``(n,)``.

        It is the last real token other than the config's padding token, as in training with the library:
        where a template ends in a token that is also the padding token, the one before it was trained.
        """
        import torch

        mask = inputs["attention_mask"].bool()
        index = torch.arange(mask.shape[1], device=mask.device)
        if self._skipped_id is not None:
            kept = mask & (inputs["input_ids"] != self._skipped_id)
            mask = torch.where(kept.any(dim=1, keepdim=True), kept, mask)
        return (index * mask).argmax(dim=1)


def _talk(answer: str) -> Conversation:
    return [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answer}]


def _passes(lengths: dict[int, int], mix: bool) -> Iterator[list[int]]:
    """Split conversations, by index and length, into forward passes of similar, or else of equal, lengths."""
    chosen: list[int] = []
    for i in sorted(lengths, key=lambda i: lengths[i]):
        full = (len(chosen) + 1) * lengths[i] > TOKENS_PER_PASS
        if chosen and (full or not (mix or lengths[i] == lengths[chosen[0]])):
            yield chosen
            chosen = []
        chosen.append(i)
    if chosen:
        yield chosen


def _scored(reward: float, tokens: int) -> Scored:
    if not math.isfinite(reward):
        return Scored(None, tokens=tokens, reason=f"the model answered {reward}")
    return Scored(reward, tokens=tokens)


def _key(conversation: Conversation) -> tuple[tuple[str, str], ...]:
    return tuple((turn["role"], turn["content"]) for turn in conversation)


def first_line(error: BaseException) -> str:
    """An error as one line: its type and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {(lines[0] if lines else '').rstrip('.')[:300]}"
