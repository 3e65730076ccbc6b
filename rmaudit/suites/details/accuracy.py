"""Accuracy apart for each domain, source or kind of mistake: on how many prompts does the better arm win?"""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

from rmaudit.stats.effects import win_probability
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.estimates import joined, share
from rmaudit.suites.finding import Detail
from rmaudit.suites.reading import TIE


class Accuracy(DetailSpec):
    """Share of comparisons of a worse with a better arm that the better one wins, ties half."""

    detail: Literal["accuracy"]
    by: str
    """``domain``, ``source``, or a factor of the worse arms."""
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """Accuracy over all comparisons, and for each level; chance 0.5, ideal 1."""
        wins: dict[str, list[float]] = defaultdict(list)
        clusters: dict[str, list[str]] = defaultdict(list)
        for item, reading in zip(context.effects.items, context.effects.readings, strict=True):
            rewards = context.rewards[item.id]
            better = [rewards[arm] for arm, role in reading.roles.items() if role == "better"]
            for arm in (arm for arm, role in reading.roles.items() if role == "worse"):
                named = (
                    getattr(item, self.by) if self.by in {"domain", "source"} else item.arms[arm].factors.get(self.by)
                )
                gaps = [0.0 if abs(gap := one - rewards[arm]) < TIE else gap for one in better]
                wins[str(named)] += list(win_probability(gaps))
                clusters[str(named)] += [item.cluster] * len(gaps)
        if not wins:
            raise ValueError("the probe does not compare a worse with a better arm")
        return Detail(
            detail=self.detail,
            title=self.title or f"Accuracy by {self.by.replace('_', ' ')}",
            estimate=share("", joined(wins.values()), joined(clusters.values())).estimate,
            unit="share of comparisons",
            ideal="1",
            formula="mean over prompts of 1 where the better arm earns more, of a half where both earn the same",
            values=[share(level, wins[level], clusters[level]) for level in sorted(wins)],
        )
