"""What a scan holds is not searched for cycles, and afterwards all is as before."""

from __future__ import annotations

import gc
import weakref

import pytest

from rmaudit.garbage import building, sparing


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.self = self


def test_nothing_is_searched_while_building() -> None:
    with sparing():
        with building():
            assert not gc.isenabled()
            kept = Knot()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
    gone = weakref.ref(kept)
    del kept
    gc.collect()
    assert gone() is None


def test_it_ends_with_a_failure_too() -> None:
    with pytest.raises(ValueError, match="no"), sparing(), building():
        raise ValueError("no")
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_search_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with sparing(), building():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
