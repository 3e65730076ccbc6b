"""From hidden states to rewards: which positions are read, and what a head makes of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from rmaudit.errors import LoadRefusedError
from rmaudit.models.headspec import Activation, Aggregate, HeadSpec, Layer
from rmaudit.models.text import Encoded

if TYPE_CHECKING:
    import torch


class UnreadableError(Exception):
    """A conversation has no position that can be read; says why, as part of a sentence."""


Layers = Sequence[tuple[Any, Any, Activation]]
"""Weight ``(out, in)``, bias ``(out,)`` or ``None``, and what follows, of each linear layer."""

Locate = Callable[[Encoded], tuple[int, ...]]
"""Positions of a conversation, counted over its own tokens, so that padding plays no part."""


@dataclass(frozen=True)
class Row:
    """A conversation in a padded batch."""

    encoded: Encoded
    start: int
    """Index of its first token in the padded row."""


@dataclass(frozen=True)
class Values:
    """What a head says of one conversation."""

    reward: float
    attributes: Mapping[str, float] = field(default_factory=dict)
    steps: tuple[float, ...] = ()


class Named(Protocol):
    """What says which further numbers come with a reward."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def additive(self) -> bool:
        """Whether they add up to the reward."""


class Head(ABC):
    """Turns hidden states into rewards, in float32."""

    attributes: tuple[str, ...] = ()
    additive: bool = False

    def problem(self, encoded: Encoded) -> str | None:
        """Why a conversation cannot be read, or ``None``."""
        del encoded
        return None

    def positions(self, encoded: Encoded) -> tuple[int, ...] | None:
        """Positions of a conversation whose states are all that is read of it, or ``None`` where every one is."""
        del encoded
        return None

    def at(self, hidden: torch.Tensor, batch: Sequence[Encoded]) -> list[Values]:
        """Rewards of a batch from the states at `positions`; asked only where these are told.

        Args:
            hidden: those of each conversation, one after the other, shape ``(sum of counts, width)``.
            batch: the conversations, in the same order.
        """
        raise NotImplementedError

    @abstractmethod
    def __call__(self, states: torch.Tensor, rows: Sequence[Row]) -> list[Values]:
        """Rewards of a batch.

        Args:
            states: last hidden states, shape ``(n, longest, width)``.
            rows: the conversations, in the same order.
        """


class Combination:
    """How the outputs of a head become a reward and named attributes."""

    def __init__(self, spec: HeadSpec) -> None:
        self._spec = spec
        self._weights = np.array([output.weight for output in spec.outputs])
        self._names = [output.name for output in spec.outputs]
        named = tuple(name for name in self._names if name)
        self.additive = bool(named) and spec.normalisation is None
        self.attributes = named or (("raw",) if spec.normalisation is not None else ())

    def values(self, outputs: NDArray[np.float64]) -> Values:
        """One conversation's value from its outputs, shape ``(positions, outputs)``."""
        spec = self._spec
        contributions = self._transformed(outputs) * self._weights
        steps = contributions.sum(axis=1)
        raw = aggregated(steps, spec.steps.aggregate) if spec.steps else float(steps[-1])
        norm = spec.normalisation
        reward = spec.sign * (raw if norm is None else (raw - norm.mean) / (norm.std + norm.epsilon))
        attributes = {
            name: spec.sign * float(value) for name, value in zip(self._names, contributions[-1], strict=True) if name
        }
        if norm is not None and not attributes:
            attributes = {"raw": spec.sign * raw}
        return Values(reward, attributes, tuple(map(float, steps)) if spec.steps else ())

    def _transformed(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._spec.transform == "softmax":
            return np.asarray(softmax(outputs, axis=1))
        return np.asarray(expit(outputs)) if self._spec.transform == "sigmoid" else outputs


class LinearHead(Head):
    """A head that is described as data: linear layers at one or several positions."""

    def __init__(self, spec: HeadSpec, layers: Layers, locate: Locate) -> None:
        """Take a head.

        Args:
            spec: the head as data.
            layers: its tensors.
            locate: the positions.
        """
        self._layers = layers
        self._locate = locate
        self._mean = spec.position == "mean"
        self._combination = Combination(spec)
        self.attributes, self.additive = self._combination.attributes, self._combination.additive

    def problem(self, encoded: Encoded) -> str | None:
        """Why a conversation cannot be read, or ``None``."""
        try:
            return None if self._locate(encoded) else "it has no position that could be read"
        except UnreadableError as error:
            return str(error)

    def positions(self, encoded: Encoded) -> tuple[int, ...] | None:
        """Positions that are read; see `Head`."""
        return None if self._mean else self._locate(encoded)

    def at(self, hidden: torch.Tensor, batch: Sequence[Encoded]) -> list[Values]:
        """Rewards of a batch from the states at the positions; see `Head`."""
        return self._values(hidden, [len(self._locate(encoded)) for encoded in batch])

    def __call__(self, states: torch.Tensor, rows: Sequence[Row]) -> list[Values]:
        """Rewards of a batch; see `Head`."""
        import torch

        if not self._mean:
            found = [self._locate(row.encoded) for row in rows]
            return self._values(picked(states, rows, found), list(map(len, found)))
        means = [states[i, row.start : row.start + len(row.encoded.ids)].float().mean(0) for i, row in enumerate(rows)]
        return self._values(torch.stack(means), [1] * len(rows))

    def _values(self, hidden: torch.Tensor, counts: Sequence[int]) -> list[Values]:
        """Values of conversations from their states, one after the other, so many each."""
        outputs = apply_layers(hidden, self._layers).cpu().double().numpy()
        return [self._combination.values(part) for part in np.split(outputs, np.cumsum(counts)[:-1])]


def picked(states: torch.Tensor, rows: Sequence[Row], positions: Sequence[Sequence[int]]) -> torch.Tensor:
    """Hidden states at each conversation's positions, one after the other, shape ``(sum of counts, width)``."""
    index = [i for i, own in enumerate(positions) for _ in own]
    column = [row.start + position for row, own in zip(rows, positions, strict=True) for position in own]
    return states[index, column].float()


def apply_layers(hidden: torch.Tensor, layers: Layers) -> torch.Tensor:
    """Linear layers with activations, in float32; `hidden` has shape ``(n, in)``."""
    import torch

    functions: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "none": lambda x: x,
        "relu": torch.relu,
        "leaky_relu": torch.nn.functional.leaky_relu,
        "tanh": torch.tanh,
        "selu": torch.selu,
        "gelu": torch.nn.functional.gelu,
        "silu": torch.nn.functional.silu,
    }
    hidden = hidden.float()
    for weight, bias, activation in layers:
        hidden = functions[activation](
            torch.nn.functional.linear(
                hidden, weight.float().to(hidden.device), None if bias is None else bias.float().to(hidden.device)
            )
        )
    return hidden


