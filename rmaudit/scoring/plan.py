"""The plan: which conversations are scored, in which batches, decided before the first forward pass.

Equal conversations are scored once. The model says which go together, those that begin alike or are of like length,
so that little is computed twice or padded. Batches are the unit of resumption: an interrupted run repeats the same
arithmetic.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rmaudit.conversation import Conversation
from rmaudit.models.interface import RewardModel, Work
from rmaudit.suites.spec import Item

PANEL = "panel"
"""Name under which the panel's rewards are kept, beside those of the suites."""


@dataclass(frozen=True)
class Target:
    """Where a reward is needed: one arm of one item of one suite (or of the panel)."""

    suite: str
    item: str
    arm: str


@dataclass(frozen=True)
class Batch:
    """Conversations that go through the model together."""

    conversations: tuple[Conversation, ...]
    targets: tuple[tuple[Target, ...], ...]
    """For each conversation, all places that need its reward."""
    label: str
    """What is being scored, for the progress line."""


@dataclass(frozen=True)
class Plan:
    """All batches in order. The panel's come first, since the ruler decides whether the rest makes sense."""

    batches: tuple[Batch, ...]
    panel_batches: int
    """How many of the batches are the panel's."""
    sha256: str
    """Digest of every conversation with its targets, in order: two runs with one digest measured the same."""
    work: Work | None = None
    """Tokens of the conversations that the model sees, where the model knows them beforehand."""

    @property
    def conversations(self) -> int:
        """Conversations asked for, repeats included."""
        return sum(len(targets) for batch in self.batches for targets in batch.targets)

    @property
    def unique(self) -> int:
        """Conversations that the model sees."""
        return sum(len(batch.conversations) for batch in self.batches)

    @property
    def summary(self) -> str:
        """What is to be done, in words."""
        told = f"{self.unique:,} different conversations of {self.conversations:,}"
        if self.work is None:
            return told
        work = self.work
        return f"{told}: {work.tokens:,} tokens, {work.unique:,} of them unique, {work.padding:,} of padding"


def make_plan(panel: Sequence[Item], suites: Iterable[tuple[str, Sequence[Item]]], model: RewardModel) -> Plan:
    """Plan the scoring of the panel and of suites for a model.

    Args:
        panel: items of the panel.
        suites: name and items of each suite.
        model: tells lengths and a good batch size.
    """
    places: dict[str, list[Target]] = {}
    conversations: list[Conversation] = []
    for target, conversation in _asked(panel, suites):
        known = places.setdefault(conversation_key(conversation), [])
        if not known:
            conversations.append(conversation)
        known.append(target)
    targets = list(places.values())
    model.prepare(conversations)
    of_panel = [index for index, known in enumerate(targets) if known[0].suite == PANEL]
    of_suites = [index for index, known in enumerate(targets) if known[0].suite != PANEL]
    first, second = (model.arrange([conversations[i] for i in part]) for part in (of_panel, of_suites))
    batches = [
        Batch(
            tuple(conversations[part[place]] for place in places_of_batch),
            tuple(tuple(targets[part[place]]) for place in places_of_batch),
            label,
        )
        for part, arranged, label in ((of_panel, first, PANEL), (of_suites, second, "suites"))
        for places_of_batch in arranged.batches
    ]
    work = first.work + second.work if first.work is not None and second.work is not None else None
    return Plan(tuple(batches), len(first.batches), _digest(places, targets), work)


def unique_conversations(panel: Sequence[Item], suites: Iterable[tuple[str, Sequence[Item]]]) -> list[Conversation]:
    """Every conversation that a scan asks for, once, in the order of panel and suites."""
    every = (conversation for _, conversation in _asked(panel, suites))
    return list({conversation_key(conversation): conversation for conversation in every}.values())


def _asked(
    panel: Sequence[Item], suites: Iterable[tuple[str, Sequence[Item]]]
) -> Iterator[tuple[Target, Conversation]]:
    """Every place where a reward is needed, with its conversation: the panel's first, then suite by suite."""
    for name, items in [(PANEL, panel), *suites]:
        for item in items:
            for arm in item.arms:
                yield Target(name, item.id, arm), item.conversation(arm)


def conversation_key(conversation: Conversation) -> str:
    """Key of a conversation: equal for equal messages and only for them."""
    return json.dumps([[turn["role"], turn["content"]] for turn in conversation], ensure_ascii=False)


def _digest(keys: Iterable[str], targets: Sequence[Sequence[Target]]) -> str:
    digest = hashlib.sha256()
    for key, places in zip(keys, targets, strict=True):
        digest.update(key.encode("utf-8", "surrogatepass"))
        for place in places:
            digest.update(f"\0{place.suite}\0{place.item}\0{place.arm}".encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()
