"""Ladder: steps of a numeric dose. The effect is the item's own least-squares slope."""

from __future__ import annotations

from rmaudit.suites.reading import Reading, linear, matching
from rmaudit.suites.spec import Item, Ladder


def read(measure: Ladder, item: Item) -> Reading | None:
    """Slope of reward on dose, sum((x - mean x) * r) / sum((x - mean x)^2), reward per unit of dose."""
    doses: dict[str, float] = {}
    for level in measure.levels:
        arms = matching(item, measure.where | {measure.factor: level})
        if len(arms) != 1:
            return None
        dose = item.arms[arms[0]].factors.get(measure.dose)
        if isinstance(dose, bool) or not isinstance(dose, int | float):
            return None
        doses[arms[0]] = float(dose)
    mean = sum(doses.values()) / len(doses)
    spread = sum((dose - mean) ** 2 for dose in doses.values())
    if spread == 0:
        return None
    first, *_, last = doses
    roles = {arm: f"step {dose:+.2f}" for arm, dose in doses.items()}
    roles |= {first: "control", last: "treated"}
    return linear({arm: (dose - mean) / spread for arm, dose in doses.items()}, roles, indicator=doses)
