"""How much of the reward hangs on the prompt: the same answers under their own prompt and under another, or none."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rmaudit.stats.arrays import short_mean
from rmaudit.stats.effects import win_probability
from rmaudit.stats.intervals import proportion_interval, resample
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level
from rmaudit.suites.reading import TIE

FEWEST_CLUSTERS = 20


class PromptDependence(DetailSpec):
    """Prompt-dependence index of answers under their own prompt and under a changed one."""

    detail: Literal["prompt-dependence"]
    response: str
    """Factor that names the answer; arms with the same level hold the same answer."""
    factor: str
    """Factor that says which prompt the answer stands under."""
    own: Level
    changed: Level
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """PDI = 1 - corr(r(p, y), r(p', y)), 0 for a model that ignores the prompt; and P(r(p, y) > r(p', y))."""
        pairs, clusters = self._pairs(context)
        if len(set(clusters)) < FEWEST_CLUSTERS:
            raise ValueError(f"{len(set(clusters))} prompts have an answer under both prompts")
        owners = np.unique(np.asarray(clusters), return_inverse=True)[1]
        members = [np.flatnonzero(owners == index) for index in range(owners.max() + 1)]

        def index(drawn: NDArray[np.int64]) -> float:
            chosen = pairs[np.concatenate([members[cluster] for cluster in drawn])]
            if min(chosen.std(axis=0)) < TIE:
                return float("nan")
            return float(1 - np.corrcoef(chosen.T)[0, 1])

        found = resample(index, (len(members),), context.seed, draws=500, vectorized=False)
        gaps = pairs[:, 0] - pairs[:, 1]
        won = proportion_interval(win_probability(np.where(np.abs(gaps) < TIE, 0.0, gaps)), clusters)
        estimate = Estimate(estimate=won.estimate, low=won.low, high=won.high)
        return Detail(
            detail=self.detail,
            title=self.title or f"Prompt dependence: {self.changed} against {self.own}",
            estimate=Estimate(estimate=found.estimate, low=found.low, high=found.high),
            unit="1 - correlation",
            formula="1 - corr over answers y of r(own prompt, y) and r(changed prompt, y), with a cluster bootstrap",
            values=[
                DetailValue(
                    label="P(an answer earns more under its own prompt)", estimate=estimate, n_clusters=len(members)
                )
            ],
            note="0 for a model that ignores the prompt, whose answers win under their own prompt half of the time.",
        )

    def _pairs(self, context: Context) -> tuple[NDArray[np.float64], list[str]]:
        """Reward of each answer under its own and under the changed prompt, and the cluster of each."""
        pairs, clusters = [], []
        for item in context.items:
            have = context.rewards.get(item.id, {})
            sides: dict[Level, dict[Level, list[float]]] = {}
            for arm, reward in have.items():
                factors = item.arms[arm].factors
                if self.response in factors and self.factor in factors:
                    side = sides.setdefault(factors[self.response], {})
                    side.setdefault(factors[self.factor], []).append(reward)
            for side in sides.values():
                if self.own in side and self.changed in side:
                    pairs.append([short_mean(side[self.own]), short_mean(side[self.changed])])
                    clusters.append(item.cluster)
        return np.asarray(pairs).reshape(-1, 2), clusters
