"""The plan: which conversations are scored, in which batches, decided before the first forward pass.

Equal conversations are scored once. The model says which go together, those that begin alike or are of like length,
so that little is computed twice or padded. Batches are the unit of resumption: an interrupted run repeats the same
arithmetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rmaudit.conversation import Conversation, conversation_key
from rmaudit.models.interface import Arrangement, RewardModel, Work
from rmaudit.scoring.remembered import Reader
from rmaudit.scoring.store import ScoreStore
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
    """What is being scored: the panel, or the first suite that asks for it."""
    work: Work | None = None
    """What it costs, where the model knows that beforehand."""
    keys: tuple[str, ...] | None = None
    """Key of each conversation in a score store, where that is known already."""

    def cost(self, conversations: int) -> int:
        """What a number of its conversations costs: tokens that go through the network, or else conversations."""
        if self.work is None:
            return conversations
        return round(self.work.computed * conversations / len(self.conversations))


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
    def unit(self) -> str:
        """What `Batch.cost` counts."""
        return "conversations" if self.work is None else "tokens"

    @property
    def summary(self) -> str:
        """What is to be done, in words."""
        told = f"{self.unique:,} different conversations of {self.conversations:,}"
        if self.work is None:
            return told
        work = self.work
        parts = f"{work.unique:,} unique, {work.computed:,} to compute, {work.padding:,} of padding"
        return f"{told}: {work.tokens:,} tokens, {parts}"


def make_plan(
    panel: Sequence[Item],
    suites: Iterable[tuple[str, Sequence[Item]]],
    model: RewardModel,
    store: ScoreStore | None = None,
) -> Plan:
    """Plan the scoring of the panel and of suites for a model.

    Args:
        panel: items of the panel.
        suites: name and items of each suite.
        model: tells lengths and a good batch size.
        store: of the model's rewards, which may know from an earlier plan what the model would say.
    """
    places: dict[str, list[Target]] = {}
    texts: dict[str, dict[str, Conversation]] = {}
    for target, conversation in _asked(panel, suites):
        text = conversation_key(conversation)
        known = places.setdefault(text, [])
        if not known:
            texts.setdefault(target.suite, {})[text] = conversation
        known.append(target)
    reader = Reader(model, store)
    every = [conversation for own in texts.values() for conversation in own.values()]
    # What the model reads decides what is the same to it: spaces, say, may play no part.
    conversations: dict[str, Conversation] = {}
    targets: dict[str, list[Target]] = {}
    for key, conversation, known in zip(reader.keys(texts), every, places.values(), strict=True):
        conversations.setdefault(key, conversation)
        targets.setdefault(key, []).extend(known)
    parts: dict[str, list[str]] = {}
    for key, known in targets.items():
        parts.setdefault(known[0].suite, []).append(key)
    # Each suite by itself, so that its batches stay the same whichever others are run beside it.
    batches = [
        Batch(
            tuple(conversations[key] for key in chosen),
            tuple(tuple(targets[key]) for key in chosen),
            label,
            work,
            tuple(chosen),
        )
        for label, keys in parts.items()
        for chosen, work in _batches(keys, reader.arrange(keys, [conversations[key] for key in keys]))
    ]
    works = [batch.work for batch in batches if batch.work is not None]
    return Plan(
        tuple(batches),
        sum(batch.label == PANEL for batch in batches),
        _digest(places, list(places.values())),
        sum(works, Work()) if len(works) == len(batches) else None,
    )


def _batches(keys: Sequence[str], arranged: Arrangement) -> Iterator[tuple[list[str], Work | None]]:
    works = arranged.works or (None,) * len(arranged.batches)
    for places, work in zip(arranged.batches, works, strict=True):
        yield [keys[place] for place in places], work


def plan_digest(panel: Sequence[Item], suites: Iterable[tuple[str, Sequence[Item]]]) -> str:
    """The digest that a plan for these items has, whatever the model."""
    places: dict[str, list[Target]] = {}
    for target, conversation in _asked(panel, suites):
        places.setdefault(conversation_key(conversation), []).append(target)
    return _digest(places, list(places.values()))


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


def _digest(keys: Iterable[str], targets: Sequence[Sequence[Target]]) -> str:
    digest = hashlib.sha256()
    for key, places in zip(keys, targets, strict=True):
        digest.update(key.encode("utf-8", "surrogatepass"))
        for place in places:
            digest.update(f"\0{place.suite}\0{place.item}\0{place.arm}".encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()
