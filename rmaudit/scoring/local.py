"""Batches through an engine, in order, each saved as soon as it is its turn; and the engine of this very process."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType
from typing import Self

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.models.memory import within
from rmaudit.progress import Progress
from rmaudit.scoring.engine import Answer, Engine
from rmaudit.scoring.plan import Batch
from rmaudit.scoring.stopping import CleanStop
from rmaudit.scoring.store import ScoreStore, batch_digest, keys_of


class LocalEngine:
    """This process and the model that it has loaded: one batch at a time, done when it is asked for."""

    ahead = 1
    told = "local"

    def __init__(self, model: RewardModel) -> None:
        """Name the model."""
        self._model = model

    def ask(self, conversations: Sequence[Conversation]) -> Future[Answer]:
        """Score conversations together; see `rmaudit.scoring.engine.Engine`."""
        done: Future[Answer] = Future()
        try:
            done.set_result(answer(self._model, conversations))
        except Exception as error:
            done.set_exception(error)
        return done

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to close."""


def score_batches(
    model: RewardModel,
    batches: Iterable[tuple[int, Batch]],
    save: Callable[[int, Batch, list[Scored]], None],
    progress: Progress,
    store: ScoreStore | None = None,
    stop: CleanStop | None = None,
    engine: Engine | None = None,
    recalled: Mapping[int, list[Scored]] | None = None,
) -> None:
    """Score numbered batches and hand each to `save` in order, as soon as it is done and those before it are.

    Args:
        model: the model.
        batches: what to score, with numbers for `save`.
        save: keeps a batch.
        progress: hears of what was computed, in the unit of `Batch.cost`, and not of what is from the store.
        store: of the model's rewards.
        stop: lets a stop wait for the batches in work.
        engine: computes the rewards; this process where there is none.
        recalled: results of whole batches that the store gave before, by number.

    Raises:
        ScoringError: when the model fails, or answers with another number of rewards than asked.
        KeyboardInterrupt: when a stop was asked for and the batches in work are saved.
    """
    engine = engine or LocalEngine(model)
    coming, waiting = iter(batches), deque[_Asked]()
    with stop.work() if stop is not None else contextlib.nullcontext():
        while True:
            while len(waiting) < engine.ahead and not (stop is not None and stop.asked):
                if (numbered := next(coming, None)) is None:
                    break
                number, batch = numbered
                waiting.append(_Asked(engine, model, number, batch, store, (recalled or {}).get(number)))
            if not waiting:
                break
            first = waiting.popleft()
            scored = first.wait(progress)
            save(first.number, first.batch, scored)
            computed = sum(result.stored is None for result in scored)
            if computed:
                progress.advance(first.batch.cost(computed), first.batch.label)
            tell_memory(model, progress)


class _Asked:
    """A batch that an engine was asked for."""

    def __init__(
        self,
        engine: Engine,
        model: RewardModel,
        number: int,
        batch: Batch,
        store: ScoreStore | None,
        recalled: list[Scored] | None,
    ) -> None:
        self.number = number
        self.batch = batch
        self._engine = engine
        self._steps = _stored_steps(model, batch.conversations, store, batch.keys)
        self._scored = recalled
        self._answer: Future[Answer] | None = None
        if recalled is None:
            self._go_on(None)

    def wait(self, progress: Progress) -> list[Scored]:
        """The results, when they are there."""
        while self._answer is not None:
            got = self._answer.result()
            if got.note is not None:
                progress.stage(got.note)
            self._go_on(got)
        assert self._scored is not None
        return self._scored

    def _go_on(self, got: Answer | None) -> None:
        try:
            self._answer = self._engine.ask(next(self._steps) if got is None else self._steps.send(got))
        except StopIteration as done:
            self._answer, self._scored = None, done.value


def tell_memory(model: RewardModel, progress: Progress) -> None:
    """Tell that memory ran out, once."""
    if model.room.note is not None:
        progress.stage(model.room.note)
        model.room.note = None


