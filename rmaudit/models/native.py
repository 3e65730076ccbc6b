"""Models whose forward pass is computed here: tokens, padding and the position that is read leave nothing to defaults.

What decides the reward is done so that the company of a conversation cannot change it.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models import passes
from rmaudit.models.backbone import first_line
from rmaudit.models.heap import keep_freed_memory
from rmaudit.models.interface import Arrangement, ModelFacts, RewardModel, Scored, Work
from rmaudit.models.passes import (
    MOST_TOGETHER,
    Pass,
    cheapest,
    neighbours,
    padded_passes,
    token_cost,
)
from rmaudit.models.readout import Head, Row, Values
from rmaudit.models.shared import SharedPass, Ways, find_ways
from rmaudit.models.text import ConversationInput, Encoded
from rmaudit.models.tree import Ids, Tree

if TYPE_CHECKING:
    import torch

Side = Literal["left", "right"]

LibraryReward = Callable[[dict[str, Any]], float]
"""From the inputs of one conversation to its reward by the library's own class."""


class Network(ABC):
    """A network with its head: padded conversations in, numbers out."""

    model: Any
    """The library's model whose device and embeddings count."""
    left: bool
    """Whether padding on the left is possible."""
    segmented: bool = True
    """Whether it reads the segments that the tokenizer may tell."""

    def problem(self, encoded: Encoded) -> str | None:
        """Why a conversation cannot be read, or ``None``."""
        del encoded
        return None

    @abstractmethod
    def __call__(self, inputs: dict[str, torch.Tensor], rows: Sequence[Row]) -> list[Values]:
        """Numbers of each conversation, in order.

        Args:
            inputs: ``input_ids`` and ``attention_mask``, shape ``(n, longest)``, and what the side needs besides.
            rows: the conversations, in the same order.
        """

    def library(self, inputs: dict[str, torch.Tensor], row: Row) -> float | None:
        """The reward by the library's own forward pass of one conversation, where it has one."""
        del inputs, row
        return None

    def ways(self, ids: Ids, dtype: str | None) -> Ways:
        """In which ways besides the padded and masked one it may be run, tried on the tokens of any text."""
        del ids, dtype
        return Ways()

    def read_tree(self, shared: SharedPass, tree: Tree, batch: Sequence[Encoded]) -> list[Values]:
        """Numbers of conversations that are packed as a tree; asked only where `ways` finds that way."""
        raise NotImplementedError


