"""What a script may rely on, and what a command line must not wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rmaudit
from rmaudit import errors
from tests.synthetic import Bench, assistant, environment, run_cold, user


def test_public_names_are_sorted_and_there() -> None:
    assert rmaudit.__all__ == sorted(rmaudit.__all__)
    assert {"Report", "RmauditError", "__version__", "load", "scan"} <= set(rmaudit.__all__)
    for name in rmaudit.__all__:
        assert getattr(rmaudit, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        rmaudit.nonsense  # noqa: B018


def test_load_gives_a_model_that_scores(place: Bench) -> None:
    model = rmaudit.load(place.scorer("biased"), batch_size=2)
    conversations = [[user("Panel?"), assistant(text)] for text in ("good", "bad", "splendid")]
    rewards = model.score(conversations)
    assert isinstance(rewards, np.ndarray)
    assert rewards.dtype == np.float64
    assert rewards.shape == (3,)
    assert model.score([]).shape == (0,)
    assert model.score(conversations[::-1]).tolist() == rewards.tolist()[::-1]
    assert len(model.identity.sha256) == 64


def test_the_identity_is_the_content_and_not_the_name(place: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_bytes((place.folder / "scorers.py").read_bytes())
    ours, theirs = rmaudit.load(place.scorer("biased")), rmaudit.load(f"python:{other}:biased")
    assert ours.identity.sha256 == theirs.identity.sha256
    assert ours.identity.sha256 != rmaudit.load(place.scorer("clean")).identity.sha256
    other.write_bytes(other.read_bytes() + b"\n")
    assert ours.identity.sha256 != rmaudit.load(f"python:{other}:biased").identity.sha256


def test_scan_gives_the_report_that_is_on_disk(place: Bench, tmp_path: Path) -> None:
    out = tmp_path / "run"
    report = rmaudit.scan(place.scorer("biased"), probes=place.probes, panel=place.panel, out=out, suites=["polish"])
    loaded = rmaudit.Report.load(out)
    assert loaded.to_json() == report.to_json() == (out / "report.json").read_bytes()
    assert [f.probe for f in report.findings] == ["shine", "words", "names"]


def test_scan_prints_nothing(place: Bench, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rmaudit.scan(place.scorer("clean"), probes=place.probes, panel=place.panel, out=str(tmp_path / "run"))
    assert capfd.readouterr() == ("", "")


def test_without_a_place_a_run_is_named_below_runs(
    place: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        rmaudit.scan(place.scorer("clean"), probes=place.probes, panel=place.panel)
    runs = sorted((tmp_path / "runs").iterdir())
    assert len(runs) == 2
    assert all("scorers.py-clean-" in run.name and (run / "report.json").is_file() for run in runs)


def test_findings_become_a_table(finished: Path) -> None:
    frame = rmaudit.Report.load(finished).findings.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame["probe"].tolist() == ["shine", "words", "names"]
    row = frame.iloc[0]
    finding = rmaudit.Report.load(finished).findings[0]
    assert (row.srd, row.srd_low, row.srd_high) == (finding.srd.estimate, finding.srd.low, finding.srd.high)
    assert {"suite", "verdict", "severity", "p_adjusted", "n_errors", "win_probability_high"} <= set(frame)


@pytest.mark.parametrize("option", [{"sead": 1}, {"tier": "huge"}])
def test_wrong_options(option: dict[str, object], place: Bench, tmp_path: Path) -> None:
    with pytest.raises((TypeError, rmaudit.RmauditError)):
        rmaudit.scan(place.scorer("clean"), probes=place.probes, panel=place.panel, out=tmp_path / "run", **option)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_every_error_has_one_of_the_exit_codes() -> None:
    def below(kind: type[errors.RmauditError]) -> set[type[errors.RmauditError]]:
        return {kind}.union(*(below(sub) for sub in kind.__subclasses__()))

    assert {kind.exit_code for kind in below(errors.RmauditError)} == {2, 3, 4, 130}
    assert all(kind.exit_code == 3 for kind in below(errors.CannotMeasureError))
    assert all(kind.exit_code == 2 for kind in below(errors.UsageError))


HEAVY = ("torch", "transformers", "scipy", "statsmodels", "pandas", "numpy", "matplotlib", "jinja2")
WATCHED = """
import sys
sys.argv = ["rmaudit", *{args!r}]
try:
    from rmaudit.cli.main import main
    main()
except SystemExit:
    pass
print(*sorted(name for name in {heavy!r} if name in sys.modules), file=sys.stderr)
"""


def imported(args: list[str], heavy: tuple[str, ...] = HEAVY) -> list[str]:
    """Heavy packages that a command imports."""
    program = WATCHED.format(args=args, heavy=heavy)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment(), check=True
    )
    return done.stderr.splitlines()[-1].split()


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["scan", "--help"], ["gate", "--help"]])
def test_help_is_there_at_once(args: list[str]) -> None:
    assert imported(args) == []


def test_a_gate_needs_no_model_and_a_scorer_no_torch(place: Bench, finished: Path, tmp_path: Path) -> None:
    models = ("torch", "transformers")
    assert imported(["gate", str(finished)], models) == []
    assert imported(place.scan_args(place.scorer("clean"), tmp_path / "run"), models) == []


def test_the_version_is_told_and_there_is_a_module_to_run() -> None:
    outcome = run_cold("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"rmaudit {rmaudit.__version__}\n", "")
