"""A team answers everything that it is asked, whatever happens to its workers, or says why it cannot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError, ScoringError
from rmaudit.models.interface import Scored
from rmaudit.scoring.engine import Answer
from rmaudit.scoring.team import MOST_LOSSES, Team
from rmaudit.scoring.worker import LostError

PATIENCE = 120


class ThreadHand:
    """A worker that is a thread's own call, and is lost or refuses when its site says so."""

    process: int | None = None

    def __init__(self, site: ThreadSite, place: int) -> None:
        self._site = site
        self._place = place
        self.ended = threading.Event()

    def load(self) -> None:
        self._site.loads += 1
        if self._site.on_load is not None:
            self._site.on_load(self)

    def score(self, conversations: Sequence[Conversation]) -> Answer:
        self._site.work(self, conversations)
        return Answer([Scored(float(len(c[0]["content"]))) for c in conversations])

    def end(self) -> None:
        self.ended.set()


class ThreadSite:
    """Workers that are no processes, so that each way to fail can be had at the right moment."""

    name = "threads"

    def __init__(
        self,
        size: int,
        work: Callable[[ThreadHand, Sequence[Conversation]], None] = lambda hand, asked: None,
        on_load: Callable[[ThreadHand], None] | None = None,
    ) -> None:
        self.size = size
        self.work = work
        self.on_load = on_load
        self.hired: list[ThreadHand] = []
        self.loads = 0
        self.closed = False

    def open(self) -> int:
        return self.size

    def hire(self, place: int) -> ThreadHand:
        self.hired.append(ThreadHand(self, place))
        return self.hired[-1]

    def close(self) -> None:
        self.closed = True


def conversation(length: int) -> Conversation:
    return [{"role": "assistant", "content": "x" * length}]


def rewards(team: Team, count: int) -> list[float | None]:
    asked = [team.ask([conversation(i), conversation(i + 100)]) for i in range(count)]
    return [scored.reward for one in asked for scored in one.result(PATIENCE).scored]


def expected(count: int) -> list[float]:
    return [reward for i in range(count) for reward in (float(i), float(i + 100))]


def lose(*counts: int) -> Callable[[ThreadHand, Sequence[Conversation]], None]:
    """Lose the worker at these calls, counted over all workers."""
    lock, calls = threading.Lock(), [0]

    def work(hand: ThreadHand, asked: Sequence[Conversation]) -> None:
        with lock:
            calls[0] += 1
            lost = calls[0] in counts
        if lost:
            raise LostError("was struck by lightning")

    return work


@pytest.mark.parametrize("size", [1, 3])
def test_every_batch_is_answered_whole(size: int) -> None:
    site = ThreadSite(size)
    with Team(site, lambda text: None) as team:
        assert rewards(team, 20) == expected(20)
        assert team.told == f"threads, {size} workers"
    assert len(site.hired) == size
    assert site.closed
    assert all(hand.ended.is_set() for hand in site.hired)


def test_no_worker_starts_before_something_is_asked() -> None:
    site = ThreadSite(2)
    with Team(site, lambda text: None) as team:
        assert team.told == "threads"
    assert site.hired == []


@pytest.mark.parametrize("counts", [(1,), (3, 7), (1, 2, 4, 6, 9)])
def test_a_lost_worker_changes_no_answer(counts: tuple[int, ...]) -> None:
    heard: list[str] = []
    site = ThreadSite(2, lose(*counts))
    with Team(site, heard.append) as team:
        assert rewards(team, 20) == expected(20)
    assert site.loads == 2 + len(counts)
    assert sum("was struck by lightning; a new one does its work again" in text for text in heard) == len(counts)


def test_a_batch_that_ends_every_worker_is_given_up_and_the_others_are_answered() -> None:
    def work(hand: ThreadHand, asked: Sequence[Conversation]) -> None:
        if len(asked[0][0]["content"]) == 5:
            raise LostError("ran out of memory")

    with Team(ThreadSite(2, work), lambda text: None) as team:
        asked = [team.ask([conversation(i)]) for i in range(10)]
        with pytest.raises(ScoringError, match=r"A batch of 1 conversations ended 3 workers .* ran out of memory"):
            asked[5].result(PATIENCE)
        answered = [one.result(PATIENCE).scored[0].reward for i, one in enumerate(asked) if i != 5]
    assert answered == [float(i) for i in range(10) if i != 5]


def test_a_place_in_which_no_worker_lives_ends_it() -> None:
    def on_load(hand: ThreadHand) -> None:
        raise LostError("ran out of memory")

    site = ThreadSite(1, on_load=on_load)
    with Team(site, lambda text: None) as team:
        asked = [team.ask([conversation(i)]) for i in range(3)]
        for one in asked:
            with pytest.raises(ScoringError, match=rf"Worker 1 was started {MOST_LOSSES} times"):
                one.result(PATIENCE)
        with pytest.raises(ScoringError):
            team.ask([conversation(3)]).result(PATIENCE)
    assert len(site.hired) == MOST_LOSSES


def test_a_refused_load_ends_it_without_another_try() -> None:
    def on_load(hand: ThreadHand) -> None:
        raise LoadRefusedError("another model")

    site = ThreadSite(1, on_load=on_load)
    with Team(site, lambda text: None) as team, pytest.raises(LoadRefusedError, match="another model"):
        team.ask([conversation(1)]).result(PATIENCE)
    assert len(site.hired) == 1


def test_an_error_of_the_model_costs_no_worker() -> None:
    def work(hand: ThreadHand, asked: Sequence[Conversation]) -> None:
        if len(asked[0][0]["content"]) == 2:
            raise ScoringError("it failed")

    site = ThreadSite(1, work)
    with Team(site, lambda text: None) as team:
        asked = [team.ask([conversation(i)]) for i in range(4)]
        assert asked[3].result(PATIENCE).scored[0].reward == 3.0
        with pytest.raises(ScoringError, match="it failed"):
            asked[2].result(PATIENCE)
    assert len(site.hired) == 1


def test_leaving_ends_workers_in_the_middle_of_a_batch() -> None:
    begun = threading.Event()

    def work(hand: ThreadHand, asked: Sequence[Conversation]) -> None:
        begun.set()
        assert hand.ended.wait(PATIENCE)
        raise LostError("was ended")

    heard: list[str] = []
    site = ThreadSite(1, work)
    with Team(site, heard.append) as team:
        asked = team.ask([conversation(1)])
        assert begun.wait(PATIENCE)
    assert site.closed
    assert len(site.hired) == 1
    assert not asked.done()
    assert heard == ["Starting 1 workers (threads)"]
