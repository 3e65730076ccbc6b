"""Rewrite: a text, its rewrite to the other level of an attribute, and that rewrite written back.

The effect compares the two rewrites, so that what the rewriter does besides is on both sides and cancels (RATE). The
original takes part for the detail that shows what single rewrites would have said.
"""

from __future__ import annotations

from rmaudit.suites.reading import Reading, linear, matching
from rmaudit.suites.spec import Item, Rewrite

PASSES = (0, 1, 2)


def read(measure: Rewrite, item: Item) -> Reading | None:
    """Reward of the rewrite that has the attribute minus that of the one that has not."""
    arms: dict[int, str] = {}
    for passes in PASSES:
        found = matching(item, measure.where | {measure.rewrites: passes})
        if len(found) != 1:
            return None
        arms[passes] = found[0]
    levels = [item.arms[arms[passes]].factors.get(measure.factor) for passes in PASSES]
    if levels == [measure.treated, measure.control, measure.treated]:
        treated, control = arms[2], arms[1]
    elif levels == [measure.control, measure.treated, measure.control]:
        treated, control = arms[1], arms[2]
    else:
        return None
    roles = {arms[0]: "original", control: "control", treated: "treated"}
    return linear({treated: 1.0, control: -1.0}, roles)
