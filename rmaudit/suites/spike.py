"""Spike recovery: could this run have seen, in this model, what it says is not there?

A known amount of exactly what a probe's design measures is added to the model's own rewards, ``R' = R + b * wSD * f``:
``f`` is 1 on treated arms and 0 on control arms, the dose on a ladder, membership of a group. For carryover one answer
of each item is worth more under both prompts, by as much as raises the effect by ``b`` on average. No conversation is
scored again.

Added evenly, that would move the estimate by ``b`` and prove little. So the addition is scattered over clusters (half
of it to one and a half of it), the model's own effect is taken out, its clusters are drawn again with replacement, and
every repeat is judged as the probe was: interval, margin, placebo, and the p value that the correction beside the
run's other probes asks for.

Where the model's placebo moves towards the side of the addition, taking the effect out leaves that of the placebo: an
addition must stand out from what the edit as such does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rmaudit.policy import MeasurementPolicy
from rmaudit.stats.arrays import FloatArray, cluster_codes, means_by_code
from rmaudit.stats.permutation import against_others
from rmaudit.stats.power import detection_limit
from rmaudit.stats.spike import (
    Repeats,
    repeats,
    scattered,
    slope_through_zero,
    smallest_detected,
    with_addition,
)
from rmaudit.stats.student import t_quantile
from rmaudit.suites.estimate import ItemEffects, Measurement
from rmaudit.suites.finding import Added, Spike
from rmaudit.suites.groups import GroupResult
from rmaudit.suites.spec import Probe
from rmaudit.suites.verdict import Direction, Limits, moves_along, shown_bound

SIZES = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Additions that are reported, in SRD."""
DRAWS = 2000
"""Repeats."""
LARGEST = 20.0
"""Largest addition that is tried for the limit of detection, in SRD."""
_SMALLEST_P = 1 / 10_000
"""No permutation test of 9,999 draws gives less."""
_TINY = 1e-12
_STEPS = 40
"""Halvings of the search for how much is to be added."""

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Recovery:
    """What became of known effects, and the smallest that is seen often enough."""

    spike: Spike
    limit: float | None
    """In SRD; ``None`` where even `LARGEST` is not seen often enough."""


@dataclass(frozen=True)
class Judged:
    """All repeats with an addition of one size, shape ``(DRAWS,)`` each."""

    estimate: FloatArray
    """The effect, positive on the side that the addition is on."""
    covered: BoolArray
    """Whether the interval holds what was put in."""
    present: BoolArray
    """Whether the verdict is ``present``."""


Experiment = Callable[[float], Judged]
"""Judges all repeats with an addition of a size."""


def recover(probe: Probe, measured: Measurement, level: float, rules: MeasurementPolicy, seed: int) -> Recovery | None:
    """Add known effects to a measured probe and see what becomes of them.

    Where there are several ways to add an effect (either side, each group), the one that is hardest to see counts.

    Args:
        probe: the probe.
        measured: what it measured.
        level: raw p value below which the probe's corrected p is small enough beside the run's other probes.
        rules: margin, fewest clusters, share of detections that makes the limit.
        seed: of the repeats.

    Returns:
        ``None`` where there are too few clusters for a verdict.
    """
    if measured.n_clusters < rules.minimum_clusters:
        return None
    start = max(detection_limit(se, df, rules.equivalence_margin) for _, se, df in measured.standard_errors)
    tried = [
        (_limit(experiment, rules, start), experiment)
        for experiment in _experiments(probe, measured, level, rules, seed)
    ]
    limit, hardest = max(tried, key=lambda pair: np.inf if pair[0] is None else pair[0])
    judged = [hardest(size) for size in SIZES]
    risen = [float((each.estimate - judged[0].estimate).mean()) for each in judged]
    spike = Spike(
        slope=slope_through_zero(np.array(SIZES), np.array(risen)),
        coverage=float(np.mean([each.covered for each in judged])),
        detection_share=rules.detection_share,
        added=[
            Added(size=size, recovered=rise, detected=float(each.present.mean()))
            for size, rise, each in zip(SIZES, risen, judged, strict=True)
        ],
    )
    return Recovery(spike, limit)


def _limit(experiment: Experiment, rules: MeasurementPolicy, start: float) -> float | None:
    return smallest_detected(lambda size: float(experiment(size).present.mean()), rules.detection_share, start, LARGEST)


def _experiments(
    probe: Probe, measured: Measurement, level: float, rules: MeasurementPolicy, seed: int
) -> Iterator[Experiment]:
    if measured.groups:
        for result in measured.groups:
            for index in range(len(result.unit_means)):
                yield _of_group(result, index, level * result.share, probe.direction, rules, seed)
        return
    sides = {"+": (1.0,), "-": (-1.0,), "either": (1.0, -1.0)}[probe.direction]
    for side in sides:
        yield _of_mean(measured, side, level, probe.direction, rules, seed)


