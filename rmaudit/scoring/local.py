"""The local engine: one process, one device, batch after batch, each saved before the next begins."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.models.memory import within
from rmaudit.progress import Progress
from rmaudit.scoring.plan import Batch
from rmaudit.scoring.stopping import CleanStop
from rmaudit.scoring.store import ScoreStore, batch_digest, keys_of


def score_batches(
    model: RewardModel,
    batches: Iterable[tuple[int, Batch]],
    save: Callable[[int, Batch, list[Scored]], None],
    progress: Progress,
    store: ScoreStore | None = None,
    stop: CleanStop | None = None,
) -> None:
    """Score numbered batches in order and hand each to `save` as soon as it is done.

    Args:
        model: the model.
        batches: what to score, with numbers for `save`.
        save: keeps a batch.
        progress: hears of what was computed, in the unit of `Batch.cost`, and not of what is from the store.
        store: of the model's rewards.
        stop: lets a stop wait for the end of a batch.

    Raises:
        ScoringError: when the model fails, or answers with another number of rewards than asked.
        KeyboardInterrupt: between two batches, when a stop was asked for.
    """
    for number, batch in batches:
        with stop.batch() if stop is not None else contextlib.nullcontext():
            scored = score_stored(model, batch.conversations, store)
            save(number, batch, scored)
            computed = sum(result.stored is None for result in scored)
            if computed:
                progress.advance(batch.cost(computed), batch.label)
        tell_memory(model, progress)


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
    if store is None:
        return score_checked(model, conversations)
    keys = keys_of(model, conversations)
    known = store.recall(keys, batch_digest(keys))
    missing = [place for place, scored in enumerate(known) if scored is None]
    fresh = score_checked(model, [conversations[place] for place in missing]) if missing else []
    same = any(scored is not None and scored.stored == "same-batch" for scored in known)
    if same and any(scored.reward is not None for scored in fresh):
        # Part of this very batch was lost: only the whole of it gives the same last digits again.
        missing, fresh = list(range(len(keys))), score_checked(model, conversations)
    own = [keys[place] for place in missing]
    store.keep(own, fresh, None if model.room.limited else batch_digest(own))
    for place, scored in zip(missing, fresh, strict=True):
        known[place] = scored
    return [scored for scored in known if scored is not None]


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
