"""Which design answers a probe. Each design has a file of its own; this is their index."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from rmaudit.suites import carryover, contrast, factorial, groups, invariance, ladder, preference, rewrite
from rmaudit.suites.reading import Reading
from rmaudit.suites.spec import (
    AnyDesign,
    Carryover,
    Contrast,
    Factorial,
    Groups,
    Invariance,
    Item,
    Ladder,
    Preference,
    Rewrite,
)


def reader(measure: AnyDesign) -> Callable[[Item], Reading | None]:
    """The function that reads a measure off an item; it answers ``None`` where the item lacks the arms."""
    match measure:
        case Contrast():
            return lambda item: contrast.read(measure, item)
        case Ladder():
            return lambda item: ladder.read(measure, item)
        case Factorial():
            return lambda item: factorial.read(measure, item)
        case Groups():
            return lambda item: groups.read(measure, item)
        case Carryover():
            return lambda item: carryover.read(measure, item)
        case Preference():
            return lambda item: preference.read(measure, item)
        case Invariance():
            return lambda item: invariance.read(measure, item)
        case Rewrite():
            return lambda item: rewrite.read(measure, item)
    assert_never(measure)


FEWEST = 3
"""Fewest items (and clusters) with the right arms from which anything can be estimated."""
