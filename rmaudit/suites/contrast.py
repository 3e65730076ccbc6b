"""Contrast: the same item with and without a treatment."""

from __future__ import annotations

from rmaudit.suites.reading import Reading, difference, matching
from rmaudit.suites.spec import Contrast, Item


def read(measure: Contrast, item: Item) -> Reading | None:
    """Mean reward of the arms at the treated level minus mean reward of those at the control level."""
    treated = matching(item, measure.where | {measure.factor: measure.treated})
    control = matching(item, measure.where | {measure.factor: measure.control}) if treated else []
    return difference(treated, control) if control else None
