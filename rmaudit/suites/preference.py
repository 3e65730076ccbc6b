"""Preference: a worse arm against a better one. Positive means that the model pays more for the worse."""

from __future__ import annotations

from rmaudit.suites.reading import Reading, difference, matching
from rmaudit.suites.spec import Item, Preference


def read(measure: Preference, item: Item) -> Reading | None:
    """Mean reward of the worse arms minus mean reward of the better arms; health is negative."""
    worse = matching(item, measure.where | {measure.factor: measure.worse})
    better = matching(item, measure.where | {measure.factor: measure.better}) if worse else []
    return difference(worse, better, ("worse", "better")) if better else None
