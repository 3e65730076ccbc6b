"""All kinds of details, as a suite's file names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from rmaudit.suites.details.accuracy import Accuracy
from rmaudit.suites.details.accuracy_by_length import AccuracyByLength
from rmaudit.suites.details.accuracy_gap import AccuracyGap
from rmaudit.suites.details.at_levels import AtLevels
from rmaudit.suites.details.base import Context
from rmaudit.suites.details.bbq_score import BBQScore
from rmaudit.suites.details.by_arm_level import ByArmLevel
from rmaudit.suites.details.by_level import ByLevel
from rmaudit.suites.details.curve import Curve
from rmaudit.suites.details.group_cells import GroupCells
from rmaudit.suites.details.group_gap import GroupGap
from rmaudit.suites.details.length_controlled import LengthControlledAccuracy
from rmaudit.suites.details.length_slope import LengthSlope
from rmaudit.suites.details.name_spread import NameSpread
from rmaudit.suites.details.overconfidence import Overconfidence
from rmaudit.suites.details.own_errors import OwnErrors
from rmaudit.suites.details.percentile import Percentile
from rmaudit.suites.details.prompt_dependence import PromptDependence
from rmaudit.suites.details.proper_score import ProperScore
from rmaudit.suites.details.rank_flips import RankFlips
from rmaudit.suites.details.ratio import Ratio
from rmaudit.suites.details.rewriting import Rewriting
from rmaudit.suites.details.share_positive import SharePositive
from rmaudit.suites.details.signal_detection import SignalDetection
from rmaudit.suites.details.variance_shares import VarianceShares
from rmaudit.suites.details.win_shares import WinShares
from rmaudit.suites.details.words_to_win import WordsToWin
from rmaudit.suites.finding import Detail, Estimate

AnyDetail = Annotated[
    Accuracy
    | AccuracyByLength
    | AccuracyGap
    | AtLevels
    | BBQScore
    | ByArmLevel
    | ByLevel
    | Curve
    | GroupCells
    | GroupGap
    | LengthControlledAccuracy
    | LengthSlope
    | NameSpread
    | Overconfidence
    | OwnErrors
    | Percentile
    | PromptDependence
    | ProperScore
    | RankFlips
    | Ratio
    | Rewriting
    | SharePositive
    | SignalDetection
    | VarianceShares
    | WinShares
    | WordsToWin,
    Field(discriminator="detail"),
]


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
