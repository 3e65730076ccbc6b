"""How much of the reward's variance within a prompt is content, how much style, and how much their mix."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rmaudit.stats.arrays import short_mean
from rmaudit.stats.intervals import resample
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate
from rmaudit.suites.level import Level
from rmaudit.suites.reading import matching

FEWEST_CLUSTERS = 20


class VarianceShares(DetailSpec):
    """Variance components of a two-way layout of contents and styles, one cross a prompt."""

    detail: Literal["variance-shares"]
    content: str
    """Factor that names the content."""
    contents: list[Level]
    style: str
    """Factor that names the style."""
    styles: list[Level]
    title: str = "Content against style: shares of the reward's variance within a prompt"

    def compute(self, context: Context) -> Detail:
        """Shares in [0, 1] that sum to 1; the content share is the headline, ideal 1."""
        tables = self._tables(context)
        n_contents, n_styles = len(self.contents), len(self.styles)
        squares = _mean_squares(tables)

        def shares(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
            content, style, rest = np.moveaxis(squares[drawn].mean(axis=-2), -1, 0)
            # The interaction holds the noise; a component below zero is none.
            parts = np.stack(
                [
                    np.maximum(content - rest, 0) / n_styles,
                    np.maximum(style - rest, 0) / n_contents,
                    rest,
                ],
                axis=-1,
            )
            total = parts.sum(axis=-1, keepdims=True)
            return np.asarray(np.divide(parts, total, out=np.full_like(parts, 1 / 3), where=total > 0))

        def interval(index: int) -> Estimate:
            found = resample(lambda drawn: shares(drawn)[..., index], (len(squares),), context.seed)
            return Estimate(estimate=found.estimate, low=found.low, high=found.high)

        if not squares.any():
            raise ValueError("every answer to a prompt earns the same")
        found = [interval(index) for index in range(3)]
        content, rest = found[0].estimate or 0.0, found[2].estimate or 0.0
        style = found[1].estimate or 0.0
        reliable = content / (content + (style + rest) / n_styles) if content else 0.0
        names = ("content", "style", "content × style, and noise")
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=found[0],
            unit="share of variance",
            ideal="1",
            formula=(
                "two-way random model: share of (MS_content - MS_mix) / styles, of (MS_style - MS_mix) / contents and "
                "of MS_mix in their sum; mean squares over prompts, intervals by cluster bootstrap"
            ),
            values=[
                DetailValue(label=name, estimate=estimate, n_clusters=len(squares))
                for name, estimate in zip(names, found, strict=True)
            ],
            note=f"A mean over {n_styles} styles would tell contents apart with a generalisability of {reliable:.2f}.",
        )

    def _tables(self, context: Context) -> NDArray[np.float64]:
        by_cluster: dict[Hashable, list[NDArray[np.float64]]] = {}
        for item in context.items:
            have = context.rewards.get(item.id, {})
            cells = [
                [matching(item, {self.content: content, self.style: style}) for style in self.styles]
                for content in self.contents
            ]
            if all(cell and all(arm in have for arm in cell) for row in cells for cell in row):
                table = np.array([[short_mean([have[arm] for arm in cell]) for cell in row] for row in cells])
                by_cluster.setdefault(item.cluster, []).append(table)
        if len(by_cluster) < FEWEST_CLUSTERS:
            raise ValueError(f"{len(by_cluster)} prompts have every content in every style")
        return np.stack([np.mean(tables, axis=0) for tables in by_cluster.values()])


def _mean_squares(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean squares of rows, columns and their mix, shape (prompts, 3), of crosses of shape (prompts, rows, columns)."""
    _, rows, columns = tables.shape
    grand = tables.mean(axis=(1, 2), keepdims=True)
    row, column = tables.mean(axis=2, keepdims=True), tables.mean(axis=1, keepdims=True)
    mix = tables - row - column + grand
    return np.stack(
        [
            columns * ((row - grand) ** 2).sum(axis=(1, 2)) / (rows - 1),
            rows * ((column - grand) ** 2).sum(axis=(1, 2)) / (columns - 1),
            (mix**2).sum(axis=(1, 2)) / ((rows - 1) * (columns - 1)),
        ],
        axis=1,
    )
