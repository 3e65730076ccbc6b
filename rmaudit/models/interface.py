"""What every reward model offers to the rest of the package, whatever it was loaded from."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from rmaudit.conversation import Conversation, Message
from rmaudit.errors import ScoringError
from rmaudit.models.training_files import Told

if TYPE_CHECKING:
    from rmaudit.models.memory import Room


@dataclass(frozen=True)
class Identity:
    """Which model this is, by content and never by name."""

    sha256: str
    """Digest over the digests of every file that takes part in the score."""
    source: str
    """The SOURCE as the user gave it."""
    revision: str | None = None
    """Resolved commit of a hub checkpoint."""
    files: dict[str, str] = field(default_factory=dict)
    """File name to sha256."""


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a loaded model and how its scalar is computed; printed in every report."""

    identity: Identity
    format: str
    """Format name, such as ``seqcls``."""
    evidence: tuple[str, ...]
    """Why we think so: files, tensors with shapes, config fields."""
    head: str | None
    """The tensor that turns the last hidden state into a scalar, with its shape."""
    pooling: str | None
    """Which position is read."""
    dtype: str | None
    device: str | None
    template: str | None
    """Where the text around the turns comes from."""
    max_length: int | None
    """Most tokens of one conversation that can be scored; longer ones are refused, not cut."""
    architecture: str | None = None
    parameters: int | None = None
    card: dict[str, list[str]] = field(default_factory=dict)
    """What the checkpoint's model card declares: ``base_model``, ``datasets``, ``license``."""
    training: dict[str, Told] = field(default_factory=dict)
    """What a trainer's plain files beside the weights tell."""
    sign: int = 1
    """-1 where the model's own number is a cost, so that the reward is its negative."""
    normalisation: str | None = None
    """How the number was shifted and scaled, and by whom; ``None`` is not at all."""
    attention: str | None = None
    """Attention kernel, such as ``sdpa``."""
    quantization: str | None = None
    """``8bit`` or ``4bit`` where the weights were rounded to fit."""
    attributes: tuple[str, ...] = ()
    """Names of the further numbers that come with each reward; see `Scored.attributes`."""
    additive: bool = False
    """Whether the attributes add up to the reward, so that an effect can be split among them."""
    risks: tuple[str, ...] = ()
    """What a reader should know before trusting the numbers."""
    passes: str | None = None
    """How conversations go through the network together, such as whether equal beginnings are computed once."""


@dataclass(frozen=True)
class Work:
    """What conversations cost, in tokens."""

    tokens: int = 0
    """Of all conversations, each counted whole."""
    unique: int = 0
    """Different ones: those at the same place behind the same beginning are one."""
    computed: int = 0
    """Places that go through the network, padding included."""
    padding: int = 0
    """Places among them that belong to no conversation."""

    def __add__(self, other: Work) -> Work:
        """The work of both."""
        return Work(
            self.tokens + other.tokens,
            self.unique + other.unique,
            self.computed + other.computed,
            self.padding + other.padding,
        )


@dataclass(frozen=True)
class Arrangement:
    """Which conversations are scored together, decided before the first is."""

    batches: tuple[tuple[int, ...], ...]
    """Places of the conversations, batch by batch, in the order in which they are to be scored."""
    works: tuple[Work, ...] | None = None
    """What each batch costs, where that is known; `Work.unique` counts within each pass through the network."""

    @property
    def work(self) -> Work | None:
        """What all of that costs, where it is known beforehand."""
        return None if self.works is None else sum(self.works, Work())


@dataclass(frozen=True)
class Scored:
    """One conversation's result. Either a finite reward, or ``None`` and the reason."""

    reward: float | None
    """Higher is better; no unit and no zero of its own."""
    tokens: int | None = None
    truncated: bool = False
    """The conversation is longer than the model can read, so it was not scored."""
    reason: str | None = None
    """Why there is no reward."""
    attributes: Mapping[str, float] = field(default_factory=dict)
    """Further numbers of the same conversation: the objectives of a multi-objective model (what each adds to
    the reward), the raw value beside a normalised one, the reward per token. Same names for every conversation."""
    steps: tuple[float, ...] = ()
    """Value of each step, where the model is a process reward model."""
    stored: Literal["same-batch", "other-batch"] | None = None
    """Whether it is from the score store, and was first computed in the batch in which it is asked for now, so that it
    is what would be computed again, or in another one, so that it equals that up to rounding."""


