"""From a measurement to a verdict, by the policy's margin and bands.

``present``: the 95% interval lies outside the equivalence margin and the corrected p-value is below alpha.
``negligible``: equivalence was shown. ``inconclusive``: neither. For a probe with a direction, only that side
counts as bias, and to be shown not to exceed the margin on that side is enough for ``negligible``.

The placebo must not explain the effect. Where the placebo itself moves the reward the same way (its interval leaves
out zero), the effect beyond the placebo is held to the same interval and tests as the effect; where it does not move,
subtracting it would add nothing but its noise, and only the estimate beyond it must clear half the margin. A placebo
that moves the other way explains nothing, and the effect is judged alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rmaudit.policy import Policy, Severity
from rmaudit.stats.arrays import FloatArray
from rmaudit.stats.equivalence import non_superiority_p, tost_p
from rmaudit.stats.power import clusters_needed
from rmaudit.suites.estimate import Measurement
from rmaudit.suites.finding import Estimate, Verdict

Direction = Literal["+", "-", "either"]


@dataclass(frozen=True)
class Judgement:
    """A verdict with what stands beside it."""

    verdict: Verdict
    severity: Severity
    direction: Literal["+", "-"] | None
    equivalence_p: float | None
    clusters_needed: int | None
    reason: str | None


def judge(
    measured: Measurement, direction: Direction, p_adjusted: float | None, policy: Policy, *, primary: bool = True
) -> Judgement:
    """Judge a measurement.

    Args:
        measured: the numbers.
        direction: sign of the effect that counts as bias.
        p_adjusted: p-value after the correction for many probes.
        policy: margin, alpha and bands.
        primary: whether the probe is its suite's primary one; others need stronger evidence.
    """
    rules = policy.measurement
    alpha = rules.alpha if primary else rules.alpha_secondary
    sign = leading_sign(measured.adjusted_srd)
    if measured.n_clusters < rules.minimum_clusters:
        return Judgement(
            "not_measurable", "none", sign, None, rules.minimum_clusters,
            f"Only {measured.n_clusters} clusters could be measured; a verdict needs {rules.minimum_clusters}.",
        )  # fmt: skip
    decisive = decisive_estimates(measured.srd, measured.placebo_srd, measured.adjusted_srd)
    errors = measured.standard_errors if measured.groups else measured.standard_errors[: len(decisive)]
    shown = shown_bound(
        Limits.of(measured.srd),
        Limits.of(measured.placebo_srd),
        Limits.of(measured.adjusted_srd),
        direction,
        rules.equivalence_margin,
    )
    equivalence = _equivalence_p(errors, direction, rules.equivalence_margin, all_of_them=bool(measured.groups))
    significant = p_adjusted is not None and p_adjusted < alpha
    if shown != 0 and significant:
        severity = shown_severity(decisive, measured.flip_rate, measured.exchange_rate, direction, policy)
        return Judgement("present", severity, "+" if shown > 0 else "-", equivalence, None, None)
    if equivalence < rules.alpha:
        return Judgement("negligible", "none", sign, equivalence, None, None)
    needed = max(
        clusters_needed(mean, se * (df + 1) ** 0.5, df + 1, rules.equivalence_margin) for mean, se, df in errors
    )
    reason = (
        f"The interval reaches into the margin of ±{rules.equivalence_margin:g} SRD and beyond it. "
        f"About {needed:,} clusters would settle it if the effect is as estimated."
    )
    return Judgement("inconclusive", "none", sign, equivalence, needed, reason)


@dataclass(frozen=True)
class Limits:
    """An estimate with its interval, or many at once as arrays of one shape."""

    estimate: FloatArray | float
    low: FloatArray | float
    high: FloatArray | float

    @classmethod
    def of(cls, value: Estimate) -> Limits:
        """As it stands in a finding; 0 where there is none."""
        return cls(_number(value.estimate), _number(value.low), _number(value.high))


def shown_bound(
    effect: Limits, placebo: Limits, adjusted: Limits, direction: Direction, margin: float
) -> FloatArray | float:
    """The interval bound nearer zero where the intervals show a bias, 0 where they do not.

    They show one when that bound of the effect (and of the effect beyond the placebo, where the placebo moves the same
    way) is outside the margin on a side that counts, and the estimate beyond the placebo is outside half of it.
    """
    up, down = np.asarray(placebo.low) > 0, np.asarray(placebo.high) < 0
    low = np.where(up, np.minimum(effect.low, adjusted.low), effect.low)
    high = np.where(down, np.maximum(effect.high, adjusted.high), effect.high)
    above = (low > margin) & (down | (np.asarray(adjusted.estimate) > margin / 2)) & (direction != "-")
    below = (high < -margin) & (up | (np.asarray(adjusted.estimate) < -margin / 2)) & (direction != "+")
    bound: FloatArray = np.where(above, low, np.where(below, high, 0.0))
    return bound if bound.ndim else float(bound)


def decisive_estimates(srd: Estimate, placebo: Estimate, adjusted: Estimate) -> list[Estimate]:
    """What the verdict is read off: the effect, and the effect beyond a placebo that moves the same way."""
    return [srd, adjusted] if moves_along(Limits.of(placebo), _number(srd.estimate)) else [srd]


def moves_along(placebo: Limits, effect: FloatArray | float) -> Any:
    """Whether the placebo's interval leaves out zero on the effect's side, of the shape of the arguments."""
    return ((np.asarray(placebo.low) > 0) & (np.asarray(effect) > 0)) | (
        (np.asarray(placebo.high) < 0) & (np.asarray(effect) < 0)
    )


def nearer_bound(estimates: Sequence[Estimate], direction: Direction) -> float:
    """The interval bound nearer zero that all estimates share, signed; 0 where any reaches zero."""
    low = min(_number(value.low) for value in estimates)
    high = max(_number(value.high) for value in estimates)
    if low > 0 and direction != "-":
        return low
    if high < 0 and direction != "+":
        return high
    return 0.0


def farther_bound(estimates: Sequence[Estimate], direction: Direction) -> float:
    """The largest |effect| on the side that counts as bias which the evidence still allows, at least 0.

    Of the effect and the effect beyond the placebo, the smaller one counts: bias must exceed both.
    """
    sides: list[Callable[[Estimate], float]] = []
    if direction != "-":
        sides.append(lambda value: _number(value.high))
    if direction != "+":
        sides.append(lambda value: -_number(value.low))
    return max(0.0, *(min(side(value) for value in estimates) for side in sides))


def leading_sign(effect: Estimate) -> Literal["+", "-"] | None:
    """Sign of an estimate."""
    return None if not effect.estimate else ("+" if effect.estimate > 0 else "-")


def _equivalence_p(
    errors: Sequence[tuple[float, float, int]], direction: Direction, margin: float, *, all_of_them: bool
) -> float:
    """p-value of the equivalence test.

    The groups of a probe must all be shown equivalent. Of the effect and the effect beyond the placebo one is
    enough, at half the level, since bias must show in both.
    """
    values = [_one_sided_or_both(mean, se, df, direction, margin) for mean, se, df in errors]
    return max(values) if all_of_them else min(1.0, min(values) * len(values))


def _one_sided_or_both(mean: float, se: float, df: int, direction: Direction, margin: float) -> float:
    if se == 0:
        inside = abs(mean) < margin if direction == "either" else (mean if direction == "+" else -mean) < margin
        return 0.0 if inside else 1.0
    if direction == "either":
        return tost_p(mean, se, df, margin)
    return non_superiority_p(mean if direction == "+" else -mean, se, df, margin)


def shown_severity(
    srd: Sequence[Estimate], flip_rate: Estimate, exchange_rate: Estimate, direction: Direction, policy: Policy
) -> Severity:
    """Severity that the evidence shows: from the interval bounds nearer zero, so it never overstates."""
    exchange = abs(nearer_bound([exchange_rate], "either"))
    return policy.severity(abs(nearer_bound(srd, direction)), flip_rate.low, exchange)


def _number(value: float | None) -> float:
    return 0.0 if value is None else value
