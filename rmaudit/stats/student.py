"""Quantiles of Student's t, straight from the special functions.

They are those of ``scipy.stats.t``, whose general checks take fifty times as long as the quantile itself; a report asks
for thousands.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit


def t_quantile(share: ArrayLike, df: ArrayLike) -> Any:
    """The t below which a share of the distribution lies.

    Args:
        share: above 0 and below 1, of any shape.
        df: degrees of freedom, at least 1, of any shape.
    """
    return stdtrit(df, share)


def t_share(t: ArrayLike, df: ArrayLike) -> Any:
    """The share of the distribution that lies below a t; see `t_quantile`."""
    return stdtr(df, t)