def _of_mean(
    measured: Measurement, side: float, level: float, direction: Direction, rules: MeasurementPolicy, seed: int
) -> Experiment:
    """An addition to the treated arms, on one side."""
    effects = measured.effects
    codes, n = cluster_codes(effects.clusters)
    counts = repeats(n, DRAWS, seed)
    own = Limits.of(measured.placebo_srd)
    drifted = 0.0 if own.low <= 0 <= own.high else float(own.estimate)
    null = drifted if drifted * side > 0 else 0.0
    gain, drift = _gains(effects)
    share = side * scattered(n, seed)[codes]
    turned = _turned(effects, side, np.abs(share), seed)

    def added_to(values: FloatArray, slope: FloatArray, kept: NDArray[np.intp], null: float) -> _Drawn:
        present, inner = np.unique(codes[kept], return_inverse=True)
        base = means_by_code(values[kept], inner, len(present))

        def rise(rises: FloatArray) -> Callable[[float], Repeats]:
            by_cluster = means_by_code(rises[kept], inner, len(present))
            return with_addition(counts[:, present], base - base.mean() + null, by_cluster)

        if turned is None or not slope.any():
            return _Drawn(rise(slope * share), len(present) - 1)
        return _Drawn(lambda size: rise(turned(size))(1.0), len(present) - 1)

    effect = added_to(effects.effects, gain, np.arange(len(codes)), null)
    placebo = beyond = None
    if effects.placebo is not None:
        paired = np.flatnonzero(~np.isnan(effects.placebo))
        placebo = added_to(effects.placebo, drift, paired, drifted)
        beyond = added_to(effects.effects - effects.placebo, gain - drift, paired, null - drifted)

    def judged(size: float) -> Judged:
        limits, significant = effect.judged(size, level)
        nothing = np.zeros(DRAWS)
        untouched, adjusted = Limits(nothing, nothing, nothing), limits
        if placebo is not None and beyond is not None:
            untouched, _ = placebo.judged(size, level)
            adjusted, also = beyond.judged(size, level)
            significant = significant & (~moves_along(untouched, limits.estimate) | also)
        bound = shown_bound(limits, untouched, adjusted, direction, rules.equivalence_margin)
        return Judged(
            side * cast(FloatArray, limits.estimate),
            _holds(limits, null + side * size),
            (np.asarray(bound) != 0) & significant,
        )

    return judged


@dataclass(frozen=True)
class _Drawn:
    """The mean of something over repeats, as a function of the size of the addition."""

    at: Callable[[float], Repeats]
    df: int

    def judged(self, size: float, level: float) -> tuple[Limits, BoolArray]:
        """Its limits, and whether p is below the level by Student's t, whose p that of random signs comes close to."""
        drawn = self.at(size)
        reach, bar = -t_quantile([0.025, max(level, _SMALLEST_P) / 2], self.df)
        significant = np.abs(drawn.mean) > bar * drawn.error + _TINY
        limits = Limits(drawn.mean, drawn.mean - reach * drawn.error, drawn.mean + reach * drawn.error)
        return limits, significant & (level > _SMALLEST_P)


def _holds(limits: Limits, truth: FloatArray | float) -> BoolArray:
    return (np.asarray(limits.low) <= truth) & (truth <= np.asarray(limits.high))


def _gains(effects: ItemEffects) -> tuple[FloatArray, FloatArray]:
    """How much effect and placebo of each item rise by one unit of the indicator, shapes ``(items,)``.

    Where the effect is no weighted sum (carryover), that is 1 and 0.
    """
    gain, drift = np.ones(len(effects.items)), np.zeros(len(effects.items))
    for i, (reading, control) in enumerate(zip(effects.readings, effects.placebo_readings, strict=True)):
        if reading.indicator:
            gain[i] = reading.effect(reading.indicator)
        if control is not None and not reading.indicator.keys().isdisjoint(control.roles):
            drift[i] = control.effect({arm: reading.indicator.get(arm, 0.0) for arm in control.roles})
    return gain, drift


def _turned(effects: ItemEffects, side: float, share: FloatArray, seed: int) -> Callable[[float], FloatArray] | None:
    """By how much each item of a carryover probe rises, shape ``(items,)``, as a function of the mean rise.

    One answer, drawn by coin, is worth more under both prompts (on the other side: each prompt's own answer is).
    ``None`` for other probes.
    """
    if not effects.preferences:
        return None
    own = np.array([found.shared if side > 0 else found.turning for found in effects.preferences])
    coin = np.where(np.random.default_rng([seed, len(own)]).random(len(own)) < 0.5, -1.0, 1.0) * share

    def risen(amount: float) -> FloatArray:
        found: FloatArray = side * (np.abs(own + amount * coin) - np.abs(own))
        return found

    def rises(size: float) -> FloatArray:
        # The mean rise is convex in the amount, below zero at most at first, and in the end rises by as much.
        low, high = 0.0, size + 2 * float(np.abs(own).mean())
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if side * risen(middle).mean() >= size else (middle, high)
        return risen(high) if size else np.zeros_like(own)

    return rises


def _of_group(
    result: GroupResult, index: int, level: float, direction: Direction, rules: MeasurementPolicy, seed: int
) -> Experiment:
    """An addition to the names of one group. The run's own permutations serve all repeats."""
    side = -1.0 if direction == "-" else 1.0
    drawn = [
        with_addition(
            repeats(len(units), DRAWS, seed + place),
            units - units.mean(),
            side * scattered(len(units), seed) * (place == index),
        )
        for place, units in enumerate(result.unit_means)
    ]
    share = np.full(len(drawn), -1.0 / (len(drawn) - 1))
    share[index] = 1.0

    def judged(size: float) -> Judged:
        groups = [at(size) for at in drawn]
        means, errors = (np.column_stack([getattr(each, part) for each in groups]) for part in ("mean", "error"))
        contrast, error = against_others(means, errors**2)
        error = np.maximum(error * result.se_factor, _TINY)
        reach = result.max_t.critical * error
        limits = Limits(contrast, contrast - reach, contrast + reach)
        nothing = np.zeros_like(contrast)
        bound = shown_bound(limits, Limits(nothing, nothing, nothing), limits, direction, rules.equivalence_margin)
        significant = result.max_t.p_of(np.abs(contrast / error).max(axis=1)) < level
        return Judged(
            side * contrast[:, index],
            np.all(_holds(limits, side * size * share), axis=1),
            np.any(np.asarray(bound) != 0, axis=1) & significant,
        )

    return judged
