"""What a loaded model must show before it is audited: that its rewards are its own, and depend on the text alone.

Each check ends in one of three ways: passed, failed, or only told (``passed`` is ``None``), where it does not apply
or proves nothing. A failure *stops* a scan where it puts the loading in doubt, for then every number after it would
be about another model: rewards that change with the company, the padding, the order, the time or the copy; a model
that cannot answer, or prefers nonsense. What a rightly loaded model can be like is a result and never stops:
a constant model, for one, is reported as not measurable.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmaudit.conversation import Conversation
from rmaudit.errors import CannotMeasureError, ScoringError, UsageError
from rmaudit.models import sanity
from rmaudit.models.interface import RewardModel, Scored, SelfCheck

CHECKS = {
    "finite": "Weights may be damaged, or overflow in their number type: try --dtype float32. A function must answer.",
    "length": "Give a larger --max-length if the model allows it; this panel is not for a model that reads so little.",
    "repeat": "Something in the model is random, such as dropout that is still on.",
    "loading twice": "Some weight is not in the files and was made up on loading, or the loading is not repeatable.",
    "batch size": "Batch mates or their padding leak into the reward; try --batch-size 1.",
    "order": "The reward depends on the place in the batch; answers may come back in another order than asked.",
    "padding": "The padding is read as text, or shifts the positions; try --batch-size 1.",
    "library": "The reward read here is not the one that the model's own class computes.",
    "float32": "The number type is too coarse for these rewards; try --dtype float32.",
    "spread": "Nothing can be measured with a constant.",
    "ties": "Most pairs are undecided.",
    "saturation": "Most rewards lie at an end of their range, where differences are lost.",
    "sanity": "The sign may be reversed, or the head random; a model of something else than quality may fail too.",
}
"""Every check, in the order of the report, with what its failure may mean."""

LIBRARY_SAMPLE = 8
"""Conversations that are compared with the library's own forward pass, the shortest of the sample."""
SANE = 2 / 3
"""Share of sanity comparisons from which the sign counts as right; hash noise reaches it 1 in 400 times."""
EDGE = 0.01
"""A probability this near 0 or 1 lies where a sigmoid is flat."""

Rewards = NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """What the policy allows."""

    rounding: float
    """Largest difference between two scorings that is put down to rounding, in within-prompt SDs."""
    float32: float
    """The same between the working number type and float32."""
    errors: float
    """Largest share of conversations without a finite reward."""
    reversed_share: float
    """Share of sanity comparisons won, at or below which the sign counts as reversed; see `sanity`."""


def self_test(
    model: RewardModel, conversations: Sequence[Conversation], scale: float | None, limits: Limits
) -> tuple[list[SelfCheck], float | None]:
    """Score a sample in several ways that must agree, and look for signs of a broken model.

    Args:
        model: the loaded model.
        conversations: a sample of what will be scored, about a dozen.
        scale: the model's within-prompt reward SD, in which differences are told, or ``None`` when unknown;
            the SD of the sample's rewards then stands in for it, and differences are told in reward units.
        limits: see there.

    Returns:
        The checks in the order of `CHECKS`, and the noise: root mean square difference between two scorings of the
        same conversation, in reward units, ideal 0; ``None`` when nothing in the sample could be scored, and
        then only the first checks are there.

    Raises:
        ScoringError: when the model fails as a whole.
    """
    different = {json.dumps(conversation): conversation for conversation in conversations}
    conversations = [different[key] for key in sorted(different, key=len)]
    first = model.score_within_memory(conversations)
    kept = [i for i, scored in enumerate(first) if scored.reward is not None]
    sample = [conversations[i] for i in kept]
    rewards = np.array([first[i].reward for i in kept], dtype=np.float64)
    checks = [_finite(first, limits.errors), _length(model, first)]
    if not sample:
        return checks, None
    compare = _Comparison(rewards, scale)
    same = limits.rounding
    again = _rewards(model.score_within_memory(sample))
    alone = _rewards([model.score_within_memory([conversation])[0] for conversation in sample])
    checks += [
        compare("repeat", "scored twice", again, same),
        _loading_twice(model, sample, compare, same),
        compare("batch size", "scored alone and together", alone, same),
        compare("order", "scored in another order", _rewards(model.score_within_memory(sample[::-1]))[::-1], same),
        _padding(model, sample, compare, same),
        _library(model, sample, _Comparison(alone, scale), same),
        _float32(model, sample, compare, limits.float32),
        _spread(rewards),
        _ties(rewards),
        _saturation(rewards),
        _sanity(model, limits.reversed_share),
    ]
    differences = (again - rewards)[np.isfinite(again)]
    noise = float(np.sqrt(np.mean(differences**2))) if len(differences) else None
    return checks, noise