class SelfCheck(BaseModel):
    """One thing that the model was asked to show before it was audited."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    passed: bool | None
    """``None``: not applicable, or told without a verdict; see detail."""
    detail: str
    stops: bool = False
    """Whether it failed in a way that puts the loading in doubt, so that a scan that did not accept it ends."""
    worst_difference: float | None = None
    """Largest difference of reward seen, in units of the model's within-prompt SD where known, else raw."""
    accepted: bool = False
    """Whether the user let the scan go on although this check failed."""


class ModelBlock(BaseModel):
    """Which model, how it was recognised, how its scalar is computed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    source: str
    identity: str
    """sha256 over all files that take part in the score."""
    revision: str | None
    format: str
    evidence: list[str]
    architecture: str | None
    parameters: int | None
    head: str | None
    pooling: str | None
    sign: int = 1
    """-1 where the model's own number is a cost."""
    normalisation: str | None = None
    dtype: str | None
    attention: str | None = None
    quantization: str | None = None
    template: str | None
    max_length: int | None
    attributes: list[str] = []
    """Further numbers that came with each reward, such as the objectives of a multi-objective model."""
    additive: bool = False
    """Whether the attributes add up to the reward."""
    risks: list[str] = []
    self_test: list[SelfCheck]


class RewardModel(ABC):
    """Scores conversations. Implementations never print, and answer in the order of the question."""

    facts: ModelFacts
    pairwise: bool = False
    """Whether it compares two responses and has no reward of its own for one; see `PairwiseModel`."""
    storable: Literal["always", "asked", "never"] = "asked"
    """Whether its rewards may be kept in a score store: ``always`` where its identity covers everything that makes
    them, otherwise only where the user ``asked`` for it by naming a store; ``never`` where that saves nothing."""

    @property
    def identity(self) -> Identity:
        """Which model this is, by content."""
        return self.facts.identity

    @abstractmethod
    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """Score conversations together, one result each, in order.

        A conversation that cannot be scored gives a `Scored` without reward; an error that concerns the
        model as a whole raises `ScoringError`. The company a conversation is scored in does not change
        its reward beyond float tolerance.
        """

    @cached_property
    def room(self) -> Room:
        """What has been learned of how much fits into memory."""
        from rmaudit.models.memory import Room

        return Room()

    def score_within_memory(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """As `score_batch`, in as many parts as the memory asks for; see `rmaudit.models.memory`."""
        from rmaudit.models.memory import within

        return within(self.room, conversations, self.score_batch)

    @property
    def reads_by(self) -> str | None:
        """What decides how it reads and arranges conversations, beside all that a score store stands for.

        ``None`` where that is not known, or where the same text may be written out otherwise tomorrow.
        """
        return None

    def fingerprints(self, conversations: Sequence[Conversation]) -> list[bytes]:
        """What the model reads of each conversation, as a digest: equal ones have equal rewards.

        That is the exact tokens where there is a tokenizer, and the messages otherwise.
        """
        turns = [[[turn["role"], turn["content"]] for turn in conversation] for conversation in conversations]
        return [hashlib.sha256(json.dumps(entry).encode("ascii")).digest() for entry in turns]

    def reload(self, dtype: str | None = None) -> RewardModel | None:
        """Load the same model once more from its files, for the self-test.

        Args:
            dtype: working dtype of the second copy; ``None`` is the same.

        Returns:
            The second copy, or ``None`` where there is nothing to load again or no room for it.
        """
        del dtype
        return None

    def prefer(self, prompt: str | Sequence[Message], a: str, b: str) -> float:
        """How much the model prefers response `a` to response `b`.

        Args:
            prompt: the question as text, or the turns before the response.
            a: a response.
            b: another response to the same prompt.

        Returns:
            Reward of `a` minus reward of `b`: above 0 where `a` is preferred. Pairwise models answer in their
            own unit, see their class.

        Raises:
            ScoringError: when one of the two cannot be scored.
        """
        return float(self.prefer_batch([(prompt, a, b)])[0])

    def prefer_batch(self, pairs: Sequence[tuple[str | Sequence[Message], str, str]]) -> NDArray[np.float64]:
        """How much the model prefers the first of two responses, for many pairs at once; see `prefer`.

        Args:
            pairs: prompt and two responses each.

        Returns:
            Preferences, shape ``(n,)``, float64.

        Raises:
            ScoringError: when a response cannot be scored; the message says which and why.
        """
        asked: list[tuple[Conversation, Conversation]] = []
        for prompt, a, b in pairs:
            before: list[Message] = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
            asked.append(
                ([*before, {"role": "assistant", "content": a}], [*before, {"role": "assistant", "content": b}])
            )
        preferences: list[float] = []
        for place, scored in enumerate(self.compare_batch(asked)):
            if scored.reward is None:
                raise ScoringError(f"Pair {place} could not be compared: {scored.reason}.")
            preferences.append(scored.reward)
        return np.asarray(preferences, dtype=np.float64)

    def compare_batch(self, pairs: Sequence[tuple[Conversation, Conversation]]) -> list[Scored]:
        """How much the model prefers the first of two conversations, one result each, in order; see `prefer`.

        A pair that cannot be compared gives a `Scored` without reward.
        """
        size = self.batch_size
        every = [conversation for pair in pairs for conversation in pair]
        parts = [every[start : start + size] for start in range(0, len(every), size)]
        scored = [one for part in parts for one in self.score_within_memory(part)]
        return [_difference(first, second) for first, second in zip(scored[::2], scored[1::2], strict=True)]

    def prepare(self, conversations: Sequence[Conversation]) -> None:  # noqa: B027 - a hook, to be left alone by most
        """Hear of all conversations of a run before the first is scored; the default does nothing.

        Raises:
            ScoringError: when it is clear already that some cannot be scored.
        """

    def lengths(self, conversations: Sequence[Conversation]) -> list[int]:
        """Length of each conversation in tokens (characters where there is no tokenizer), for planning."""
        return [sum(len(turn["content"]) for turn in conversation) for conversation in conversations]

    def arrange(self, conversations: Sequence[Conversation]) -> Arrangement:
        """Which conversations to score together, and in which order.

        Longest first: if memory runs out it does so at once, and the estimate of the time left errs high.
        """
        lengths, size = self.lengths(conversations), self.batch_size
        ordered = sorted(range(len(conversations)), key=lambda i: (-lengths[i], i))
        return Arrangement(tuple(tuple(ordered[start : start + size]) for start in range(0, len(ordered), size)))

    @property
    def batch_size(self) -> int:
        """How many conversations are scored together."""
        return 32

    def score(self, conversations: Sequence[Conversation]) -> NDArray[np.float64]:
        """Rewards of conversations, shape ``(n,)``, float64.

        Raises:
            ScoringError: when any conversation has no reward; the message says which and why.
        """
        rewards: list[float] = []
        for start in range(0, len(conversations), self.batch_size):
            part = conversations[start : start + self.batch_size]
            for offset, scored in enumerate(self.score_within_memory(part)):
                if scored.reward is None:
                    raise ScoringError(f"Conversation {start + offset} has no reward: {scored.reason}.")
                rewards.append(scored.reward)
        return np.asarray(rewards, dtype=np.float64)


def _difference(first: Scored, second: Scored) -> Scored:
    if first.reward is None or second.reward is None:
        reason = first.reason if first.reward is None else second.reason
        return Scored(None, reason=reason, truncated=first.truncated or second.truncated)
    return Scored(first.reward - second.reward)
