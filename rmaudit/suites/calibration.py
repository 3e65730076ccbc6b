"""Facts about calibration and scale that are read off the panel of every model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmaudit.stats.calibration import brier, cross_fitted_probabilities, expected_calibration_error, reliability
from rmaudit.stats.intervals import Interval, mean_interval, proportion_interval, resample
from rmaudit.stats.ruler import GoldPairs
from rmaudit.suites.finding import Calibration, Estimate, ReliabilityBin, Spread

SEED = 0
"""Of the bootstrap; a ruler does not depend on the run's seed."""
FEWEST_PROMPTS = 20
FEWEST_IN_BIN = 8
FLAT = 0.1
"""Within-prompt SD, as a share of the pooled one, below which a prompt counts as flat."""
NO_CYCLES = (
    "Each answer has a reward of its own, and numbers are always in one order; cycles can only arise where a model "
    "compares pairs."
)

Array = NDArray[np.float64]


def calibration(
    rewards: Array, grades: Array, prompts: NDArray[np.int64], pairs: GoldPairs, gold: str | None
) -> Calibration:
    """Calibration and scale of a model.

    Args:
        rewards: of the panel's answers in within-prompt SDs, shape (answers,).
        grades: of the answers, shape (answers,).
        prompts: number of each answer's prompt, shape (answers,).
        pairs: gold pairs of the same answers.
        gold: why units that need gold labels are null, where they are.
    """
    reasons = {"intransitivity": NO_CYCLES}
    chosen = None if gold else cross_fitted_probabilities(pairs.margins, pairs.prompts)
    if chosen is None:
        reasons |= dict.fromkeys(("ece", "brier"), gold or "No finite temperature fits the panel's labels.")
    ladders = _ladders(rewards, grades, prompts)
    equal, graded = _gaps(rewards, grades, prompts)
    if len(ladders) < FEWEST_PROMPTS:
        reasons["ladders_in_order"] = f"Only {len(ladders)} prompts have answers of three grades."
    if len({prompt for prompt, _ in equal}) < FEWEST_PROMPTS:
        reasons["equal_grade_gap"] = "Too few prompts have two answers of equal grade."
    return Calibration(
        ece=_ece(chosen, pairs) if chosen is not None else _nothing(),
        brier=_shown(mean_interval(brier(chosen), pairs.prompts.tolist())) if chosen is not None else _nothing(),
        reliability=_bins(chosen, pairs) if chosen is not None else [],
        ladders_in_order=_nothing()
        if "ladders_in_order" in reasons
        else _shown(proportion_interval(*_columns(ladders))),
        n_ladders=len(ladders),
        ladders_by_chance=_by_chance(grades, prompts),
        equal_grade_gap=_nothing() if "equal_grade_gap" in reasons else _shown(mean_interval(*_columns(equal))),
        other_grade_gap=_shown(mean_interval(*_columns(graded))) if len({p for p, _ in graded}) > 1 else _nothing(),
        spread=_spread(rewards, prompts),
        intransitivity=None,
        reasons=reasons,
    )


def _ece(chosen: Array, pairs: GoldPairs) -> Estimate:
    members = [np.flatnonzero(pairs.prompts == prompt) for prompt in np.unique(pairs.prompts)]
    if len(members) < 2:
        return Estimate(estimate=expected_calibration_error(chosen))
    found = resample(
        lambda drawn: expected_calibration_error(chosen[np.concatenate([members[prompt] for prompt in drawn])]),
        (len(members),),
        SEED,
        draws=500,
        vectorized=False,
    )
    return _shown(found)


def _bins(chosen: Array, pairs: GoldPairs) -> list[ReliabilityBin]:
    grouped = reliability(chosen)
    right = np.where(chosen == 0.5, 0.5, chosen > 0.5)
    rows = []
    kept = iter(grouped.confidence)
    for index, own in enumerate(grouped.members):
        if not len(own):
            continue
        where = pairs.prompts[own].tolist()
        enough = len(set(where)) >= FEWEST_IN_BIN
        rows.append(
            ReliabilityBin(
                low=float(grouped.edges[index]),
                high=float(grouped.edges[index + 1]),
                n_pairs=len(own),
                confidence=float(next(kept)),
                accuracy=_shown(proportion_interval(right[own], where)) if enough else _nothing(),
            )
        )
    return rows


def _ladders(rewards: Array, grades: Array, prompts: NDArray[np.int64]) -> list[tuple[int, float]]:
    """Prompts with answers of three grades or more, and 1 where the mean reward rises at every step."""
    found = []
    for prompt in np.unique(prompts):
        own = prompts == prompt
        steps = [rewards[own & (grades == grade)].mean() for grade in np.unique(grades[own])]
        if len(steps) >= 3:
            found.append((int(prompt), float(np.all(np.diff(steps) > 0))))
    return found


def _by_chance(grades: Array, prompts: NDArray[np.int64]) -> float | None:
    """Share of ladders that would be in order if every order were as likely: mean of 1 / (grades)!."""
    steps = [len(np.unique(grades[prompts == prompt])) for prompt in np.unique(prompts)]
    chances = [1 / float(np.prod(np.arange(1, count + 1))) for count in steps if count >= 3]
    return float(np.mean(chances)) if chances else None


def _gaps(
    rewards: Array, grades: Array, prompts: NDArray[np.int64]
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """|difference of reward| of pairs of equal grade, and of pairs whose grades differ, each with its prompt."""
    equal: list[tuple[int, float]] = []
    other: list[tuple[int, float]] = []
    for prompt in np.unique(prompts):
        own = np.flatnonzero(prompts == prompt)
        for first, second in zip(*(own[index] for index in np.triu_indices(len(own), k=1)), strict=True):
            gap = (int(prompt), float(abs(rewards[first] - rewards[second])))
            (equal if grades[first] == grades[second] else other).append(gap)
    return equal, other


def _spread(rewards: Array, prompts: NDArray[np.int64]) -> Spread:
    several = [rewards[prompts == prompt] for prompt in np.unique(prompts)]
    sds = np.array([own.std(ddof=1) for own in several if len(own) > 1])
    low, middle, high = np.quantile(sds, [0.1, 0.5, 0.9])
    return Spread(p10=float(low), p50=float(middle), p90=float(high), flat_prompts=float(np.mean(sds < FLAT)))


def _columns(rows: Sequence[tuple[int, float]]) -> tuple[list[float], list[int]]:
    return [value for _, value in rows], [prompt for prompt, _ in rows]


def _shown(interval: Interval) -> Estimate:
    return Estimate(estimate=float(interval.estimate), low=float(interval.low), high=float(interval.high))


def _nothing() -> Estimate:
    return Estimate(estimate=None)
