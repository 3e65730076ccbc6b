"""Scans of a tiny checkpoint that are killed at random moments and within writes: the benchmark in small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models import tiny
from tests.synthetic import ROOT, Bench, environment


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the benchmark forks")
def test_nothing_is_lost_but_the_batch_in_work(place: Bench, tmp_path: Path) -> None:
    checkpoint = tiny.llama(tmp_path / "checkpoint", positions=512)
    command = [sys.executable, "-m", "benchmarks.killed_scans", "--few", "--json", "--kills", "3"]
    command += ["--source", str(checkpoint), "--probes", str(place.probes), "--panel", str(place.panel)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False)
    assert done.stdout, done.stderr
    rows = json.loads(done.stdout)
    assert [row for row in rows if not row["good"]] == []
    assert sum(row["kills"] for row in rows) >= 3
    places = {" ".join(row["what"].split()[:2]) for row in rows}
    assert places == {"random moments", "within write", "before file", "end of"}
    assert done.returncode == 0
