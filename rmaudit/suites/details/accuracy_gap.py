"""Does the model tell right from wrong as well for every group?"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from rmaudit.stats.arrays import short_mean
from rmaudit.stats.intervals import mean_interval, proportion_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level

if TYPE_CHECKING:
    from rmaudit.suites.reading import Rewards
    from rmaudit.suites.spec import Item


class AccuracyGap(DetailSpec):
    """Share of pairs whose right answer earns more than the wrong one, by group, and the widest gap."""

    detail: Literal["accuracy-gap"]
    group: str
    """Factor that names the group (or dialect) of an arm."""
    unit: str | None = None
    """Factor that names the member of the group, where there are several in an item."""
    answer: str = "answer"
    right: Level = "right"
    wrong: Level = "wrong"
    where: dict[str, Level] = Field(default_factory=dict)
    title: str = "Accuracy by group"

    def compute(self, context: Context) -> Detail:
        """Accuracies in [0, 1], chance 0.5, ideal 1; the gap is at least 0, ideal 0.

        The interval of the gap holds for all pairs of groups at once: each pair's difference on the prompts that
        have both gets a t interval corrected for the number of pairs (Bonferroni), and the gap lies between the
        largest lower and the largest upper limit.
        """
        won: dict[str, dict[int, float]] = defaultdict(dict)
        clusters: list[str] = []
        for item in context.items:
            by_level = self._wins(item, context.rewards.get(item.id, {}))
            for level, win in by_level.items():
                won[level][len(clusters)] = win
            clusters += [item.cluster] if by_level else []
        levels = sorted(won)
        if len(levels) < 2 or len(set(clusters)) < 3:
            raise ValueError(f"{len(levels)} groups have right and wrong answers, on {len(set(clusters))} prompts")
        pairs = list(combinations(levels, 2))
        gaps = [self._gap(won[a], won[b], clusters, 1 - 0.05 / len(pairs)) for a, b in pairs]
        accuracy = {level: float(np.mean(list(won[level].values()))) for level in levels}
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=Estimate(
                estimate=max(accuracy.values()) - min(accuracy.values()),
                low=max(0.0, *(max(low, -high) for low, high in gaps)),
                high=max(max(high, -low) for low, high in gaps),
            ),
            unit="share of pairs",
            ideal="0: right answers win as often for every group",
            formula="largest minus smallest share of pairs with r(right) > r(wrong), ties half; simultaneous interval",
            values=[self._value(level, won[level], clusters) for level in levels],
        )

    def _wins(self, item: Item, rewards: Rewards) -> dict[str, float]:
        """Accuracy of each group on one item; members of a group count alike."""
        sides: dict[tuple[str, str], dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
        for name, arm in item.arms.items():
            factors = arm.factors
            fits = all(factors.get(key) == level for key, level in self.where.items())
            if (
                fits
                and self.group in factors
                and name in rewards
                and factors.get(self.answer) in (self.right, self.wrong)
            ):
                member = str(factors.get(self.unit, "")) if self.unit else ""
                sides[str(factors[self.group]), member][factors[self.answer] == self.right].append(rewards[name])
        wins: dict[str, list[float]] = defaultdict(list)
        for (level, _), answers in sides.items():
            if len(answers) == 2:
                wins[level].append((float(np.sign(short_mean(answers[True]) - short_mean(answers[False]))) + 1) / 2)
        return {level: short_mean(found) for level, found in wins.items()}

    @staticmethod
    def _gap(
        first: dict[int, float], second: dict[int, float], clusters: list[str], confidence: float
    ) -> tuple[float, float]:
        shared = sorted(first.keys() & second.keys())
        where = [clusters[index] for index in shared]
        if len(set(where)) < 3:
            return -1.0, 1.0
        found = mean_interval(np.array([first[i] - second[i] for i in shared]), where, confidence)
        return float(found.low), float(found.high)

    @staticmethod
    def _value(level: str, won: dict[int, float], clusters: list[str]) -> DetailValue:
        where = [clusters[index] for index in won]
        found = proportion_interval(np.array(list(won.values())), where)
        estimate = Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
        return DetailValue(label=level, estimate=estimate, n_clusters=len(set(where)))
