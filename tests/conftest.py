"""What tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests import synthetic

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Commands keep rewards in the user's cache: neither the user's own nor those of an earlier session may play a part.
_CACHE = tempfile.TemporaryDirectory(prefix="rmaudit-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> synthetic.Bench:
    """A panel, a suite and scorers, shared by all tests, which must not write to them."""
    return synthetic.bench(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="session")
def finished(place: synthetic.Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a scan of the biased scorer, shared by all tests, which must not write to it."""
    import rmaudit

    out = tmp_path_factory.mktemp("finished") / "run"
    rmaudit.scan(place.scorer("biased"), probes=place.probes, panel=place.panel, out=out)
    return out


@pytest.fixture
def run_copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of that run folder, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "run"))
