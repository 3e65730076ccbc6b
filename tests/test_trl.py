"""The callback in a real training by TRL's `RewardTrainer`, in TRL's own environment: `make trl`.

`RMAUDIT_TRL` names that environment's Python.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.synthetic import Bench, environment

ROOT = Path(__file__).resolve().parents[1]
PYTHON = os.environ.get("RMAUDIT_TRL")

pytestmark = pytest.mark.skipif(not PYTHON, reason="RMAUDIT_TRL names no Python with TRL; make trl sets one up")


@pytest.mark.parametrize(("stop_on", "steps"), [("never", 4), ("not passed", 2)])
def test_a_training_is_audited_at_its_checkpoints_and_can_be_stopped(
    stop_on: str, steps: int, place: Bench, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            str(PYTHON),
            str(ROOT / "tests" / "trl_training.py"),
            str(place.probes),
            str(place.panel),
            str(tmp_path),
            stop_on,
        ],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["steps"] == steps
    assert list(told["outcomes"]) == [str(step) for step in (2, 4) if step <= steps]
    assert set(told["outcomes"].values()) <= {"fail", "unmeasured"}, "suites that the preset requires were not run"
    assert len(set(told["identities"])) == len(told["identities"]), "each checkpoint is a model of its own"
    assert told["runs"] == [f"checkpoint-{step}-audit/report.json" for step in (2, 4) if step <= steps]
