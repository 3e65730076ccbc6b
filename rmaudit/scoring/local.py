"""The local engine: one process, one device, batch after batch, each saved before the next begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.progress import Progress
from rmaudit.scoring.plan import Batch


def score_batches(
    model: RewardModel,
    batches: Iterable[tuple[int, Batch]],
    save: Callable[[int, Batch, list[Scored]], None],
    progress: Progress,
) -> None:
    """Score numbered batches in order and hand each to `save` as soon as it is done.

    Raises:
        ScoringError: when the model fails, or answers with another number of rewards than asked.
    """
    for number, batch in batches:
        save(number, batch, score_checked(model, batch.conversations))
        progress.advance(len(batch.conversations), batch.label)


def score_checked(model: RewardModel, conversations: Sequence[Conversation]) -> list[Scored]:
    """Score conversations together, and make sure of one answer each that is a finite number or says why not.

    An attribute that is no finite number is left out, as if the model had not given it.

    Raises:
        ScoringError: when the model fails, or breaks that promise.
    """
    return _all_checked(model.score_batch(conversations), len(conversations), "conversation")


def compare_checked(model: RewardModel, pairs: Sequence[tuple[Conversation, Conversation]]) -> list[Scored]:
    """Compare conversations pair by pair, with the same checks as `score_checked`.

    Raises:
        ScoringError: when the model fails, or does not answer once a pair.
    """
    return _all_checked(model.compare_batch(pairs), len(pairs), "pair")


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
