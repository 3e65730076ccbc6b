"""Does the size of a margin tell the model's own mistakes from its right choices?"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from rmaudit.stats.intervals import resample
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, Estimate

FEWEST = 8
"""Fewest right choices, and fewest mistakes."""


class OwnErrors(DetailSpec):
    """AUROC of the absolute margin for choices that are right, over items whose worse arm is known."""

    detail: Literal["own-errors"]
    title: str = "Do small margins give mistakes away?"

    def compute(self, context: Context) -> Detail:
        """P(|margin| of a right choice > |margin| of a mistake); 0.5 where margins say nothing, ideal 1."""
        decided = context.values[context.values != 0]
        right, wrong = np.abs(decided[decided < 0]), np.abs(decided[decided > 0])
        if min(len(right), len(wrong)) < FEWEST:
            raise ValueError(f"the model was right {len(right)} times and wrong {len(wrong)} times")

        def auroc(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
            ranks = rankdata(np.concatenate([right[one], wrong[other]]))
            n = len(one)
            return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(other)))

        found = resample(auroc, (len(right), len(wrong)), context.seed, draws=500, vectorized=False)
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=Estimate(estimate=found.estimate, low=found.low, high=found.high),
            unit="AUROC",
            ideal="1",
            formula="P(|r(right) - r(wrong)| is larger where the model is right than where it is wrong)",
            note=f"{len(right)} right choices, {len(wrong)} mistakes.",
        )