def known_checks(names: Iterable[str]) -> tuple[str, ...]:
    """Names of checks as the user wrote them (``batch-size``, ``Batch size``), as they are in `CHECKS`, each once.

    Raises:
        UsageError: when there is no such check, with the nearest name there is.
    """
    known = []
    for name in names:
        plain = " ".join(name.lower().replace("-", " ").replace("_", " ").split())
        if plain not in CHECKS:
            close = difflib.get_close_matches(plain, CHECKS, n=1)
            hint = f" Did you mean {as_option(close[0])}?" if close else ""
            every = ", ".join(map(as_option, CHECKS))
            raise UsageError(
                f"The self-test has no check {name!r}, so it cannot be accepted.{hint} There are: {every}."
            )
        known.append(plain)
    return tuple(dict.fromkeys(known))


def as_option(name: str) -> str:
    """The name of a check as one word of a command line."""
    return name.replace(" ", "-")


def accept(checks: Iterable[SelfCheck], names: Iterable[str]) -> list[SelfCheck]:
    """The checks, with those marked as accepted that failed and are named."""
    taken = set(names)
    return [check.model_copy(update={"accepted": check.passed is False and check.name in taken}) for check in checks]


def stopping(checks: Iterable[SelfCheck]) -> list[SelfCheck]:
    """The failures that end a scan: those that put the loading in doubt and were not accepted."""
    return [check for check in checks if check.stops and not check.accepted]


def told(checks: Iterable[SelfCheck]) -> str:
    """Failed checks in words: which, what was seen, and what it may mean."""
    return " ".join(f"{check.name}: {check.detail}. {CHECKS.get(check.name, '')}".strip() for check in checks)


class _Comparison:
    """Compares other rewards of a sample with the ones it was made with."""

    def __init__(self, rewards: Rewards, scale: float | None) -> None:
        self.rewards = rewards
        self._scale = scale or None
        self._unit = self._scale or float(np.nanstd(rewards)) or 1.0

    def __call__(self, name: str, how: str, others: Rewards, tolerance: float, *, stops: bool = True) -> SelfCheck:
        """A check that passes where `others`, of the first conversations, differ by at most `tolerance`."""
        differences = np.abs(others - self.rewards[: len(others)])
        lost = int((~np.isfinite(differences)).sum())
        if lost:
            detail = f"{lost} of {len(others)} conversations lost their reward when {how}"
            return SelfCheck(name=name, passed=False, stops=stops, detail=detail)
        raw = float(differences.max())
        worst = raw / self._scale if self._scale else raw
        unit = "within-prompt SD" if self._scale else "reward units"
        limit = tolerance if self._scale else tolerance * self._unit
        passed = bool(raw <= tolerance * self._unit)
        detail = f"{len(others)} conversations {how} differ by at most {worst:.2g} {unit}"
        return SelfCheck(
            name=name,
            passed=passed,
            stops=stops and not passed,
            detail=detail if passed else f"{detail}, where {limit:.2g} is allowed",
            worst_difference=worst,
        )


def _rewards(scored: Sequence[Scored]) -> Rewards:
    """Rewards as an array; NaN here means no reward and stays in this module."""
    return np.array([np.nan if entry.reward is None else entry.reward for entry in scored], dtype=np.float64)