class HiddenStateNetwork(Network):
    """A bare model whose hidden states a head reads."""

    def __init__(self, model: Any, head: Head, library: LibraryReward | None = None) -> None:
        """Put a bare model and a head together.

        Args:
            model: the library's, without a head.
            head: reads its last hidden states.
            library: the reward of one conversation by the library's own class, where it has one for this head.
        """
        self.model = model
        self._library = library
        self._head = head
        parameters = inspect.signature(model.forward).parameters
        composite = model.config.get_text_config() is not model.config
        self.left = "position_ids" in parameters and not composite
        self.segmented = "token_type_ids" in parameters
        self._options = {"use_cache": False} if "use_cache" in parameters else {}

    def problem(self, encoded: Encoded) -> str | None:
        """Why a conversation cannot be read, or ``None``."""
        return self._head.problem(encoded)

    def __call__(self, inputs: dict[str, torch.Tensor], rows: Sequence[Row]) -> list[Values]:
        """Numbers of each conversation, in order; see `Network`."""
        return self._head(self._states(inputs), rows)

    def ways(self, ids: Ids, dtype: str | None) -> Ways:
        """In which ways besides the padded and masked one it may be run; see `Network`."""
        return find_ways(self.model, self._states, ids, dtype)

    def read_tree(self, shared: SharedPass, tree: Tree, batch: Sequence[Encoded]) -> list[Values]:
        """Numbers of conversations that are packed as a tree; see `Network`."""
        told = [self._head.positions(encoded) for encoded in batch]
        wanted = [positions for positions in told if positions is not None]
        if len(wanted) < len(batch):
            return self._head(shared(tree), [Row(encoded, 0) for encoded in batch])
        return self._head.at(shared.at(tree, wanted), batch)

    def _states(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        states: torch.Tensor = self.model(**inputs, **self._options).last_hidden_state
        return states

    def library(self, inputs: dict[str, torch.Tensor], row: Row) -> float | None:
        """The reward by the library's own class, where it has one for this head."""
        del row
        return None if self._library is None else self._library(inputs)


class NativeModel(RewardModel):
    """A loaded network that gives each conversation a reward of its own.

    Conversations that begin alike are computed as one tree where the network gives the same then; see `Ways`.
    """

    work: Work
    """What has been scored so far, in tokens."""

    share: bool = True
    """Whether equal beginnings may be computed once where the network gives the same then."""

    storable = "always"

    def __init__(
        self,
        network: Network,
        conversation_input: ConversationInput,
        facts: ModelFacts,
        pad_id: int,
        batch_size: int | None,
        reloaded: Callable[[str | None], RewardModel] | None = None,
    ) -> None:
        """Put a model together.

        Args:
            network: the network with its head.
            conversation_input: how conversations become tokens.
            facts: what is printed of it.
            pad_id: token that fills padded rows; the mask says that it is none.
            batch_size: conversations scored together, or ``None`` for a usual number.
            reloaded: loads the same model again in a number type.
        """
        if network.model.get_input_embeddings().weight.device.type == "cpu":
            keep_freed_memory()
        self.facts = facts
        self._network = network
        self._input = conversation_input
        self._pad_id = pad_id
        self._batch_size = batch_size
        self._reloaded = reloaded
        self._vocabulary = int(network.model.get_input_embeddings().weight.shape[0])
        self._cache: dict[tuple[tuple[str, str], ...], Encoded | str] = {}
        self._mixes = self._padding_is_harmless()
        self._ways = self._found_ways()
        self._token_cost = token_cost(network.model)
        self.facts = replace(facts, passes=_told(self._ways))
        self.work = Work()

    @property
    def device(self) -> torch.device:
        """Where the inputs go."""
        device: torch.device = self._network.model.get_input_embeddings().weight.device
        return device

    @property
    def batch_size(self) -> int:
        """How many conversations are scored together."""
        return self._batch_size or (32 if self.device.type == "cpu" else 64)

    def reload(self, dtype: str | None = None) -> RewardModel | None:
        """Load the same model once more from its files; see `RewardModel.reload`.

        Raises:
            LoadRefusedError: when the files no longer give the model.
        """
        if self._reloaded is None or not self._has_room(dtype):
            return None
        with contextlib.suppress(MemoryError):
            return self._reloaded(dtype)
        return None

    def _has_room(self, dtype: str | None) -> bool:
        """Whether a second copy fits into the memory that is free."""
        import psutil
        import torch

        item = 4 if dtype == "float32" else self._network.model.dtype.itemsize
        need = 1.2 * item * (self.facts.parameters or 0)
        free = (
            torch.cuda.mem_get_info(self.device)[0] if self.device.type == "cuda" else psutil.virtual_memory().available
        )
        return need < free

    def lengths(self, conversations: Sequence[Conversation]) -> list[int]:
        """Length of each conversation in tokens; one that cannot be written out has length 0.

        The tokens are kept, see `prepare`.
        """
        return [0 if isinstance(entry, str) else len(entry.ids) for entry in self._kept(conversations)]

    def prepare(self, conversations: Sequence[Conversation]) -> None:
        """Tokenize all conversations at once; each one's tokens are kept until it is scored, or others are prepared."""
        self._cache = dict(zip(map(_key, conversations), self._encode(conversations), strict=True))

    def _kept(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of conversations, which are kept from then on, see `prepare`."""
        encoded = self._encode(conversations)
        self._cache |= zip(map(_key, conversations), encoded, strict=True)
        return encoded

    @property
    def reads_by(self) -> str | None:
        """Batch sizes and the ways in which the network may be run, which are tried on each machine."""
        if not self._input.steady:
            return None
        limits = self._batch_size, self.batch_size, passes.TREE_TOKENS, passes.TOKENS_PER_PASS, MOST_TOGETHER
        longest = self._ways.shared and self._ways.shared.longest
        return f"{limits} {self.share} {self._mixes} {self._token_cost} {longest} {self.facts.passes}"

    def fingerprints(self, conversations: Sequence[Conversation]) -> list[bytes]:
        """Digest of the tokens of each conversation, and of all else that is read with them."""
        encoded = self._encode(conversations)
        texts = {i: conversations[i] for i, entry in enumerate(encoded) if isinstance(entry, str)}
        told = dict(zip(texts, super().fingerprints(list(texts.values())), strict=True))
        return [told[i] if isinstance(entry, str) else _digest(entry) for i, entry in enumerate(encoded)]

    def arrange(self, conversations: Sequence[Conversation]) -> Arrangement:
        """Which conversations to score together: those that begin alike, or are of like length, longest first."""
        encoded = self._kept(conversations)
        good = {i: e for i, e in enumerate(encoded) if isinstance(e, Encoded) and self._unscorable(e) is None}
        alike = {i: entry.ids for i, entry in good.items() if self._sharable(entry)}
        groups = list(neighbours(alike, passes.TREE_TOKENS, self._batch_size or MOST_TOGETHER))
        groups.sort(key=lambda group: -max(len(alike[i]) for i in group))
        lengths = [0 if isinstance(entry, str) else len(entry.ids) for entry in encoded]
        rest = sorted((i for i in range(len(encoded)) if i not in alike), key=lambda i: (-lengths[i], i))
        groups += [rest[start : start + self.batch_size] for start in range(0, len(rest), self.batch_size)]
        works = [
            sum((one.work for one in self._passes({i: good[i] for i in group if i in good})), Work())
            for group in groups
        ]
        return Arrangement(tuple(map(tuple, groups)), tuple(works))

    def score(self, conversations: Sequence[Conversation]) -> NDArray[np.float64]:
        """Rewards of conversations, those that begin alike scored together; see `RewardModel.score`."""
        batches = self.arrange(conversations).batches
        order = [i for batch in batches for i in batch]
        found = [scored for batch in batches for scored in self.score_within_memory([conversations[i] for i in batch])]
        rewards = np.empty(len(order), dtype=np.float64)
        for i, scored in sorted(zip(order, found, strict=True), key=lambda entry: entry[0]):
            if scored.reward is None:
                raise ScoringError(f"Conversation {i} has no reward: {scored.reason}.")
            rewards[i] = scored.reward
        return rewards

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """Score conversations together, one result each, in order; see `RewardModel.score_batch`."""
        encoded = self._encode(conversations)
        for conversation in conversations:
            self._cache.pop(_key(conversation), None)
        results = [self._unscorable(entry) for entry in encoded]
        todo = {i: entry for i, entry in enumerate(encoded) if results[i] is None and isinstance(entry, Encoded)}
        for one in self._passes(todo):
            own = [todo[i] for i in one.chosen]
            for i, values in zip(one.chosen, self._run(own, one), strict=True):
                results[i] = _scored(values, len(todo[i].ids))
            self.work += one.work
        return [result for result in results if result is not None]

    def padded_rewards(self, conversations: Sequence[Conversation], side: Side) -> list[float] | None:
        """Rewards of conversations in one padded pass, for the self-test.

        Returns ``None`` where the side is not possible: encoders read their first position, and a model
        that cannot be told positions counts the padding. Conversations must all be scorable.
        """
        if side == "left" and not self._network.left:
            return None
        encoded = [entry for entry in self._encode(conversations) if isinstance(entry, Encoded)]
        return [values.reward for values in self._forward(encoded, side)]

    def library_reward(self, conversation: Conversation) -> float | None:
        """Reward by the library's own forward pass, one conversation without padding, where it has one."""
        import torch

        (entry,) = self._encode([conversation])
        assert isinstance(entry, Encoded), "the self-test asks only for conversations that were scored"
        with torch.inference_mode():
            return self._network.library(self._inputs([entry], "right")[0], Row(entry, 0))

    def _padding_is_harmless(self) -> bool:
        """Whether a text scores the same beside a longer one; some encoders let padding leak into the text."""
        encoded = self._encode([_talk("Hello"), _talk("Hello, nice to meet you")])
        short, long = encoded
        if isinstance(short, str) or isinstance(long, str) or any(map(self._unscorable, encoded)):
            return True
        alone, beside = self._forward([short])[0].reward, self._forward([short, long])[0].reward
        tolerance = 1e-4 if self.facts.dtype == "float32" else 5e-2
        return not abs(alone - beside) > tolerance * max(1.0, abs(alone))

    def _found_ways(self) -> Ways:
        """In which ways the network may be run, tried on a short text."""
        import torch

        (text,) = self._encode([_talk("Hello, nice to meet you")])
        if not self._mixes or isinstance(text, str) or self._unscorable(text):
            return Ways()
        with torch.inference_mode():
            return self._network.ways(text.ids, self.facts.dtype)

    def _sharable(self, entry: Encoded) -> bool:
        """Whether a conversation may be part of a tree."""
        way = self._ways.shared if self.share else None
        if way is None or (self._network.segmented and entry.segments is not None):
            return False
        return way.longest is None or len(entry.ids) <= way.longest

    def _passes(self, todo: Mapping[int, Encoded]) -> list[Pass]:
        """The passes of conversations, by place."""
        alike = {i: entry.ids for i, entry in todo.items() if self._sharable(entry)}
        rest = {i: entry.ids for i, entry in todo.items() if i not in alike}
        trees = cheapest(alike, passes.TREE_TOKENS, self._token_cost) if alike else []
        return [*trees, *padded_passes(rest, self._token_cost, mix=self._mixes)]

    def _run(self, batch: Sequence[Encoded], one: Pass) -> list[Values]:
        if one.tree is None or self._ways.shared is None:
            return self._forward(batch, masked=not self._ways.unmasked)
        with _computing(batch):
            return self._network.read_tree(self._ways.shared, one.tree, batch)

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
        if entry.too_long is not None:
            return Scored(None, tokens=tokens, truncated=True, reason=entry.too_long)
        problem = self._network.problem(entry)
        return Scored(None, tokens=tokens, reason=problem) if problem else None

    def _inputs(self, batch: Sequence[Encoded], side: Side) -> tuple[dict[str, torch.Tensor], list[Row]]:
        """Padded tensors of shape ``(n, longest)``; the mask, not the padding token, says what is real."""
        import torch

        shape = (len(batch), max(len(entry.ids) for entry in batch))
        ids = np.full(shape, self._pad_id, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        segments = np.zeros(shape, dtype=np.int64)
        rows = [Row(entry, 0 if side == "right" else shape[1] - len(entry.ids)) for entry in batch]
        for i, row in enumerate(rows):
            place = slice(row.start, row.start + len(row.encoded.ids))
            ids[i, place] = row.encoded.ids
            mask[i, place] = 1
            if row.encoded.segments is not None:
                segments[i, place] = row.encoded.segments
        arrays = {"input_ids": ids, "attention_mask": mask}
        if batch[0].segments is not None:
            arrays["token_type_ids"] = segments
        if side == "left":
            # Counted over real tokens only; otherwise absolute positions would be those of the padding.
            arrays["position_ids"] = np.maximum(mask.cumsum(axis=1) - 1, 0)
        return {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}, rows

    def _forward(self, batch: Sequence[Encoded], side: Side = "right", masked: bool = True) -> list[Values]:
        with _computing(batch):
            inputs, rows = self._inputs(batch, side)
            if not masked:
                del inputs["attention_mask"]
            return self._network(inputs, rows)


@contextlib.contextmanager
def _computing(batch: Sequence[Encoded]) -> Iterator[None]:
    """Around a pass: no gradients, fast products, and a word on what was being scored when the network failed."""
    import torch

    from rmaudit.models.products import FastProducts

    try:
        with torch.inference_mode(), FastProducts():
            yield
    except RuntimeError as error:
        longest = max(len(entry.ids) for entry in batch)
        raise ScoringError(
            f"The model failed on {len(batch)} conversations of up to {longest:,} tokens: "
            f"{first_line(error)}. If memory ran out, try --batch-size 1 or --dtype bfloat16."
        ) from error


def _told(ways: Ways) -> str:
    if ways.shared is not None:
        return "equal beginnings are computed once, without padding"
    way = "padded on the right, which needs no mask" if ways.unmasked else "padded and masked"
    return way if ways.note is None else f"{way}; equal beginnings are computed each time: {ways.note}"


def _talk(answer: str) -> Conversation:
    return [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answer}]


def _scored(values: Values, tokens: int) -> Scored:
    if not math.isfinite(values.reward):
        return Scored(None, tokens=tokens, reason=f"the model answered {values.reward}")
    return Scored(values.reward, tokens=tokens, attributes=values.attributes, steps=values.steps)


def _digest(entry: Encoded) -> bytes:
    digest = hashlib.sha256(f"tokens {entry.prompt} {entry.marks} {len(entry.ids)} ".encode("ascii"))
    digest.update(entry.ids.astype("<i4").tobytes())
    if entry.segments is not None:
        digest.update(entry.segments.astype("<i4").tobytes())
    return digest.digest()


def _key(conversation: Conversation) -> tuple[tuple[str, str], ...]:
    return tuple((turn["role"], turn["content"]) for turn in conversation)
