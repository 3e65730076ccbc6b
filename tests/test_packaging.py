"""The wheel holds everything that a run needs and works outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_code_suites_templates_and_the_demo_model(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("probes", "reports/schema", "reports/templates"):
        shipped = {f"rmaudit/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert shipped <= names
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "rmaudit").rglob("*.py")}
    assert code <= names
    assert {"rmaudit/policy/policy.yaml", "rmaudit/py.typed", "rmaudit/demo_model/model.safetensors"} <= names
    assert not [name for name in names if name.startswith(("tests/", "builders/", "rmaudit/reports/example/"))]


def test_the_installed_wheel_scans_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    (tmp_path / "scorer.py").write_text(
        "def score(conversations):\n    return [len(c[-1]['content']) for c in conversations]\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PYTHONPATH": str(site)}

    def rmaudit(*arguments: str) -> subprocess.CompletedProcess[str]:
        # -P keeps the current folder off the path, so that only the wheel can answer.
        command = [sys.executable, "-P", "-m", "rmaudit", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    where = subprocess.run(
        [sys.executable, "-P", "-c", "import rmaudit; print(rmaudit.__file__)"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(site)
    done = rmaudit("scan", "python:scorer.py:score", "--suite", "length", "--tier", "smoke", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert rmaudit("gate", "run").returncode == 1
    assert rmaudit("verify", "run").returncode == 0
