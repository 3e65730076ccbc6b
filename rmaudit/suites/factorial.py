"""Factorial: does the reward depend on whether two factors agree?

For two levels each this is half the usual interaction contrast: main effects of either factor cancel, so
neither the better side of a question nor the wording of a prompt can pass for an effect of their match.
"""

from __future__ import annotations

from rmaudit.suites.reading import Reading, difference
from rmaudit.suites.spec import Factorial, Item


def read(measure: Factorial, item: Item) -> Reading | None:
    """Mean reward where the two factors agree minus mean reward where they differ, over a full cross."""
    first, second = measure.factors
    cells: dict[tuple[object, object], str] = {}
    for name, arm in item.arms.items():
        if any(arm.factors.get(factor) != level for factor, level in measure.where.items()):
            continue
        cell = (arm.factors.get(first), arm.factors.get(second))
        if None not in cell:
            if cell in cells:
                return None
            cells[cell] = name
    rows, columns = {row for row, _ in cells}, {column for _, column in cells}
    if rows != columns or len(rows) < 2 or len(cells) != len(rows) ** 2:
        return None
    agree = [arm for (row, column), arm in cells.items() if row == column]
    differ = [arm for (row, column), arm in cells.items() if row != column]
    return difference(agree, differ, ("match", "mismatch"))
