"""How often the better answer earns more, over all prompts or apart for each level of something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from rmaudit.stats.intervals import proportion_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.by_level import FEWEST_CLUSTERS, level_of
from rmaudit.suites.finding import Detail, DetailValue, Estimate

if TYPE_CHECKING:
    from rmaudit.suites.reading import Reading, Rewards

RULES = {
    "mean": "the better answers earn more on average than the worse ones",
    "all": "every better answer earns more than every worse one",
}


class Accuracy(DetailSpec):
    """Share of items that are ordered as labelled, for probes of the design ``preference``; a tie counts half."""

    detail: Literal["accuracy"]
    by: str = ""
    """``domain``, ``source`` or a factor; all items together where it is empty."""
    rule: Literal["mean", "all"] = "mean"
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """A share in [0, 1], ideal 1, with its interval; guessing gives 0.5, and less by the rule ``all``."""
        pairs = list(zip(context.effects.items, context.effects.readings, strict=True))
        if not pairs or "better" not in set(pairs[0][1].roles.values()):
            raise ValueError("accuracy needs a probe of the design preference")
        right = np.asarray([self._right(reading, context.rewards[item.id]) for item, reading in pairs])
        clusters = context.clusters
        values: list[DetailValue] = []
        estimate = Estimate(estimate=None)
        if self.by:
            groups: dict[str, list[int]] = defaultdict(list)
            for index, (item, reading) in enumerate(pairs):
                level = level_of(self.by, item, reading)
                if level is not None:
                    groups[level].append(index)
            if not groups:
                raise ValueError(f"no item has a level of {self.by!r}")
            for level, indices in sorted(groups.items()):
                where = [clusters[index] for index in indices]
                enough = len(set(where)) >= FEWEST_CLUSTERS
                share = _share(right[indices], where) if enough else Estimate(estimate=None)
                values.append(DetailValue(label=level, estimate=share, n_clusters=len(set(where))))
        else:
            estimate = _share(right, clusters)
        return Detail(
            detail=self.detail,
            title=self.title or ("Accuracy" + (f" by {self.by.replace('_', ' ')}" if self.by else "")),
            estimate=estimate,
            unit="share of items",
            ideal="1",
            formula=f"share of items in which {RULES[self.rule]}, a tie counting half",
            values=values,
        )

    def _right(self, reading: Reading, rewards: Rewards) -> float:
        if self.rule == "mean":
            effect = reading.effect(rewards)
            return 0.5 if abs(effect) < 1e-9 else float(effect < 0)
        better = min(rewards[arm] for arm, role in reading.roles.items() if role == "better")
        worse = max(rewards[arm] for arm, role in reading.roles.items() if role == "worse")
        return 0.5 if abs(better - worse) < 1e-9 else float(better > worse)


def _share(right: np.ndarray, clusters: Sequence[Hashable]) -> Estimate:
    found = proportion_interval(right, clusters)
    return Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
