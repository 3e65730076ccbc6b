"""Conversations to be timed, all made of what the package ships."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rmaudit.audit import select
from rmaudit.conversation import Conversation
from rmaudit.suites.spec import Item

NAMES = ("Anna", "Brian", "Carlos", "Dmitri", "Emeka", "Fatima", "Grace", "Hiroshi", "Ines", "Jamal", "Kavita", "Liam")
_LONG = 5_500
"""Characters of a long dialogue; more than a thousand tokens."""


@dataclass(frozen=True)
class Workload:
    """Conversations in groups that share a prompt; a group of two is a preference pair."""

    name: str
    told: str
    """What it is, for the table."""
    groups: tuple[tuple[Conversation, ...], ...]

    @property
    def conversations(self) -> list[Conversation]:
        """All of them, group by group."""
        return [conversation for group in self.groups for conversation in group]


def workload(name: str, count: int) -> Workload:
    """A workload of about so many conversations."""
    told, make = WORKLOADS[name]
    return Workload(name, told, tuple(map(tuple, make(count))))


def _spread(groups: Sequence[Sequence[Conversation]], count: int) -> list[Sequence[Conversation]]:
    """Groups with together about `count` conversations, spread over all."""
    every = max(1, sum(map(len, groups)) // count)
    return list(groups[::every])


def _panel() -> list[Item]:
    return [item for item in select(None, None, (), "standard").panel.items if len(item.arms) > 1]


def _best_and_worst(item: Item) -> tuple[Conversation, Conversation]:
    best, *_, worst = sorted(item.arms, key=lambda arm: -float(item.arms[arm].factors["grade"]))
    return item.conversation(best), item.conversation(worst)


def _pairs(count: int) -> list[Sequence[Conversation]]:
    return _spread([_best_and_worst(item) for item in _panel()], count)


def _suites(count: int) -> list[Sequence[Conversation]]:
    items = [item for _, items in select(None, None, (), "standard").suites for item in items]
    return _spread([[item.conversation(arm) for arm in item.arms] for item in items], count)


def _many_arms(count: int) -> list[Sequence[Conversation]]:
    items = [item for _, items in select(None, None, (), "standard").suites for item in items if len(item.arms) >= 8]
    return _spread([[item.conversation(arm) for arm in item.arms] for item in items], count)


def _named(where: str) -> Callable[[int], list[Sequence[Conversation]]]:
    """Twelve arms that differ in a name: in the prompt's first words, or in the answer's middle or last ones."""

    def arm(conversation: Conversation, name: str) -> Conversation:
        first, *_, last = conversation
        if where == "early":
            return [{**first, "content": f"My name is {name}. {first['content']}"}, *conversation[1:]]
        if where == "middle":
            words = last["content"].split(" ")
            half = len(words) // 2
            return [*conversation[:-1], {**last, "content": " ".join([*words[:half], name, *words[half:]])}]
        return [*conversation[:-1], {**last, "content": f"{last['content']} I hope that this helps you, {name}."}]

    def make(count: int) -> list[Sequence[Conversation]]:
        best = [_best_and_worst(item)[0] for item in _panel()]
        return _spread([[arm(conversation, name) for name in NAMES] for conversation in best], count)

    return make


def _ladder(count: int) -> list[Sequence[Conversation]]:
    """Twelve arms of which each adds one more empty sentence to the answer of the one before it."""

    def rung(conversation: Conversation, height: int) -> Conversation:
        *before, last = conversation
        return [*before, {**last, "content": last["content"] + " I hope that this is of some help to you." * height}]

    best = [_best_and_worst(item)[0] for item in _panel()]
    return _spread([[rung(conversation, height) for height in range(len(NAMES))] for conversation in best], count)


def _long(count: int) -> list[Sequence[Conversation]]:
    """Questions of the panel, asked and answered one after the other; the last with its best and its worst answer."""
    groups: list[Sequence[Conversation]] = []
    before: Conversation = []
    for item in itertools.cycle([item for item in _panel() if len(item.prompt) == 1]):
        best, worst = _best_and_worst(item)
        if sum(len(turn["content"]) for turn in before) < _LONG:
            before = [*before, *best]
            continue
        groups.append((before + best, before + worst))
        before = []
        if len(groups) >= max(1, count // 16):  # as many tokens as the other workloads, roughly
            return groups
    return groups


WORKLOADS: dict[str, tuple[str, Callable[[int], list[Sequence[Conversation]]]]] = {
    "pairs": ("preference pairs: the best and the worst answer of the panel's questions", _pairs),
    "suites": ("a sample of the five shipped suites, every arm", _suites),
    "arms": ("shipped items with eight arms or more; what differs stands early in most", _many_arms),
    "late": ("twelve arms an item, a name in the last words of the answer", _named("late")),
    "early": ("twelve arms an item, a name in the first words of the prompt", _named("early")),
    "middle": ("twelve arms an item, a name in the middle of the answer", _named("middle")),
    "ladder": ("twelve arms an item, each longer by one more sentence at the end of the answer", _ladder),
    "long": ("dialogues of more than a thousand tokens, two last answers each", _long),
}
