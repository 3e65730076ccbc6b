"""Plots as inline SVG, made of numbers and escaped labels only.

Horizontal positions are percentages of the width, and sizes are pixels: a plot fills whatever space it is given
without its marks or letters being stretched. Colours come from the page's style sheet by class, so that the same
plot serves a light screen, a dark one and paper. Shape says as much as colour does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from rmaudit.reporting import text
from rmaudit.suites.finding import Estimate, Histogram

_INSET = 3.0
"""Percent of the width left free at each end, so that marks at the ends are whole."""

_SHAPES: Final[Mapping[str, Markup]] = {
    "present": Markup('<path class="solid" d="M0-7 7 0 0 7-7 0z"/>'),
    "negligible": Markup('<circle class="solid" r="5.5"/>'),
    "inconclusive": Markup('<circle class="hollow" r="5"/>'),
    "not_measurable": Markup('<path class="stroke" d="M-5-5 5 5M-5 5 5-5"/>'),
    "described": Markup('<path class="hollow" d="M0-6 6 0 0 6-6 0z"/>'),
    "not_tested": Markup('<path class="stroke" d="M-5 0H5"/>'),
    "disclosure_only": Markup('<path class="stroke" d="M-5-5H5V5H-5zM-2.5-1.5h5M-2.5 2h5"/>'),
    "warning": Markup('<path class="stroke" d="M0-6 7 6H-7zM0-2V2M0 4v.5"/>'),
    "placebo": Markup('<rect class="hollow" x="-4.5" y="-4.5" width="9" height="9"/>'),
    "group": Markup('<circle class="solid" r="5"/>'),
    "model": Markup('<circle class="solid" r="5.5"/>'),
    "baseline": Markup('<rect class="hollow" x="-4" y="-4" width="8" height="8"/>'),
}


@dataclass(frozen=True)
class Scale:
    """A linear axis from `low` to `high` (``low < high``)."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Position of a value in percent of the width; what lies beyond the axis is drawn at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_INSET + share * (100 - 2 * _INSET), 2)

    def ticks(self, most: int) -> list[float]:
        """At most about `most` round values, in order."""
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) + 0.0 for index in range(first, last + 1)]


def scale_for(estimates: Sequence[Estimate], margin: float = 0.05, most: float = 2.0) -> Scale:
    """An axis that holds zero, the margin and all intervals, and reaches no further than `most`."""
    values = [
        value
        for estimate in estimates
        for value in (estimate.estimate, estimate.low, estimate.high)
        if value is not None
    ]
    low, high = min([-3 * margin, *values]), max([3 * margin, *values])
    pad = 0.06 * (high - low)
    low, high = max(low - pad, -most), min(high + pad, most)
    return Scale(low, high) if low < high else Scale(-most, most)


def icon(status: str) -> Markup:
    """A status as a small mark; decoration beside the word that says the same."""
    return Markup(
        '<svg class="icon {}" width="16" height="16" viewBox="-8 -8 16 16" aria-hidden="true">{}</svg>'
    ).format(status.replace("_", "-"), _SHAPES[status])


def interval(
    estimate: Estimate,
    scale: Scale,
    mark: str,
    label: str,
    *,
    reference: float = 0.0,
    margin: float | None = None,
    bands: Sequence[float] = (),
    bias: str = "either",
    limit: float | None = None,
    placebo: Estimate | None = None,
) -> Markup:
    """One estimate with its interval on a scale, to be laid under others of the same scale.

    Args:
        estimate: the number; without one the plot says so in its description and shows no mark.
        scale: the axis.
        mark: a key of the shapes, such as a verdict.
        label: what is estimated.
        reference: the value of no effect, drawn as a line.
        margin: half width of the band around `reference` in which effects are treated as nothing.
        bands: lower bounds of the severity bands, rising.
        bias: sides of the reference on which the bands and the limit are drawn, because an effect there counts as
            bias: ``+``, ``-`` or ``either``.
        limit: limit of detection, drawn as a broken line on the sides of `bias`.
        placebo: the placebo's effect, drawn below the estimate.
    """
    beside = placebo is not None and placebo.estimate is not None
    described = _described(estimate, scale)
    parts = [*_backdrop(scale, reference, margin, bands, bias)]
    if limit is not None:
        sides = {"+": (limit,), "-": (-limit,), "either": (-limit, limit)}[bias]
        parts += [_broken(scale, reference + side) for side in sides if scale.low <= reference + side <= scale.high]
        described += f"; limit of detection {text.fixed(limit)}"
    parts += _marked(estimate, scale, mark, "34%" if beside else "50%")
    if placebo is not None and beside:
        parts.append(Markup('<g class="placebo">{}</g>').format(_joined(_marked(placebo, scale, "placebo", "76%"))))
        described += f"; placebo {_described(placebo, scale)}"
    return Markup('<svg class="interval {}" role="img"><title>{}</title><desc>{}</desc>{}</svg>').format(
        mark.replace("_", "-"), label, described, _joined(parts)
    )