def score_stored(
    model: RewardModel, conversations: Sequence[Conversation], store: ScoreStore | None = None
) -> list[Scored]:
    """Score conversations together, those left out that the store knows; with the checks of `score_checked`.

    Raises:
        ScoringError: when the model fails, or breaks its promise.
    """
    steps = _stored_steps(model, conversations, store)
    got: Answer | None = None
    while True:
        try:
            asked = next(steps) if got is None else steps.send(got)
        except StopIteration as done:
            scored: list[Scored] = done.value
            return scored
        got = Answer(score_checked(model, asked), together=not model.room.limited)


def _stored_steps(
    model: RewardModel,
    conversations: Sequence[Conversation],
    store: ScoreStore | None,
    keys: Sequence[str] | None = None,
) -> Generator[Sequence[Conversation], Answer, list[Scored]]:
    """What has to be computed of conversations that go together, step by step, and in the end all their results."""
    if store is None:
        return (yield conversations).scored
    keys = keys if keys is not None else keys_of(model, conversations)
    known = store.recall(keys, batch_digest(keys))
    missing = [place for place, scored in enumerate(known) if scored is None]
    fresh = (yield [conversations[place] for place in missing]) if missing else Answer([])
    same = any(scored is not None and scored.stored == "same-batch" for scored in known)
    if same and any(scored.reward is not None for scored in fresh.scored):
        # Part of this very batch was lost: only the whole of it gives the same last digits again.
        missing, fresh = list(range(len(keys))), (yield conversations)
    own = [keys[place] for place in missing]
    store.keep(own, fresh.scored, batch_digest(own) if fresh.together else None)
    for place, scored in zip(missing, fresh.scored, strict=True):
        known[place] = scored
    return [scored for scored in known if scored is not None]


def answer(model: RewardModel, conversations: Sequence[Conversation]) -> Answer:
    """Score conversations together, as an engine's answer.

    Raises:
        ScoringError: when the model fails, or breaks its promise.
    """
    scored = score_checked(model, conversations)
    note, model.room.note = model.room.note, None
    return Answer(scored, together=not model.room.limited, note=note)


def score_checked(model: RewardModel, conversations: Sequence[Conversation]) -> list[Scored]:
    """Score conversations together, and make sure of one answer each that is a finite number or says why not.

    Where memory runs out, fewer go together. An attribute that is no finite number is left out, as if the model had
    not given it.

    Raises:
        ScoringError: when the model fails, or breaks that promise.
    """

    def ask(part: Sequence[Conversation]) -> list[Scored]:
        return _all_checked(model.score_batch(part), len(part), "conversation")

    return within(model.room, conversations, ask)


def compare_checked(model: RewardModel, pairs: Sequence[tuple[Conversation, Conversation]]) -> list[Scored]:
    """Compare conversations pair by pair, with the same checks as `score_checked`.

    Raises:
        ScoringError: when the model fails, or does not answer once a pair.
    """

    def ask(part: Sequence[tuple[Conversation, Conversation]]) -> list[Scored]:
        return _all_checked(model.compare_batch(part), len(part), "pair")

    return within(model.room, pairs, ask)


def _all_checked(scored: list[Scored], asked: int, what: str) -> list[Scored]:
    if len(scored) != asked:
        raise ScoringError(
            f"The model was given {asked} {what}s and answered with {len(scored)} rewards. "
            f"It must answer one reward a {what}, in order."
        )
    return [_checked(result) for result in scored]


def _checked(result: Scored) -> Scored:
    if result.reward is not None and not math.isfinite(result.reward):
        result = replace(result, reward=None, reason=f"the model answered {result.reward}")
    if all(map(math.isfinite, result.attributes.values())):
        return result
    return replace(result, attributes={k: v for k, v in result.attributes.items() if math.isfinite(v)})
