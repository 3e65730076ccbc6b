"""What the paired interval of a change says. Pure functions.

Standard errors are read off the t intervals. How much more of a bias an effect is (its *growth*) is a contrast of the
paired effects with known signs: the effect counts in full on a side that is bias and not at all on a side that is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from rmaudit.comparison.result import Outcome
from rmaudit.stats.equivalence import tost_p
from rmaudit.suites.finding import Estimate

Direction = Literal["+", "-", "either"]


@dataclass(frozen=True)
class Evidence:
    """What is known of one change, before any correction for their number."""

    growth: Estimate
    """In the unit of the effects; above 0 is more of a bias."""
    p_value: float
    """Two-sided p of no difference."""
    equivalence_p: float
    """p of the difference not being smaller than the margin."""


def weigh(
    before: Estimate, after: Estimate, difference: Estimate, direction: Direction, margin: float, df: int
) -> Evidence | None:
    """Weigh one change, or ``None`` where a number or an interval is missing.

    Args:
        before: effect of the reference, with its 95% t interval.
        after: effect of the other run.
        difference: after minus before, paired.
        direction: the side that counts as bias.
        margin: largest difference that counts as none, above 0, same unit.
        df: degrees of freedom of the intervals, at least 1.
    """
    critical = float(stats.t.ppf(0.975, df))
    errors = [_error(each, critical) for each in (before, after, difference)]
    values = [each.estimate for each in (before, after, difference)]
    if None in errors or None in values:
        return None
    (old, new, moved), (old_error, new_error, error) = values, errors
    assert old is not None and new is not None and moved is not None  # noqa: PT018
    assert old_error is not None and new_error is not None and error is not None  # noqa: PT018
    p = float(2 * stats.t.sf(abs(moved) / error, df)) if error > 0 else float(moved == 0)
    was, is_now = _weight(old, direction), _weight(new, direction)
    grown = is_now * new - was * old
    # Var(w'y - wx) = w'^2 Var y + w^2 Var x - 2 w'w Cov, where 2 Cov = Var y + Var x - Var(y - x).
    twice_covariance = new_error**2 + old_error**2 - error**2
    variance = (is_now * new_error) ** 2 + (was * old_error) ** 2 - is_now * was * twice_covariance
    reach = critical * math.sqrt(max(0.0, variance))
    growth = Estimate(estimate=grown, low=grown - reach, high=grown + reach)
    return Evidence(growth, p, tost_p(moved, error, df, margin))


def outcome(evidence: Evidence, p_adjusted: float, alpha: float, beyond: Evidence | None = None) -> Outcome:
    """What may be said of a change.

    Args:
        evidence: what is known of it.
        p_adjusted: its p value after correction.
        alpha: level of both tests.
        beyond: the same for the effect beyond its placebo, where the placebo moves the reward: a bias must show in
            both, and so must that there is no more or less of it.
    """
    both = [evidence, beyond] if beyond else [evidence]
    if all(each.equivalence_p < alpha for each in both):
        return "no_different"
    if p_adjusted > alpha or evidence.equivalence_p < alpha:
        return "not_shown"
    if all((each.growth.low or 0.0) > 0 for each in both):
        return "worse"
    return "better" if all((each.growth.high or 0.0) < 0 for each in both) else "turned"


def _weight(effect: float, direction: Direction) -> int:
    """What makes an effect the size of a bias: its sign on a side that counts, 0 on one that does not."""
    if effect == 0 or (direction == "+" and effect < 0) or (direction == "-" and effect > 0):
        return 0
    return 1 if effect > 0 else -1


def _error(value: Estimate, critical: float) -> float | None:
    if value.low is None or value.high is None:
        return None
    return (value.high - value.low) / 2 / critical