def _finite(scored: Sequence[Scored], allowed: float) -> SelfCheck:
    """Every conversation that was read must get a number.

    Failures stop a scan when they are a larger share of the sample than the policy allows of a whole run. One
    conversation of a dozen says nothing about a share, so one alone does not.
    """
    reasons = [entry.reason for entry in scored if entry.reward is None and not entry.truncated]
    if not reasons:
        read = sum(not entry.truncated for entry in scored)
        return SelfCheck(name="finite", passed=True, detail=f"each of {read} conversations got a finite reward")
    lost = len(reasons)
    stops = lost == len(scored) or (lost > 1 and lost > allowed * len(scored))
    detail = f"{lost} of {len(scored)} conversations got no reward, the first because {reasons[0]}"
    return SelfCheck(name="finite", passed=False, stops=stops, detail=detail)


def _length(model: RewardModel, scored: Sequence[Scored]) -> SelfCheck:
    """What is too long is counted; a model that cannot read most of the panel cannot be audited with it."""
    limit = model.facts.max_length
    if limit is None:
        return SelfCheck(name="length", passed=None, detail="the model has no known limit of length")
    cut = sum(entry.truncated for entry in scored)
    most = cut * 2 > len(scored)
    detail = f"{cut} of {len(scored)} conversations are longer than the {limit:,} tokens that the model reads"
    return SelfCheck(name="length", passed=True if cut == 0 else (False if most else None), stops=most, detail=detail)


def _loading_twice(
    model: RewardModel, sample: Sequence[Conversation], compare: _Comparison, tolerance: float
) -> SelfCheck:
    """A second copy from the same files must give the same rewards: a tensor made up on loading would not."""
    name = "loading twice"
    try:
        second = model.reload()
        if second is None:
            detail = "there is no second copy: nothing that could be loaded again, or no room for it"
            return SelfCheck(name=name, passed=None, detail=detail)
        return compare(name, "scored by a second copy", _rewards(second.score_within_memory(sample)), tolerance)
    except CannotMeasureError as error:
        return SelfCheck(name=name, passed=False, stops=True, detail=f"the second copy failed: {_as_clause(error)}")


def _padding(model: RewardModel, sample: Sequence[Conversation], compare: _Comparison, tolerance: float) -> SelfCheck:
    padded: Callable[..., list[float] | None] | None = getattr(model, "padded_rewards", None)
    left = padded(sample, "left") if padded else None
    if left is None:
        detail = "this model cannot be padded on the left" if padded else "nothing is padded"
        return SelfCheck(name="padding", passed=None, detail=detail)
    return compare("padding", "padded left and right", np.array(left, dtype=np.float64), tolerance)


def _library(model: RewardModel, sample: Sequence[Conversation], compare: _Comparison, tolerance: float) -> SelfCheck:
    plain: Any = getattr(model, "library_reward", None)
    values = [plain(conversation) for conversation in sample[:LIBRARY_SAMPLE]] if plain else [None]
    if None in values:
        return SelfCheck(name="library", passed=None, detail="there is no library's forward pass to compare with")
    how = "scored by the library's own forward pass"
    return compare("library", how, np.array(values, dtype=np.float64), tolerance)


def _float32(model: RewardModel, sample: Sequence[Conversation], compare: _Comparison, tolerance: float) -> SelfCheck:
    """How far the working number type moves rewards. It is the model as it will be used, so this never stops."""
    name, dtype = "float32", model.facts.dtype
    if dtype in (None, "float32", "float64"):
        detail = "there is no number type to compare" if dtype is None else f"the model works in {dtype}"
        return SelfCheck(name=name, passed=None, detail=detail)
    try:
        second = model.reload("float32")
        if second is None:
            return SelfCheck(name=name, passed=None, detail="there is no float32 copy, or no room for it")
        exact = _rewards(second.score_within_memory(sample))
    except CannotMeasureError as error:
        return SelfCheck(name=name, passed=None, detail=f"the float32 copy failed: {_as_clause(error)}")
    check = compare(name, f"scored in {dtype} and float32", exact, tolerance, stops=False)
    pairs = list(combinations(range(len(sample)), 2))
    flips = sum((compare.rewards[i] - compare.rewards[j]) * (exact[i] - exact[j]) < 0 for i, j in pairs)
    return check.model_copy(update={"detail": f"{check.detail}; {flips} of {len(pairs)} pairs change their order"})


