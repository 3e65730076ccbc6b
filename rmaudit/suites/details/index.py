"""All kinds of details, as a suite's file names them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rmaudit.suites.details.by_level import ByLevel
from rmaudit.suites.details.curve import Curve
from rmaudit.suites.details.share_positive import SharePositive

AnyDetail = Annotated[ByLevel | Curve | SharePositive, Field(discriminator="detail")]
