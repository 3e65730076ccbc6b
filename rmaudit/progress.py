"""How long work reports that it moves on. The core only calls these methods; the command line draws them."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

RECENT = 60.0
"""Seconds over which the rate is taken, so that a slow beginning does not blur what is going on now."""


@dataclass(frozen=True)
class Part:
    """A part of counted work, such as a suite."""

    work: int
    """Units of it that are to be computed; 0 where all is known already."""
    told: str
    """What it consists of, in words."""


class Progress(Protocol):
    """Listener to the progress of a scan."""

    def stage(self, text: str) -> None:
        """A new stage begins, such as loading the model."""

    def start(self, unit: str, parts: Mapping[str, Part]) -> None:
        """Counted work begins, told in a unit such as tokens, part by part in the order of the work."""

    def advance(self, amount: int, part: str) -> None:
        """Some units of a part are done."""

    def finish(self) -> None:
        """The counted work has ended, whole or not."""


class Silent:
    """A listener that ignores everything; for use as a library."""

    def stage(self, text: str) -> None:
        """Ignore."""

    def start(self, unit: str, parts: Mapping[str, Part]) -> None:
        """Ignore."""

    def advance(self, amount: int, part: str) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""


@contextlib.contextmanager
def counted(progress: Progress, unit: str, parts: Mapping[str, Part]) -> Iterator[None]:
    """Around counted work, so that its end is told however it ends."""
    progress.start(unit, parts)
    try:
        yield
    finally:
        progress.finish()


class Count:
    """How far counted work is, how fast it goes and when it will be done."""

    def __init__(self, unit: str, parts: Mapping[str, Part], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count; see `Progress.start`. The clock tells seconds."""
        self.total = sum(part.work for part in parts.values())
        self.done = 0
        self._unit = unit
        self._parts = dict(parts)
        self._left = {name: part.work for name, part in parts.items()}
        self._clock = clock
        self._begun = clock()
        self._marks = deque([(self._begun, 0)])
        """When how much was done, the last before `RECENT` and all since."""

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._clock() - self._begun

    @property
    def whole(self) -> bool:
        """Whether there was something to do, and all of it is done."""
        return 0 < self.total <= self.done

    @property
    def rate(self) -> float:
        """Units a second, lately; 0 before anything is done."""
        since, before = self._marks[0]
        passed = self._clock() - since
        return (self.done - before) / passed if passed > 0 else 0.0

    def known(self) -> list[str]:
        """A line for each part of which nothing is to be computed."""
        return [f"{name}: {part.told}" for name, part in self._parts.items() if not part.work]

    def advance(self, amount: int, part: str) -> str | None:
        """Count; gives a line where that ends the part."""
        now = self._clock()
        self.done += amount
        while len(self._marks) > 1 and now - self._marks[1][0] >= RECENT:
            self._marks.popleft()
        self._marks.append((now, self.done))
        before = self._left.get(part, 0)
        self._left[part] = before - amount
        if before > 0 and self._left[part] <= 0:
            return f"{part}: {self._parts[part].told}, done after {duration(self.seconds)}"
        return None

    def line(self) -> str:
        """How far it is, in words."""
        share = self.done / self.total if self.total else 1.0
        told = f"{self.done:,} of {self.total:,} {self._unit} ({share:.0%})"
        if self.rate <= 0:
            return f"{told} after {duration(self.seconds)}"
        left = max(0, self.total - self.done) / self.rate
        return f"{told}, {_round(self.rate)} {self._unit}/s, about {duration(left)} left"

    def summary(self) -> str:
        """What was done in which time, in words."""
        seconds = self.seconds
        rate = f", {_round(self.done / seconds)} {self._unit}/s" if seconds >= 1 else ""
        return f"{self.done:,} {self._unit} in {duration(seconds)}{rate}"


def duration(seconds: float) -> str:
    """A time in words, as exactly as anybody wants to know."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _round(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
