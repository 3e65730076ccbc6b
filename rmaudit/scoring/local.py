"""The local engine: one process, one device, batch after batch, each saved before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
        scored = model.score_batch(batch.conversations)
        if len(scored) != len(batch.conversations):
            raise ScoringError(
                f"The model was given {len(batch.conversations)} conversations and answered with {len(scored)} "
                "rewards. It must answer one reward a conversation, in order."
            )
        save(number, batch, scored)
        progress.advance(len(batch.conversations), batch.label)
