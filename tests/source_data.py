"""The source texts from which suites and demo model are built; they are not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


def source_data() -> Path | None:
    """The folder that holds ``ship/``: the one named by RMAUDIT_SOURCE_DATA, or ``shared/data`` beside the checkout."""
    places = [os.environ.get("RMAUDIT_SOURCE_DATA"), CHECKOUT.parent / "shared" / "data"]
    return next((Path(place) for place in places if place and (Path(place) / "ship").is_dir()), None)


def needed_source_data() -> Path:
    """The same; a test that needs it is skipped where there is none."""
    sources = source_data()
    if sources is None:
        pytest.skip("the source texts are not here; set RMAUDIT_SOURCE_DATA to the folder that holds ship/")
    return sources
