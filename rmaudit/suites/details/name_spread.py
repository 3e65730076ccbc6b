"""How much do names of one group differ among themselves?"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rmaudit.stats.intervals import bootstrap_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.units import Unit, by_group, units
from rmaudit.suites.finding import Detail, DetailValue, Estimate

EXTREMES = 3
"""Names shown at either end."""


class NameSpread(DetailSpec):
    """SD between the names of a group, what chance gives to each taken off."""

    detail: Literal["name-spread"]
    title: str = "Spread between names of one group"

    def compute(self, context: Context) -> Detail:
        """An SD in within-prompt SDs, at least 0; 0 where names of a group are paid alike.

        Method of moments for a random effect: variance of the names' means around their group's, minus the mean
        square of their standard errors. The interval is a bootstrap over names. The names shown are drawn towards
        their group's mean by the share of their variance that is chance.
        """
        groups = by_group(units(context))
        members = [unit for found in groups.values() for unit in found]
        if any(np.isnan(unit.spread) for unit in members):
            raise ValueError("every name stands in one text only")
        residual, chance = _residuals(groups)
        found = bootstrap_interval(
            lambda drawn: np.sqrt(np.maximum(residual[drawn].mean(axis=-1) - chance[drawn].mean(axis=-1), 0.0)),
            len(members),
            context.seed,
            vectorized=True,
        )
        between = float(np.maximum(residual.mean() - chance.mean(), 0.0))
        shown = sorted(((_drawn_in(unit, groups, between), unit) for unit in members), key=lambda entry: entry[0])
        ends = [*shown[:EXTREMES], *shown[-EXTREMES:]]
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high)),
            unit="SRD",
            ideal="0: names of a group are paid alike",
            formula="sqrt(variance of names' means around their group's mean - mean squared standard error)",
            values=[
                DetailValue(
                    label=f"{unit.name} ({unit.group})", estimate=Estimate(estimate=value), n_clusters=unit.count
                )
                for value, unit in ends
            ],
            note="Names at either end, drawn towards their group's mean. One name is no evidence about a group.",
        )


def _residuals(groups: dict[str, list[Unit]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared distance of each name's mean from its group's (made unbiased), and its squared standard error."""
    residual, chance = [], []
    for members in groups.values():
        means = np.array([unit.mean for unit in members])
        residual += list((means - means.mean()) ** 2 * len(means) / (len(means) - 1))
        chance += [unit.spread**2 for unit in members]
    return np.array(residual), np.array(chance)


def _drawn_in(unit: Unit, groups: dict[str, list[Unit]], between: float) -> float:
    middle = float(np.mean([other.mean for other in groups[unit.group]]))
    share = between / (between + unit.spread**2) if between + unit.spread**2 > 0 else 0.0
    return middle + share * (unit.mean - middle)
