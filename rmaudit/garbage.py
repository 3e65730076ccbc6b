"""Python's search for unreachable cycles, kept away from what a scan holds to its end.

Items, texts and rewards are a million objects without a cycle. Looked through again and again while others are made,
they cost a fifth of a scan whose rewards are stored. While the network computes, all is as usual.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def building() -> Iterator[None]:
    """Around work that makes objects to be kept, and no cycles: nothing is searched in it.

    What is there at its end is not searched later either, until the end of `sparing`.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def sparing() -> Iterator[None]:
    """Around all of it: at its end everything is searched again as before."""
    frozen = gc.get_freeze_count()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
