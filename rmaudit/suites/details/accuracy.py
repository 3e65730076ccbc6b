"""How often the better arm of a comparison earns more, over all prompts and apart for each level of something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from rmaudit.stats.effects import win_probability
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.details.estimates import joined, share
from rmaudit.suites.finding import Detail
from rmaudit.suites.reading import TIE

if TYPE_CHECKING:
    from rmaudit.suites.reading import Reading, Rewards
    from rmaudit.suites.spec import Item

RULES = {
    "each": "the better arm earns more",
    "all": "every better arm of the item earns more than every worse one",
}


class Accuracy(DetailSpec):
    """Share of comparisons of a worse with a better arm that the better one wins, ties half."""

    detail: Literal["accuracy"]
    by: str = ""
    """``domain``, ``source``, or a factor of the worse arms; no levels where it is empty."""
    rule: Literal["each", "all"] = "each"
    title: str = ""

    def compute(self, context: Context) -> Detail:
        """Accuracy over all comparisons, and for each level; ideal 1, chance 0.5, less for the rule ``all``."""
        wins: dict[str, list[float]] = defaultdict(list)
        clusters: dict[str, list[str]] = defaultdict(list)
        for item, reading in zip(context.effects.items, context.effects.readings, strict=True):
            for level, gap in self._gaps(item, reading, context.rewards[item.id]):
                wins[level] += list(win_probability([0.0 if abs(gap) < TIE else gap]))
                clusters[level].append(item.cluster)
        if not wins:
            raise ValueError("the probe does not compare a worse with a better arm")
        return Detail(
            detail=self.detail,
            title=self.title or ("Accuracy" + (f" by {self.by.replace('_', ' ')}" if self.by else "")),
            estimate=share("", joined(wins.values()), joined(clusters.values())).estimate,
            unit="share of comparisons",
            ideal="1",
            formula=f"mean over prompts of 1 where {RULES[self.rule]}, of a half where both earn the same",
            values=[share(level, wins[level], clusters[level]) for level in sorted(wins)] if self.by else [],
        )

    def _gaps(self, item: Item, reading: Reading, rewards: Rewards) -> Iterator[tuple[str, float]]:
        """Level and margin of each comparison of an item."""
        better = [rewards[arm] for arm, role in reading.roles.items() if role == "better"]
        worse = [arm for arm, role in reading.roles.items() if role == "worse"]
        if not better or not worse:
            return
        if self.rule == "all":
            yield self._level(item, worse[0]), min(better) - max(rewards[arm] for arm in worse)
            return
        for arm in worse:
            for one in better:
                yield self._level(item, arm), one - rewards[arm]

    def _level(self, item: Item, arm: str) -> str:
        if not self.by:
            return ""
        return str(getattr(item, self.by) if self.by in {"domain", "source"} else item.arms[arm].factors.get(self.by))
