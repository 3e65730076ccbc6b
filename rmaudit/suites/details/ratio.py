"""One effect as a part of another on the same items: what is filler worth, when content is worth one?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rmaudit.stats.intervals import bootstrap_interval, cluster_means, mean_interval
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level

if TYPE_CHECKING:
    from rmaudit.suites.reading import Reading
    from rmaudit.suites.spec import Item


class Difference(BaseModel):
    """Mean reward at one level of a factor minus that at another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factor: str
    treated: Level
    control: Level
    where: dict[str, Level] = Field(default_factory=dict)
    title: str = ""

    @property
    def name(self) -> str:
        """Its title, or what it compares."""
        return self.title or f"{self.factor}: {self.treated} against {self.control}"

    def read(self, item: Item) -> Reading | None:
        """The difference as an item shows it, ``None`` where the item lacks the arms."""
        from rmaudit.suites.reading import difference, matching

        treated = matching(item, self.where | {self.factor: self.treated})
        control = matching(item, self.where | {self.factor: self.control})
        return difference(treated, control) if treated and control else None


class Ratio(DetailSpec):
    """A difference over another one, on the items that have both."""

    detail: Literal["ratio"]
    of: Difference
    to: Difference
    title: str = ""
    ideal: str | None = None

    def compute(self, context: Context) -> Detail:
        """The ratio of the mean differences with a bootstrap interval over clusters.

        It is null where the difference below the line is not clearly above zero.
        """
        above, below, clusters = [], [], []
        for item in context.items:
            have = context.rewards.get(item.id, {})
            first, second = self.of.read(item), self.to.read(item)
            if first and second and first.roles.keys() | second.roles.keys() <= have.keys():
                above.append(first.effect(have))
                below.append(second.effect(have))
                clusters.append(item.cluster)
        if len(set(clusters)) < 3:
            raise ValueError(f"{len(set(clusters))} prompts have all the arms")
        top, bottom = cluster_means(above, clusters), cluster_means(below, clusters)
        values = []
        for name, means in ((self.of.name, top), (self.to.name, bottom)):
            found = mean_interval(means, range(len(means)))
            estimate = Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
            values.append(DetailValue(label=f"{name} (SRD)", estimate=estimate, n_clusters=len(means)))
        answer = Detail(
            detail=self.detail,
            title=self.title or f"{self.of.name}, as a part of {self.to.name}",
            estimate=Estimate(estimate=None),
            unit="ratio",
            ideal=self.ideal,
            formula=f"mean effect of {self.of.name} over mean effect of {self.to.name}, on the same prompts",
            values=values,
        )
        if (values[1].estimate.low or 0.0) <= 0:
            why = f"The effect of {self.to.name} is not clearly above 0, so that nothing can be a part of it."
            return answer.model_copy(update={"reason": why})

        def ratio(drawn: np.ndarray) -> np.ndarray:
            result: np.ndarray = top[drawn].mean(axis=-1) / bottom[drawn].mean(axis=-1)
            return result

        found = bootstrap_interval(ratio, len(top), context.seed, vectorized=True)
        estimate = Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
        return answer.model_copy(update={"estimate": estimate})
