"""p values corrected for how many questions were asked. One without an answer (``None``) was not asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats

from rmaudit.stats.arrays import FloatArray

_ROUNDING = 1e-9
"""A p value at a bar reaches it, whatever rounding does to the product."""


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction: bounds the chance of any false alarm (Holm 1979, Scand. J. Stat. 6).

    Args:
        p: p values between 0 and 1; ``None`` stays ``None`` and does not count.

    Returns:
        Adjusted p values in the same order, between 0 and 1, never below the given ones.

    Raises:
        ValueError: when a p value is NaN or outside [0, 1].
    """
    return _corrected(p, "holm")


def benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's correction: bounds the share of false alarms among alarms (1995, JRSS B 57).

    Args:
        p: p values between 0 and 1; ``None`` stays ``None`` and does not count.

    Returns:
        Adjusted p values (q) in the same order, between 0 and 1, never below the given ones.

    Raises:
        ValueError: when a p value is NaN or outside [0, 1].
    """
    return _corrected(p, "fdr_bh")


def raw_level(others: Sequence[float | None], alpha: float, method: Literal["holm", "fdr_bh"]) -> float:
    """Largest p value that one more probe may have and still be below `alpha` after correction beside the others.

    Args:
        others: the raw p values of the other probes; ``None`` does not count.
        alpha: level that the corrected p value is to reach, between 0 and 1.
        method: ``holm`` or ``fdr_bh`` (Benjamini-Hochberg).

    Returns:
        Between ``alpha / n`` and `alpha`, where `n` counts the probe and the others.

    Raises:
        ValueError: when a p value is NaN or outside [0, 1].
    """
    known = [value for value in others if value is not None]
    n = len(known) + 1
    # Both corrections are steps: their bars stand at these values, and between two bars nothing changes.
    bars = [alpha / (n - rank) if method == "holm" else alpha * (rank + 1) / n for rank in range(n)]
    for bar in reversed(bars):
        corrected = _corrected([bar, *known], method)[0]
        if corrected is not None and corrected <= alpha * (1 + _ROUNDING):
            return bar
    return bars[0]


def _corrected(p: Sequence[float | None], method: Literal["holm", "fdr_bh"]) -> list[float | None]:
    known = np.array([value for value in p if value is not None], dtype=np.float64)
    if not ((known >= 0) & (known <= 1)).all():
        raise ValueError("p values must lie between 0 and 1")
    if not len(known):
        return list(p)
    adjusted = iter(_step_down(known) if method == "holm" else stats.false_discovery_control(known, method="bh"))
    return [None if value is None else float(next(adjusted)) for value in p]


def _step_down(p: FloatArray) -> FloatArray:
    """The ``i``-th smallest of `n` values times ``n - i + 1``, and never less than a smaller one's.

    Written here because the one in statsmodels collects garbage at every call, which took most of a report's time.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted
