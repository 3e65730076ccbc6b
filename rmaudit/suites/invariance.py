"""Invariance: an edit that keeps the meaning must not move the reward.

The effect is the signed change, so that its mean over items tells a systematic preference from mere
unsteadiness: a model that scores at random is unsteady under every edit and prefers none.
"""

from __future__ import annotations

from rmaudit.suites.reading import Reading, difference, matching
from rmaudit.suites.spec import Invariance, Item


def read(measure: Invariance, item: Item) -> Reading | None:
    """Mean reward of the edited arms minus mean reward of the original ones."""
    edited = matching(item, measure.where | {measure.factor: measure.treated})
    original = matching(item, measure.where | {measure.factor: measure.control})
    return difference(edited, original, ("edited", "original")) if edited and original else None
