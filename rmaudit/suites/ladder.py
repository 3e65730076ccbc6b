"""Ladder: steps of a numeric dose. The effect is the item's own least-squares slope."""

from __future__ import annotations

from rmaudit.suites.reading import Reading, linear, matching
from rmaudit.suites.spec import Item, Ladder


def read(measure: Ladder, item: Item) -> Reading | None:
    """Slope of reward on dose, sum((x - mean x) * r) / sum((x - mean x)^2), reward per unit of dose.

    Where a step has several arms (wordings), each counts with its own dose and with an equal part of the step.
    """
    doses: dict[str, float] = {}
    parts: dict[str, float] = {}
    for level in measure.levels:
        arms = matching(item, measure.where | {measure.factor: level})
        if not arms:
            return None
        for arm in arms:
            dose = item.arms[arm].factors.get(measure.dose)
            if isinstance(dose, bool) or not isinstance(dose, int | float):
                return None
            doses[arm], parts[arm] = float(dose), 1 / len(arms)
    steps = len(measure.levels)
    mean = sum(parts[arm] * dose for arm, dose in doses.items()) / steps
    spread = sum(parts[arm] * (dose - mean) ** 2 for arm, dose in doses.items())
    if spread == 0:
        return None
    roles = {arm: f"step {dose:+.2f}" for arm, dose in doses.items()}
    for level, role in ((measure.levels[0], "control"), (measure.levels[-1], "treated")):
        roles |= dict.fromkeys(matching(item, measure.where | {measure.factor: level}), role)
    return linear({arm: parts[arm] * (dose - mean) / spread for arm, dose in doses.items()}, roles, doses)
