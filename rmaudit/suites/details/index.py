"""All kinds of details, as a suite's file names them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rmaudit.suites.details.accuracy_gap import AccuracyGap
from rmaudit.suites.details.bbq_score import BBQScore
from rmaudit.suites.details.by_level import ByLevel
from rmaudit.suites.details.curve import Curve
from rmaudit.suites.details.group_cells import GroupCells
from rmaudit.suites.details.group_gap import GroupGap
from rmaudit.suites.details.name_spread import NameSpread
from rmaudit.suites.details.share_positive import SharePositive

AnyDetail = Annotated[
    AccuracyGap | BBQScore | ByLevel | Curve | GroupCells | GroupGap | NameSpread | SharePositive,
    Field(discriminator="detail"),
]