def axis(scale: Scale, label: str, *, reference: float = 0.0, share: bool = False, most: int = 5) -> Markup:
    """The ticks of a scale, to be laid under its intervals."""
    parts = []
    for tick in scale.ticks(most):
        shown = text.percent(tick, 0) if share else text.fixed(tick, 2).rstrip("0").rstrip(".")
        parts.append(
            Markup('<line class="tick{}" x1="{at}%" x2="{at}%" y1="0" y2="5"/><text x="{at}%" y="18">{}</text>').format(
                " zero" if tick == reference else "", shown, at=scale.at(tick)
            )
        )
    return Markup(
        '<svg class="axis" role="img"><title>{}</title><line class="rule" x1="0" x2="100%" y1=".5" y2=".5"/>{}</svg>'
    ).format(label, _joined(parts))


def histogram(data: Histogram, label: str, *, margin: float, mean: float | None) -> Markup:
    """Distribution of the items' effects, with the margin around zero and the mean.

    Bars are as high as their counts are large; the outer two also hold what lies beyond the axis.
    """
    height, top = 112.0, 14.0
    scale = Scale(data.edges[0], data.edges[-1])
    parts = [_band(scale, -margin, margin, "margin", height), _bars(data, scale, top, height)]
    parts.append(Markup('<line class="rule" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(y=height))
    if scale.low <= 0 <= scale.high:
        parts.append(
            Markup('<line class="zero" x1="{at}%" x2="{at}%" y1="{}" y2="{}"/>').format(top, height, at=scale.at(0))
        )
    if mean is not None:
        at = scale.at(mean)
        parts.append(
            Markup(
                '<line class="mean" x1="{at}%" x2="{at}%" y1="{}" y2="{}"/><text class="{}" x="{at}%" y="{}">{}</text>'
            ).format(
                top,
                height,
                "start" if at < 20 else "end" if at > 80 else "",
                top - 4,
                f"mean {text.signed(mean)}",
                at=at,
            )
        )
    for tick in scale.ticks(6):
        parts.append(
            Markup('<text x="{}%" y="{}">{}</text>').format(
                scale.at(tick), height + 16, text.fixed(tick, 2).rstrip("0").rstrip(".")
            )
        )
    total = sum(data.counts)
    return Markup('<svg class="histogram" role="img"><title>{}</title><desc>{}</desc>{}</svg>').format(
        label,
        f"{text.count(total)} items between {text.fixed(scale.low)} and {text.fixed(scale.high)} SRD.",
        _joined(parts),
    )


def _bars(data: Histogram, scale: Scale, top: float, height: float) -> Markup:
    """All bars as one path, in thousandths of the width and of the height: small in a file with hundreds of plots."""
    tallest = max([*data.counts, 1])
    steps = []
    for (left, right), n in zip(pairwise(data.edges), data.counts, strict=True):
        if n:
            x, width = round(10 * scale.at(left)), max(round(10 * (scale.at(right) - scale.at(left))) - 3, 1)
            tall = max(round(1000 * n / tallest), 1)
            steps.append(f"M{x} {1000 - tall}h{width}v{tall}h-{width}z")
    return Markup(
        '<svg y="{}" width="100%" height="{}" viewBox="0 0 1000 1000" preserveAspectRatio="none">'
        '<path class="bar" d="{}"/></svg>'
    ).format(top, height - top, "".join(steps))


def shares(parts: Sequence[tuple[str, int]], label: str) -> Markup:
    """Counts as one bar that is split by them; each part has a class of its own."""
    total = max(sum(n for _, n in parts), 1)
    start, drawn = 0.0, []
    for kind, n in parts:
        width = 100 * n / total
        drawn.append(
            Markup('<rect class="{}" x="{}%" width="{}%" height="100%"/>').format(
                kind, round(start, 3), round(width, 3)
            )
        )
        start += width
    described = ", ".join(f"{kind} {n}" for kind, n in parts)
    return Markup('<svg class="shares" role="img"><title>{}</title><desc>{}</desc>{}</svg>').format(
        label, described, _joined(drawn)
    )


def _backdrop(scale: Scale, reference: float, margin: float | None, bands: Sequence[float], bias: str) -> list[Markup]:
    parts = []
    for index, (near, far) in enumerate(pairwise([*bands, math.inf]), start=1):
        sides = {"-": (reference - far, reference - near), "+": (reference + near, reference + far)}
        for side, (low, high) in sides.items():
            if bias in (side, "either") and high > scale.low and low < scale.high:
                parts.append(_band(scale, low, high, f"band-{index}"))
    if margin is not None:
        parts.append(_band(scale, reference - margin, reference + margin, "margin"))
    if scale.low <= reference <= scale.high:
        parts.append(
            Markup('<line class="zero" x1="{at}%" x2="{at}%" y1="0" y2="100%"/>').format(at=scale.at(reference))
        )
    return parts


def _band(scale: Scale, low: float, high: float, kind: str, height: float | None = None) -> Markup:
    # A band that leaves the axis runs to the edge of the plot, and does not stop at the last position.
    left = 0.0 if low <= scale.low else scale.at(low)
    right = 100.0 if high >= scale.high else scale.at(high)
    return Markup('<rect class="{}" x="{}%" width="{}%" height="{}"/>').format(
        kind, left, round(right - left, 3), "100%" if height is None else height
    )


def _described(estimate: Estimate, scale: Scale) -> str:
    if estimate.estimate is None:
        return "no estimate"
    described = text.signed(estimate.estimate)
    if not scale.low <= estimate.estimate <= scale.high:
        return f"{described}, beyond the axis"
    if estimate.low is None or estimate.high is None:
        return described
    return f"{described}, 95% interval {text.signed(estimate.low)} to {text.signed(estimate.high)}"


def _marked(estimate: Estimate, scale: Scale, mark: str, y: str) -> list[Markup]:
    """The mark of an estimate and its whisker, or an arrow where it lies beyond the axis."""
    if estimate.estimate is None:
        return []
    at = scale.at(estimate.estimate)
    if not scale.low <= estimate.estimate <= scale.high:
        side = -1 if estimate.estimate < scale.low else 1
        arrow = Markup('<path class="solid" d="M{} 0 {} -6 {} 6z"/>').format(7 * side, -4 * side, -4 * side)
        return [_placed(arrow, at, y)]
    parts = []
    if estimate.low is not None and estimate.high is not None:
        parts.append(
            Markup('<line class="whisker" x1="{}%" x2="{}%" y1="{y}" y2="{y}"/>').format(
                scale.at(estimate.low), scale.at(estimate.high), y=y
            )
        )
        if estimate.low < scale.low:
            parts.append(_placed(_onwards(-1), scale.at(estimate.low), y))
        if estimate.high > scale.high:
            parts.append(_placed(_onwards(1), scale.at(estimate.high), y))
    return [*parts, _placed(_SHAPES[mark], at, y)]


def _onwards(side: int) -> Markup:
    """An arrow where an interval goes on beyond the axis."""
    return Markup('<path class="stroke" d="M{}-4 0 0 {} 4"/>').format(-5 * side, -5 * side)


def _broken(scale: Scale, value: float) -> Markup:
    return Markup('<line class="limit" x1="{at}%" x2="{at}%" y1="0" y2="100%"/>').format(at=scale.at(value))


def _placed(shape: Markup, at: float, y: str) -> Markup:
    return Markup('<svg x="{}%" y="{}" overflow="visible">{}</svg>').format(at, y, shape)


def _joined(parts: Sequence[Markup]) -> Markup:
    return Markup("").join(parts)
