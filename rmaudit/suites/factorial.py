"""Factorial: does the reward depend on whether two factors agree?

For two levels each this is half the usual interaction contrast: main effects of either factor cancel, so
neither the better side of a question nor the wording of a prompt can pass for an effect of their match.
"""

from __future__ import annotations

from collections import defaultdict

from rmaudit.suites.level import Level
from rmaudit.suites.reading import Reading, linear, matching
from rmaudit.suites.spec import Factorial, Item


def read(measure: Factorial, item: Item) -> Reading | None:
    """Mean reward where the two factors agree minus mean reward where they differ, over a full cross.

    Where a cell has several arms (wordings), their rewards are averaged first.
    """
    first, second = measure.factors
    cells: dict[tuple[Level, Level], list[str]] = defaultdict(list)
    for name in matching(item, measure.where):
        row, column = item.arms[name].factors.get(first), item.arms[name].factors.get(second)
        # A level that `match` leaves out takes no part.
        if row is not None and column is not None and (not measure.match or row in measure.match):
            cells[measure.match.get(row, row), column].append(name)
    rows, columns = {row for row, _ in cells}, {column for _, column in cells}
    if rows != columns or len(rows) < 2 or len(cells) != len(rows) ** 2:
        return None
    agreeing = len(rows)
    weights: dict[str, float] = {}
    roles: dict[str, str] = {}
    for (row, column), arms in cells.items():
        share = 1 / agreeing if row == column else -1 / (len(cells) - agreeing)
        weights |= dict.fromkeys(arms, share / len(arms))
        roles |= dict.fromkeys(arms, "match" if row == column else "mismatch")
    return linear(weights, roles)
