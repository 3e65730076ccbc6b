"""Heads of several objectives, whose weights in the reward another small network gives: the gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rmaudit.errors import LoadRefusedError
from rmaudit.models.readout import Head, Locate, Row, UnreadableError, Values, picked
from rmaudit.models.text import Encoded

if TYPE_CHECKING:
    import torch

Part = Callable[["torch.Tensor"], "torch.Tensor"]
"""From hidden states, shape ``(n, width)``, to one number for each objective, shape ``(n, objectives)``, in float32."""

HEADERS = {
    "<|eot_id|>": "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "<end_of_turn>": "<end_of_turn>\n<start_of_turn>model\n",
}
"""What opens the assistant's turn, by a token that only its vocabulary has: Llama 3's and Gemma's.

The authors have them as numbers (128009, 128006, 78191, 128007, 271 and 107, 108, 106, 2516, 108), which are what the
tokenizers of those models make of these texts.
"""


class GatedHead(Head):
    """The reward is the sum over the objectives of objective times gate."""

    additive = True

    def __init__(self, names: Sequence[str], objectives: Part, gate: Part, answer: Locate, prompt: Locate) -> None:
        """Take the two networks.

        Args:
            names: of the objectives, in order; the attributes are their shares of the reward.
            objectives: grades the answer.
            gate: weighs the objectives.
            answer: the position that `objectives` reads.
            prompt: the position that `gate` reads.
        """
        self.attributes = tuple(names)
        self._objectives = objectives
        self._gate = gate
        self._answer = answer
        self._prompt = prompt

    def problem(self, encoded: Encoded) -> str | None:
        """Why a conversation cannot be read, or ``None``."""
        try:
            self._prompt(encoded)
        except UnreadableError as error:
            return str(error)
        return None

    def positions(self, encoded: Encoded) -> tuple[int, ...]:
        """The position that grades the answer, and the one that weighs; see `Head`."""
        return (*self._answer(encoded), *self._prompt(encoded))

    def __call__(self, states: torch.Tensor, rows: Sequence[Row]) -> list[Values]:
        """Rewards of a batch; see `Head`."""
        batch = [row.encoded for row in rows]
        return self.at(picked(states, rows, list(map(self.positions, batch))), batch)

    def at(self, hidden: torch.Tensor, batch: Sequence[Encoded]) -> list[Values]:
        """Rewards of a batch from the states at both positions; see `Head`."""
        answers, prompts = hidden.float().reshape(len(batch), 2, -1).unbind(dim=1)
        shares = (self._objectives(answers) * self._gate(prompts)).cpu().double().numpy()
        return [
            Values(float(share.sum()), dict(zip(self.attributes, map(float, share), strict=True))) for share in shares
        ]


def last(encoded: Encoded) -> tuple[int, ...]:
    """The last token."""
    return (len(encoded.ids) - 1,)


def before_padding(pad_id: int | None) -> Locate:
    """The token before the first padding token, counted in a circle: the last one where there is no padding token.

    So it is in the authors' code, and so it stays where a text holds that token itself.
    """

    def locate(encoded: Encoded) -> tuple[int, ...]:
        padding = np.flatnonzero(encoded.ids == pad_id) if pad_id is not None else np.zeros(0, np.int64)
        first = int(padding[0]) if len(padding) else 0
        return ((first - 1) % len(encoded.ids),)

    return locate


def last_header(tokenizer: Any, where: object) -> Locate:
    """The first token of the last header of an assistant's turn.

    Args:
        tokenizer: knows which header its model writes.
        where: the checkpoint, for messages.

    Raises:
        LoadRefusedError: when its vocabulary has none of the headers that are known.
    """
    vocabulary = tokenizer.get_vocab()
    headers = [text for token, text in HEADERS.items() if token in vocabulary]
    if not headers:
        raise LoadRefusedError(
            f"The gate of {where} is read where the assistant's turn opens, and its tokenizer has neither "
            f"{' nor '.join(HEADERS)}, by which that place is known. Check that the tokenizer is the model's own."
        )
    patterns = [np.asarray(ids, np.int32) for ids in tokenizer(headers, add_special_tokens=False)["input_ids"]]
    words = " or ".join(map(repr, headers))

    def locate(encoded: Encoded) -> tuple[int, ...]:
        found = np.concatenate([_occurrences(encoded.ids, pattern) for pattern in patterns])
        if not len(found):
            raise UnreadableError(f"the header of the assistant's turn ({words}), where the gate is read, is not in it")
        return (int(found.max()),)

    return locate


def _occurrences(ids: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """Where a sequence begins in another, all places in order."""
    if len(ids) < len(pattern):
        return np.zeros(0, np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(ids, len(pattern))
    return np.flatnonzero((windows == pattern).all(axis=1))
