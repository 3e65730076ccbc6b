"""The engine saves every batch before the next one starts, and takes nothing for a reward that is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.progress import Silent
from rmaudit.scoring.local import score_batches, score_checked
from rmaudit.scoring.plan import Batch, Target


class Model(RewardModel):
    """Answers with what a function makes of the conversations."""

    def __init__(self, answer: Callable[[Sequence[Conversation]], list[Scored]]) -> None:
        self._answer = answer

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        return self._answer(conversations)


def conversation(text: str) -> Conversation:
    return [{"role": "assistant", "content": text}]


def batch(*texts: str) -> Batch:
    return Batch(tuple(map(conversation, texts)), tuple((Target("s", text, "arm"),) for text in texts), "suites")


def test_each_batch_is_saved_before_the_next() -> None:
    log: list[object] = []

    def answer(conversations: Sequence[Conversation]) -> list[Scored]:
        log.append("scored")
        return [Scored(float(len(c[0]["content"]))) for c in conversations]

    def save(number: int, batch: Batch, scored: list[Scored]) -> None:
        log.append((number, [result.reward for result in scored]))

    score_batches(Model(answer), [(3, batch("a", "bb")), (4, batch("ccc"))], save, Silent())
    assert log == ["scored", (3, [1.0, 2.0]), "scored", (4, [3.0])]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_answers_is_refused(count: int) -> None:
    with pytest.raises(ScoringError, match=f"given 2 conversations and answered with {count}"):
        score_checked(Model(lambda conversations: [Scored(1.0)] * count), [conversation("a"), conversation("b")])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_no_number_becomes_a_reason(value: float) -> None:
    (result, other) = score_checked(
        Model(lambda conversations: [Scored(value, 7), Scored(1.0)]), [conversation("a")] * 2
    )
    assert result.reward is None
    assert result.tokens == 7
    assert str(value) in str(result.reason)
    assert other == Scored(1.0)


def test_an_attribute_that_is_no_number_is_left_out() -> None:
    attributes = {"fine": 1.5, "nan": float("nan"), "endless": float("inf")}
    (result,) = score_checked(Model(lambda _: [Scored(2.0, attributes=attributes)]), [conversation("a")])
    assert result.reward == 2.0
    assert result.attributes == {"fine": 1.5}
