"""All kinds of details, as a suite's file names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from rmaudit.suites.details.at_levels import AtLevels
from rmaudit.suites.details.base import Context
from rmaudit.suites.details.by_level import ByLevel
from rmaudit.suites.details.curve import Curve
from rmaudit.suites.details.share_positive import SharePositive
from rmaudit.suites.details.signal_detection import SignalDetection
from rmaudit.suites.finding import Detail, Estimate

AnyDetail = Annotated[AtLevels | ByLevel | Curve | SharePositive | SignalDetection, Field(discriminator="detail")]


def computed(specs: Sequence[AnyDetail], context: Context) -> list[Detail]:
    """The details that a probe asks for; one that cannot be computed says why."""
    return [_computed(spec, context) for spec in specs]


def _computed(spec: AnyDetail, context: Context) -> Detail:
    try:
        return spec.compute(context)
    except ValueError as error:
        title = spec.title or spec.detail.replace("-", " ").capitalize()
        reason = f"Not computed: {error}."
        return Detail(
            detail=spec.detail, title=title, estimate=Estimate(estimate=None), unit="", formula="", reason=reason
        )