def aggregated(steps: np.ndarray, how: Aggregate) -> float:
    """One number from the values of an answer's steps, shape ``(n,)``.

    ``softmin`` weighs each step by ``softmax(-value / 0.1)``, as PURE does.
    """
    match how:
        case "last":
            return float(steps[-1])
        case "min":
            return float(steps.min())
        case "mean":
            return float(steps.mean())
        case "prod":
            return float(steps.prod())
        case "softmin":
            scaled = -steps / 0.1
            weights = np.exp(scaled - scaled.max())
            return float((weights * steps).sum() / weights.sum())


def locator(spec: HeadSpec, tokenizer: Any, pad_id: int | None, where: object) -> Locate:
    """The positions that a head reads.

    Args:
        spec: says which.
        tokenizer: knows the id of a token's text.
        pad_id: the padding token of the model's config.
        where: the checkpoint, for messages.

    Raises:
        LoadRefusedError: when the token that the position speaks of is unknown.
    """
    if spec.position == "last":
        return lambda encoded: (len(encoded.ids) - 1,)
    if spec.position == "first":
        return lambda encoded: (0,)
    if spec.position == "mean":
        return lambda encoded: tuple(range(len(encoded.ids)))
    if spec.position == "last-not-padding":
        return lambda encoded: (_last_other(encoded, pad_id),)
    if spec.token == "pad" and (tokenizer.pad_token_id if tokenizer.pad_token_id is not None else pad_id) is None:
        return lambda encoded: (len(encoded.ids) - 1,)
    token = token_id(spec.token, tokenizer, pad_id, where)
    words = spec.token if isinstance(spec.token, str) else f"token {token}"
    if spec.position == "first-token":
        return lambda encoded: (_first(encoded, token, words),)
    if spec.position == "before-token":
        return lambda encoded: (_before(encoded, token),)
    shift = 1 if spec.position == "before-every-token" else 0
    return lambda encoded: _every(encoded, token, shift, words)


def token_id(token: int | str | None, tokenizer: Any, pad_id: int | None, where: object) -> int:
    """Id of a token: itself, ``eos``, ``pad``, or the text of one token.

    Raises:
        LoadRefusedError: when the tokenizer has no such token.
    """
    if isinstance(token, int):
        return token
    found: Any = None
    if token == "eos":
        found = tokenizer.eos_token_id
    elif token == "pad":
        found = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else pad_id
    elif token is not None:
        found = tokenizer.get_vocab().get(token)
        if found is None:
            ids = tokenizer(token, add_special_tokens=False)["input_ids"]
            found = ids[0] if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None
    if found is None:
        raise LoadRefusedError(
            f"The head of {where} is read at the token {token!r}, and its tokenizer has no such token. "
            "Check that the tokenizer is the model's own."
        )
    return int(found)


def _last_other(encoded: Encoded, pad_id: int | None) -> int:
    kept = np.flatnonzero(encoded.ids != pad_id) if pad_id is not None else np.arange(len(encoded.ids))
    return int(kept[-1]) if len(kept) else len(encoded.ids) - 1


def _first(encoded: Encoded, token: int, words: str) -> int:
    found = np.flatnonzero(encoded.ids == token)
    if not len(found):
        raise UnreadableError(f"{words}, at which the model is read, is not in it")
    return int(found[0])


def _before(encoded: Encoded, token: int) -> int:
    found = np.flatnonzero(encoded.ids[encoded.prompt :] == token)
    return max(0, encoded.prompt + int(found[0]) - 1) if len(found) else len(encoded.ids) - 1


def _every(encoded: Encoded, token: int, shift: int, words: str) -> tuple[int, ...]:
    if encoded.marks:
        return encoded.marks
    found = encoded.prompt + np.flatnonzero(encoded.ids[encoded.prompt :] == token) - shift
    if not len(found):
        raise UnreadableError(f"{words}, at which the model is read, is not in its answer")
    return tuple(int(i) for i in found)


def torch_layers(layers: Sequence[Layer], tensors: Mapping[str, torch.Tensor], tokenizer: Any, where: object) -> Layers:
    """The tensors of a head's layers, with the rows that are used."""
    made = []
    for layer in layers:
        weight, bias = tensors[layer.weight], tensors[layer.bias] if layer.bias else None
        if layer.rows is not None:
            rows = [token_id(row, tokenizer, None, where) for row in layer.rows]
            if max(rows) >= len(weight):
                raise LoadRefusedError(
                    f"The head of {where} uses row {max(rows)} of {layer.weight}, which is not there."
                )
            weight, bias = weight[rows], None if bias is None else bias[rows]
        made.append((weight, bias, layer.activation))
    return made
