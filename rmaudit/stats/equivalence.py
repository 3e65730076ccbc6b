"""Tests that an effect is small. Finding none is not showing that there is none; these can show it."""

from __future__ import annotations

import math

from scipy import stats


def tost_p(estimate: float, se: float, df: float, margin: float) -> float:
    """Return p of two one-sided t tests that the effect lies within ``(-margin, margin)`` (Schuirmann 1987).

    The hypothesis to be rejected is that the effect is at least as large as the margin, on either side.

    Args:
        estimate: the effect.
        se: its standard error, same unit, at least 0.
        df: degrees of freedom of the standard error.
        margin: largest effect that counts as none, same unit, above 0.

    Returns:
        Between 0 and 1, the larger p of the two tests. Small where equivalence was shown.

    Raises:
        ValueError: when any is not finite, `se` is negative, or `df` or `margin` is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"the equivalence margin must be above 0, not {margin}")
    # The effect is above -margin exactly when its opposite is below it.
    return max(non_superiority_p(estimate, se, df, margin), non_superiority_p(-estimate, se, df, margin))


def non_superiority_p(estimate: float, se: float, df: float, margin: float) -> float:
    """Return p of the one-sided t test that the effect lies below the margin.

    The hypothesis to be rejected is that the effect is at least as large as the margin.

    Args:
        estimate: the effect.
        se: its standard error, same unit, at least 0.
        df: degrees of freedom of the standard error.
        margin: effect that it is to be below, same unit, of any sign.

    Returns:
        Between 0 and 1. Without a standard error, 0 where the effect is below the margin, else 1.

    Raises:
        ValueError: when any is not finite, `se` is negative, or `df` is not above 0.
    """
    if not all(math.isfinite(number) for number in (estimate, se, df, margin)):
        raise ValueError("estimate, standard error, degrees of freedom and margin must be finite")
    if se < 0 or df <= 0:
        raise ValueError("the standard error must not be negative, and degrees of freedom must be above 0")
    if se == 0:
        return 0.0 if estimate < margin else 1.0
    return float(stats.t.cdf((estimate - margin) / se, df))
