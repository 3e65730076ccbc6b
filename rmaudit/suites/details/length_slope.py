"""How the reward goes with length over the panel's ordinary answers: a description, never a finding."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rmaudit.stats.intervals import Interval
from rmaudit.stats.within_prompt import within_prompt_slope
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate

NOTE = (
    "Description only. Longer answers are often better ones, so a model that pays for quality and not at all for "
    "length has a slope as well; what length itself is worth is the effect of padding."
)


class LengthSlope(DetailSpec):
    """Slope of reward on log2 of the words of real answers, within prompts, over the panel and by domain."""

    detail: Literal["length-slope"]
    title: str = "Reward and length over ordinary answers (description)"

    def compute(self, context: Context) -> Detail:
        """The slope in within-prompt SDs per doubling of length."""
        answers = context.scale.answers
        if answers is None:
            raise ValueError("the panel gave no unit")
        length = np.log2(answers.words)
        values = []
        for domain in sorted(set(answers.domains.tolist())):
            chosen = answers.domains == domain
            prompts = answers.prompts[chosen].tolist()
            try:
                found = _estimate(within_prompt_slope(answers.rewards[chosen], length[chosen], prompts))
            except ValueError:
                found = Estimate(estimate=None)
            values.append(DetailValue(label=domain, estimate=found, n_clusters=len(set(prompts))))
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=_estimate(within_prompt_slope(answers.rewards, length, answers.prompts.tolist())),
            unit="SRD per doubling of length",
            formula="least-squares slope of reward on log2(words), both less their means over the prompt's answers",
            values=values,
            note=NOTE,
        )


def _estimate(found: Interval) -> Estimate:
    return Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