def _spread(rewards: Rewards) -> SelfCheck:
    if len(rewards) < 2:
        return SelfCheck(name="spread", passed=None, detail="one reward alone has no spread")
    if np.ptp(rewards) == 0:
        detail = f"all {len(rewards)} conversations get the same reward, {rewards[0]:.6g}"
        return SelfCheck(name="spread", passed=False, detail=detail)
    detail = f"{len(np.unique(rewards))} different rewards among {len(rewards)} conversations"
    return SelfCheck(name="spread", passed=True, detail=detail)


def _ties(rewards: Rewards) -> SelfCheck:
    """Different conversations with one reward are undecided; fails where most pairs are, but for a constant."""
    values, counts = np.unique(rewards, return_counts=True)
    if len(values) == 1:
        return SelfCheck(name="ties", passed=None, detail="there is one reward only, see spread")
    shared = int(counts[counts > 1].sum())
    pairs, tied = len(rewards) * (len(rewards) - 1) // 2, int((counts * (counts - 1) // 2).sum())
    detail = f"{shared} of {len(rewards)} conversations share their reward with another; {tied} of {pairs} pairs tie"
    return SelfCheck(name="ties", passed=tied * 2 <= pairs, detail=detail)


def _saturation(rewards: Rewards) -> SelfCheck:
    """Rewards that pile up at an end of their range; fails where most do, but for a constant."""
    name, n = "saturation", len(rewards)
    low, high = float(rewards.min()), float(rewards.max())
    if low == high:
        return SelfCheck(name=name, passed=None, detail="there is one reward only, see spread")
    probability = low >= 0 and high <= 1
    flat = int(((rewards < EDGE) | (rewards > 1 - EDGE)).sum())
    if probability and flat * 2 > n:
        detail = f"looks like a probability, and {flat} of {n} rewards are within {EDGE} of 0 or 1"
        return SelfCheck(name=name, passed=False, detail=f"{detail}; the number before the sigmoid tells more")
    piled, end, where = max(((rewards == x).sum(), x, word) for x, word in ((low, "smallest"), (high, "largest")))
    if piled * 2 > n:
        detail = f"{piled} of {n} rewards are exactly the {where}, {end:.6g}: they may have been cut off there"
        return SelfCheck(name=name, passed=False, detail=detail)
    if probability:
        return SelfCheck(name=name, passed=None, detail="looks like a probability: all rewards lie from 0 to 1")
    return SelfCheck(name=name, passed=True, detail=f"rewards from {low:.4g} to {high:.4g} do not pile up at an end")


def _sanity(model: RewardModel, reversed_share: float) -> SelfCheck:
    """A good answer should beat a bad one of every kind; one that loses nearly always suggests a reversed sign."""
    asked = sanity.conversations()
    scored: list[Scored] = []
    try:
        for start in range(0, len(asked), model.batch_size):
            scored += model.score_within_memory(asked[start : start + model.batch_size])
    except ScoringError:
        return SelfCheck(name="sanity", passed=None, detail="the model does not score conversations of our own")
    known, shares = sanity.wins(_rewards(scored))
    if known < sanity.ENOUGH:
        detail = f"only {known} of {sanity.COMPARISONS} comparisons with bad answers could be made"
        return SelfCheck(name="sanity", passed=None, detail=detail)
    share = shares["all"]
    stops = sanity.looks_reversed(shares, reversed_share)
    kinds = ", ".join(f"{kind} {won:.0%}" for kind, won in shares.items() if kind != "all" and np.isfinite(won))
    detail = f"a good answer wins {share:.0%} of {known} comparisons with bad ones ({kinds})"
    if not stops and share < SANE:
        detail += ", which shows neither a right sign nor a reversed one"
    return SelfCheck(name="sanity", passed=False if stops else (True if share >= SANE else None), stops=stops,
                     detail=detail)  # fmt: skip


def _as_clause(error: BaseException) -> str:
    return str(error).rstrip(".")
