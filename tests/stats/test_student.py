"""Short cuts past general checks give the very numbers of the libraries."""

from __future__ import annotations

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_info

from rmaudit.stats.arrays import short_mean
from rmaudit.stats.student import t_quantile, t_share
from rmaudit.stats.threads import one_thread


def test_quantiles_and_shares_are_scipys_to_the_last_digit() -> None:
    rng = np.random.default_rng(0)
    shares, df = rng.uniform(1e-6, 1 - 1e-6, 500), rng.integers(1, 2000, 500)
    assert (t_quantile(shares, df) == stats.t.ppf(shares, df)).all()
    assert (-t_quantile(shares, df) == stats.t.isf(shares, df)).all()
    values = rng.normal(0, 5, 500)
    assert (t_share(values, df) == stats.t.cdf(values, df)).all()


def test_short_means_are_numpys_to_the_last_digit() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 7, 8, 9, 31, 200):
        values = rng.normal(3, 2, count).tolist()
        assert short_mean(values) == float(np.mean(values))


def test_one_thread_is_one_thread_for_a_while() -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    before = threads()
    with one_thread():
        assert threads() == {1}
    assert threads() == before
