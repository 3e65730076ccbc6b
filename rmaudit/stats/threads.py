"""Linear algebra of numpy and scipy on one thread.

The products of the statistics are small: waiting for each other costs threads more than they save, the more so where
cores are busy. And sums are then added up in the same order on every machine, however many cores it has.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside; what was allowed before is allowed again after it."""
    with threadpool_limits(1, user_api="blas"):
        yield
