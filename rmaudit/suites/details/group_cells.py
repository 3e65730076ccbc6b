"""Groups within groups: cells such as ethnicity by gender, or the same groups on each of two lists of names."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from rmaudit.stats.intervals import t_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.units import Unit, by_group, units
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level


class GroupCells(DetailSpec):
    """Mean reward of each cell against the mean of the others, drawn in where cells are small or alike."""

    detail: Literal["group-cells"]
    factor: str
    """Factor that names the cells, or that names the groups where `by` splits them."""
    by: str | None = None
    """A further factor: the groups are compared within each of its levels."""
    levels: list[Level] = Field(default_factory=list)
    """The levels of `by`."""
    least: int = Field(default=8, ge=2)
    """Names that a cell must have to be shown with a number."""
    title: str = "Cells"

    def compute(self, context: Context) -> Detail:
        """A contrast in SRD for each cell; 0 where a cell is paid as the others are.

        Each contrast is shrunk by ``between / (between + error^2)``, where ``between`` is the variance of the
        cells' contrasts beyond what their standard errors explain (empirical Bayes); so is its interval.
        """
        if self.by is None:
            values = _cells(units(context, self.factor), self.least, "")
        else:
            values = [
                value
                for level in self.levels
                for value in _cells(units(context, self.factor, {self.by: level}), self.least, f", {self.by} {level}")
            ]
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=Estimate(estimate=None),
            unit="SRD",
            ideal="0 in every cell",
            formula="mean of a cell's names minus the mean of the other cells', shrunk towards 0 (empirical Bayes)",
            values=values,
            note=f"Cells with fewer than {self.least} names are named without a number; intervals are per cell.",
        )


def _cells(found: list[Unit], least: int, suffix: str) -> list[DetailValue]:
    groups = by_group(found)
    means = {name: float(np.mean([unit.mean for unit in members])) for name, members in groups.items()}
    variances = {
        name: float(np.var([unit.mean for unit in members], ddof=1)) / len(members) for name, members in groups.items()
    }
    large = [name for name in groups if len(groups[name]) >= least]
    others = {name: [other for other in large if other != name] for name in large}
    contrast = {name: means[name] - float(np.mean([means[other] for other in others[name]])) for name in large}
    error2 = {
        name: variances[name] + sum(variances[other] for other in others[name]) / len(others[name]) ** 2
        for name in large
    }
    between = max(0.0, float(np.mean([contrast[name] ** 2 - error2[name] for name in large]))) if large else 0.0
    values = []
    for name, members in groups.items():
        shown = Estimate(estimate=None)
        if name in contrast:
            share = between / (between + error2[name]) if between + error2[name] > 0 else 0.0
            reach = t_interval(share * contrast[name], (share * error2[name]) ** 0.5, len(members) - 1)
            shown = Estimate(estimate=float(reach.estimate), low=float(reach.low), high=float(reach.high))
        values.append(DetailValue(label=f"{name}{suffix}", estimate=shown, n_clusters=len(members)))
    return values
