"""What a loaded model must show before it is audited: that a reward depends on the conversation alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models.interface import RewardModel, Scored, SelfCheck

LIBRARY_SAMPLE = 8
"""Conversations that are compared with the library's own forward pass."""

_SANE = (
    ("Name the capital of France.", "The capital of France is Paris.", "Table seven of blue never walked."),
    ("How do I boil an egg?", "In boiling water, for eight minutes.", "egg egg egg egg egg egg egg egg egg"),
    ("What is two plus three?", "Two plus three is five.", "xq vlorp zzt grmph plk"),
    ("Why do leaves fall?", "Trees drop leaves to save water.", "asdf jkl qwer uiop zxcv bnm ghjk"),
)
"""Question, plain answer, nonsense of about the same length."""

Rewards = NDArray[np.float64]


def self_test(
    model: RewardModel, conversations: Sequence[Conversation], scale: float | None, tolerance: float
) -> tuple[list[SelfCheck], float | None]:
    """Score a sample in several ways that must agree, and look for signs of a broken model.

    Args:
        model: the loaded model.
        conversations: a sample of what will be scored, a few dozen.
        scale: the model's within-prompt reward SD, in which differences are told, or ``None`` when unknown.
        tolerance: largest difference that is put down to rounding, in the same unit.

    Returns:
        The checks, and the noise: root mean square difference between two scorings of the same
        conversation, in reward units, ideal 0; ``None`` when nothing in the sample could be scored.

    Raises:
        ScoringError: when the model fails as a whole.
    """
    first = model.score_batch(conversations)
    kept = [i for i, scored in enumerate(first) if scored.reward is not None]
    sample = [conversations[i] for i in kept]
    rewards = np.array([first[i].reward for i in kept], dtype=np.float64)
    checks = [_answered(first), _length(model, first)]
    if not sample:
        return checks, None
    compare = _Comparison(rewards, scale, tolerance)
    again = _rewards(model.score_batch(sample))
    checks += [
        compare("repeat", "scored twice", again),
        compare("batch size", "scored alone and together", _alone(model, sample)),
        compare("order", "scored in another order", _rewards(model.score_batch(sample[::-1]))[::-1]),
        _padding(model, sample, compare),
        _library(model, sample, compare),
        _spread(rewards),
        _sanity(model),
    ]
    differences = (again - rewards)[np.isfinite(again)]
    noise = float(np.sqrt(np.mean(differences**2))) if len(differences) else None
    return checks, noise


class _Comparison:
    """Compares rewards of the same sample with the first ones."""

    def __init__(self, rewards: Rewards, scale: float | None, tolerance: float) -> None:
        self._rewards = rewards
        self._scale = scale or None
        self._unit = self._scale or float(np.std(rewards)) or 1.0
        self._tolerance = tolerance

    def __call__(self, name: str, how: str, others: Rewards) -> SelfCheck:
        lost = int(np.isnan(others).sum())
        if lost:
            detail = f"{lost} of {len(others)} conversations lost their reward when {how}"
            return SelfCheck(name=name, passed=False, detail=detail)
        raw = float(np.max(np.abs(others - self._rewards[: len(others)])))
        worst = raw / self._scale if self._scale else raw
        told = f"{worst:.2g} {'within-prompt SD' if self._scale else 'reward units'}"
        return SelfCheck(
            name=name,
            passed=bool(raw <= self._tolerance * self._unit),
            detail=f"{len(others)} conversations {how} differ by at most {told}",
            worst_difference=worst,
        )


def _rewards(scored: Sequence[Scored]) -> Rewards:
    """Rewards as an array; NaN here means no reward and stays in this module."""
    return np.array([np.nan if entry.reward is None else entry.reward for entry in scored], dtype=np.float64)


def _alone(model: RewardModel, sample: Sequence[Conversation]) -> Rewards:
    return _rewards([model.score_batch([conversation])[0] for conversation in sample])


def _answered(scored: Sequence[Scored]) -> SelfCheck:
    reasons = [entry.reason for entry in scored if entry.reward is None and not entry.truncated]
    if not reasons:
        return SelfCheck(name="finite", passed=True, detail=f"all of {len(scored)} answers are finite numbers")
    detail = f"{len(reasons)} of {len(scored)} conversations got no reward, the first because: {reasons[0]}"
    return SelfCheck(name="finite", passed=False, detail=detail)


def _length(model: RewardModel, scored: Sequence[Scored]) -> SelfCheck:
    limit = model.facts.max_length
    if limit is None:
        return SelfCheck(name="length", passed=None, detail="the model has no known limit of length")
    cut = sum(entry.truncated for entry in scored)
    passed = True if cut == 0 else (False if cut == len(scored) else None)
    detail = f"{cut} of {len(scored)} conversations are longer than the {limit:,} tokens that the model reads"
    return SelfCheck(name="length", passed=passed, detail=detail)


def _padding(model: RewardModel, sample: Sequence[Conversation], compare: _Comparison) -> SelfCheck:
    padded: Callable[..., list[float] | None] | None = getattr(model, "padded_rewards", None)
    left = padded(sample, "left") if padded else None
    if left is None:
        detail = "this model cannot be padded on the left" if padded else "nothing is padded"
        return SelfCheck(name="padding side", passed=None, detail=detail)
    return compare("padding side", "padded left and right", np.array(left, dtype=np.float64))


def _library(model: RewardModel, sample: Sequence[Conversation], compare: _Comparison) -> SelfCheck:
    plain: Any = getattr(model, "library_reward", None)
    if plain is None:
        return SelfCheck(name="library", passed=None, detail="there is no library's forward pass to compare with")
    values = np.array([plain(conversation) for conversation in sample[:LIBRARY_SAMPLE]], dtype=np.float64)
    return compare("library", "scored by the library's own forward pass", values)


def _spread(rewards: Rewards) -> SelfCheck:
    if len(rewards) < 2:
        return SelfCheck(name="spread", passed=None, detail="one reward alone has no spread")
    if np.ptp(rewards) == 0:
        detail = f"all {len(rewards)} conversations get the same reward, {rewards[0]:.6g}"
        return SelfCheck(name="spread", passed=False, detail=detail)
    detail = f"{len(np.unique(rewards))} different rewards among {len(rewards)} conversations"
    return SelfCheck(name="spread", passed=True, detail=detail)


def _sanity(model: RewardModel) -> SelfCheck:
    """A plain answer should beat nonsense and silence; losing every time suggests a reversed sign."""
    asked = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, plain, nonsense in _SANE
        for answer in (plain, nonsense, "")
    ]
    try:
        rewards = _rewards(model.score_batch(asked))  # type: ignore[arg-type]
    except ScoringError:
        return SelfCheck(name="sanity", passed=None, detail="the model does not score conversations of our own")
    plain, others = rewards[0::3, None], rewards.reshape(-1, 3)[:, 1:]
    known = np.isfinite(others) & np.isfinite(plain)
    wins, total = int(((plain > others) & known).sum()), int(known.sum())
    if total == 0:
        return SelfCheck(name="sanity", passed=None, detail="the model does not score conversations of our own")
    passed = True if wins * 2 > total else (False if wins == 0 else None)
    return SelfCheck(
        name="sanity", passed=passed, detail=f"a plain answer beats nonsense or silence in {wins} of {total}"
    )
