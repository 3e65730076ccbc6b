"""Several workers with a copy of the model each. What a lost one was at is done again by a new one."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.scoring.engine import Answer
from rmaudit.scoring.worker import LostError

MOST_LOSSES = 3
"""How often workers may be lost over one batch, or in a row in one place before they have loaded the model."""


class Hand(Protocol):
    """A worker as seen from here. Each method waits until it is done, and raises `LostError` when the worker is gone.

    `end` may be called while another thread waits.
    """

    process: int | None
    """Number of its process, once it is known."""

    def load(self) -> None:
        """Have it load the model; raises an `RmauditError` where that is refused."""

    def score(self, conversations: Sequence[Conversation]) -> Answer:
        """Have it score conversations together."""

    def end(self) -> None:
        """End it at once."""


class Site(Protocol):
    """Where workers are."""

    name: str
    """For the report."""

    def open(self) -> int:
        """Make ready for workers, and say how many there are to be.

        Raises:
            RmauditError: when there can be none.
        """

    def hire(self, place: int) -> Hand:
        """Start a worker in a place, counted from 0."""

    def close(self) -> None:
        """Leave nothing behind."""


@dataclass(order=True)
class _Job:
    number: float
    conversations: Sequence[Conversation] = field(compare=False, default=())
    answer: Future[Answer] = field(compare=False, default_factory=Future)
    losses: int = field(compare=False, default=0)


class Team:
    """An engine of workers. They start when the first batch is asked for, so that what is stored needs none."""

    ahead = 1

    def __init__(self, site: Site, tell: Callable[[str], None]) -> None:
        """Say where workers are.

        Args:
            site: starts them.
            tell: hears when workers start and when one is lost, from any thread.
        """
        self._site = site
        self._tell = tell
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._asked: dict[float, _Job] = {}
        """Jobs that have no answer yet."""
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._failure: Exception | None = None
        self._count = 0
        self.hands: dict[int, Hand] = {}
        """The workers by place."""

    @property
    def told(self) -> str:
        """What it is, in words, for the report."""
        return self._site.name + (f", {len(self._threads)} workers" if self._threads else "")

    def ask(self, conversations: Sequence[Conversation]) -> Future[Answer]:
        """Score conversations together; see `rmaudit.scoring.engine.Engine`.

        Raises:
            RmauditError: at the first time, when there can be no workers.
        """
        if not self._threads:
            self._start()
        with self._lock:
            self._count += 1
            job = _Job(self._count, conversations)
            if self._failure is not None:
                job.answer.set_exception(self._failure)
                return job.answer
            self._asked[job.number] = job
        self._jobs.put(job)
        return job.answer

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all workers at once."""
        with self._lock:
            self._closing = True
            hands = list(self.hands.values())
        for hand in hands:
            hand.end()
        for _ in self._threads:
            self._jobs.put(_Job(math.inf))
        for thread in self._threads:
            thread.join()
        if self._threads:
            self._site.close()

    def _start(self) -> None:
        size = self._site.open()
        self._tell(f"Starting {size} workers ({self._site.name})")
        # Twice as many as are at work, so that a slow batch in front leaves the others something to do.
        self.ahead = 4 * size
        self._threads = [
            threading.Thread(target=self._fill, args=(place,), name=f"worker {place}", daemon=True)
            for place in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def _fill(self, place: int) -> None:
        """Keep a worker in a place until there is nothing more to do."""
        losses = 0
        while True:
            hand: Hand | None = None
            try:
                hand = self._hired(place)
                if hand is None:
                    return
                hand.load()
                losses = -1  # one that is lost later counts for its batch
                while self._one(hand):
                    pass
                return
            except LostError as error:
                losses += 1
                if self._closing:
                    return
                if losses >= MOST_LOSSES:
                    self._fail(
                        ScoringError(
                            f"Worker {place + 1} was started {losses} times and could not load the model; at last "
                            f"it {error}. What was scored is kept. See whether its machine has rmaudit and enough "
                            "memory for a copy of the model, or try fewer --workers."
                        )
                    )
                    return
                self._tell(f"Worker {place + 1} {error}; a new one does its work again")
            except Exception as error:
                self._fail(error)
                return
            finally:
                if hand is not None:
                    hand.end()

    def _hired(self, place: int) -> Hand | None:
        hand = self._site.hire(place)
        with self._lock:
            if not self._closing:
                self.hands[place] = hand
                return hand
        hand.end()
        return None

    def _one(self, hand: Hand) -> bool:
        """Have a worker do one job; ``False`` where there is none to come."""
        job = self._jobs.get()
        if self._closing:
            return False
        try:
            answer = hand.score(job.conversations)
        except LostError as error:
            self._lost(job, error)
            raise
        except Exception as error:
            self._settle(job, error)
        else:
            self._settle(job, answer)
        return True

    def _lost(self, job: _Job, error: LostError) -> None:
        job.losses += 1
        if job.losses < MOST_LOSSES:
            self._jobs.put(job)  # its number is lower than that of any other that waits
            return
        self._settle(
            job,
            ScoringError(
                f"A batch of {len(job.conversations)} conversations ended {job.losses} workers one after the other; at "
                f"last one {error}. What was scored before is kept. Try a smaller --batch-size, or fewer --workers."
            ),
        )

    def _settle(self, job: _Job, outcome: Answer | Exception) -> None:
        with self._lock:
            if self._asked.pop(job.number, None) is None:
                return
        if isinstance(outcome, Exception):
            job.answer.set_exception(outcome)
        else:
            job.answer.set_result(outcome)

    def _fail(self, error: Exception) -> None:
        """Answer everything, now and later, with an error."""
        with self._lock:
            self._failure = self._failure or error
            asked = list(self._asked.values())
        for job in asked:
            self._settle(job, error)
