"""Out of memory: noticed by what the error says, and answered by asking for half as much at a time."""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from rmaudit.conversation import Conversation
from rmaudit.models.interface import Scored

Asked = TypeVar("Asked", Conversation, tuple[Conversation, Conversation])

_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed", "unable to allocate")

ALONE = "memory ran out although it was scored alone"
"""Why a conversation has no reward that not even the smallest batch could hold."""


def ran_out(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, says that memory ran out."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if isinstance(error, RuntimeError | OSError) and any(sign in str(error).lower() for sign in _SIGNS):
            return True
        error = error.__cause__
    return False


class Room:
    """How many conversations fit into memory together, by their length, as failures have taught.

    Lengths are those of the texts and count by powers of two. What did not fit does not fit at greater lengths either;
    of smaller ones nothing is known.
    """

    def __init__(self) -> None:
        """Know of no limit."""
        self.note: str | None = None
        """What happened the first time, for the user; whoever tells it takes it away."""
        self._most: dict[int, int] = {}

    @property
    def limited(self) -> bool:
        """Whether memory ever ran out, so that batches are no longer those of the plan."""
        return bool(self._most)

    def most(self, length: int) -> int | None:
        """Most conversations of a length that may go together, or ``None`` where no limit is known."""
        return min((most for own, most in self._most.items() if own <= length.bit_length()), default=None)

    def learn(self, count: int, length: int) -> None:
        """Take it that `count` conversations, the longest of `length` characters, were too many."""
        half = max(1, count // 2)
        if not self._most:
            self.note = (
                f"Memory ran out on {count} conversations of up to {length:,} characters; going on with {half} of "
                "that length at a time"
            )
        self._most[length.bit_length()] = half


def within(room: Room, asked: Sequence[Asked], ask: Callable[[Sequence[Asked]], list[Scored]]) -> list[Scored]:
    """Ask for all at once, or in as many parts as memory needs; one result each, in order.

    One that does not even fit alone has no reward; every other error is passed on.

    Args:
        room: what is known of the memory; it learns from each failure.
        asked: conversations or pairs of them.
        ask: scores any number of them together.
    """
    scored: list[Scored] = []
    waiting = deque([list(asked)])
    while waiting:
        part = waiting.popleft()
        length = max(map(_length, part), default=0)
        most = room.most(length)
        if most is not None and most < len(part):
            waiting.extendleft((part[most:], part[:most]))
            continue
        try:
            scored += ask(part)
            continue
        except Exception as error:
            if not ran_out(error):
                raise
        _release()  # only here, where the error no longer holds on to what filled the memory
        if len(part) > 1:
            room.learn(len(part), length)
            waiting.appendleft(part)
        else:
            scored.append(Scored(None, reason=ALONE))
    return scored


def _length(asked: Conversation | tuple[Conversation, Conversation]) -> int:
    conversations = asked if isinstance(asked, tuple) else (asked,)
    return sum(len(turn["content"]) for conversation in conversations for turn in conversation)


def _release() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
