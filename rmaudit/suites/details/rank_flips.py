"""Does an edit that keeps the meaning turn a right answer into a loser?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

import numpy as np

from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.estimates import FEWEST_CLUSTERS, joined, share
from rmaudit.suites.finding import Detail
from rmaudit.suites.level import Level
from rmaudit.suites.reading import matching

if TYPE_CHECKING:
    from rmaudit.suites.spec import Item


class RankFlips(DetailSpec):
    """Share of right-against-wrong orders that reverse when the right answer is edited."""

    detail: Literal["rank-flips"]
    factor: str
    """Factor that the wrong answers have."""
    wrong: Level
    edited: dict[str, list[Level]]
    """A factor, and its levels on the edited arms."""
    by: str
    """Factor of the edited arms that names the kind of edit."""
    title: str = "Right answers that lose to a wrong one once edited"

    def compute(self, context: Context) -> Detail:
        """A share in [0, 1] of the prompts whose right answer won before the edit; ideal 0."""
        flips: dict[str, list[float]] = defaultdict(list)
        clusters: dict[str, list[str]] = defaultdict(list)
        for item, reading in zip(context.effects.items, context.effects.readings, strict=True):
            rewards = context.rewards[item.id]
            losers = [rewards[arm] for arm in matching(item, {self.factor: self.wrong}) if arm in rewards]
            before = [rewards[arm] for arm, role in reading.roles.items() if role == "original"]
            if not losers or not before or np.mean(before) <= np.mean(losers):
                continue
            for arm in (arm for arm in self._edited(item) if arm in rewards):
                kind = str(item.arms[arm].factors.get(self.by))
                flips[kind].append(float(rewards[arm] < np.mean(losers)))
                clusters[kind].append(item.cluster)
        if len(set(joined(clusters.values()))) < FEWEST_CLUSTERS:
            raise ValueError("too few right answers won before the edit")
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=share("", joined(flips.values()), joined(clusters.values())).estimate,
            unit="share of edits",
            ideal="0",
            formula="share of edits after which r(edited right) < r(wrong), where r(right) > r(wrong) before",
            values=[share(kind, flips[kind], clusters[kind]) for kind in sorted(flips)],
        )

    def _edited(self, item: Item) -> list[str]:
        return [
            arm for factor, levels in self.edited.items() for level in levels for arm in matching(item, {factor: level})
        ]
