"""The rulers of two runs, paired by prompt: does one tell good answers from bad ones better than the other?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rmaudit.comparison.pairing import FEWEST, SavedRun
from rmaudit.comparison.result import RulerChange
from rmaudit.stats.effects import win_probability
from rmaudit.stats.intervals import mean_interval
from rmaudit.stats.ruler import gold_pairs
from rmaudit.suites.estimate import estimate
from rmaudit.suites.finding import Estimate
from rmaudit.suites.panel import GRADE
from rmaudit.suites.reading import Rewards

NOTHING = Estimate(estimate=None)


def ruler_change(before: SavedRun, after: SavedRun) -> RulerChange:
    """Both rulers, and the difference of panel accuracy on the pairs that both scored."""
    one, two = before.report.ruler, after.report.ruler
    difference, n_prompts = _difference(before, after)
    reason = None
    if difference is None:
        reason = "Fewer than three prompts of the panel have a pair of answers that both models scored."
    return RulerChange(
        accuracy_before=one.accuracy,
        accuracy_after=two.accuracy,
        accuracy_difference=difference or NOTHING,
        n_prompts=n_prompts,
        wsd_before=one.wsd,
        wsd_after=two.wsd,
        tracks_quality_before=one.tracks_quality,
        tracks_quality_after=two.tracks_quality,
        reason=reason,
    )


def _difference(before: SavedRun, after: SavedRun) -> tuple[Estimate | None, int]:
    grades: list[float] = []
    prompts: list[int] = []
    rewards: tuple[list[float], list[float]] = ([], [])
    for index, item in enumerate(before.panel.items):
        first, second = (_arms(run.panel_rewards, item.id) for run in (before, after))
        for arm in sorted(first.keys() & second.keys()):
            grades.append(float(item.arms[arm].factors[GRADE]))
            prompts.append(index)
            rewards[0].append(first[arm])
            rewards[1].append(second[arm])
    if not grades:
        return None, 0
    # Which pairs there are depends on grades and prompts alone, so that both lists are of the same pairs.
    old, new = (gold_pairs(values, grades, prompts) for values in rewards)
    where = old.prompts.tolist()
    if len(set(where)) < FEWEST:
        return None, len(set(where))
    gained = np.asarray(win_probability(new.margins)) - np.asarray(win_probability(old.margins))
    return estimate(mean_interval(gained, where)), len(set(where))


def _arms(rewards: Mapping[str, Rewards], item: str) -> Rewards:
    return rewards.get(item, {})
