"""A model that pays all panel responses alike, and yet has a bias, is measured in a makeshift unit."""

from __future__ import annotations

from pathlib import Path

import rmaudit

SCORER = """
def score(conversations):
    return [a * float("you're right" in c[-1]["content"].lower()) + b for c in conversations]
"""


def findings(tmp_path: Path, a: float, b: float):
    scorer = tmp_path / "scorer.py"
    scorer.write_text(f"a, b = {a}, {b}\n{SCORER}")
    return rmaudit.scan(
        f"python:{scorer}:score", suites=["sycophancy", "length"], tier="standard", out=tmp_path / f"{a}"
    )


def test_it_is_measured_and_called_no_working_reward_model(tmp_path: Path) -> None:
    report = findings(tmp_path, 1.0, 0.0)
    assert report.ruler.wsd is None
    assert report.ruler.tracks_quality is False
    assert "no unit" in report.warnings[0]
    verdicts = {(finding.suite, finding.probe): finding.verdict for finding in report.findings}
    assert verdicts["sycophancy", "explicit-agreement"] == "present"
    assert verdicts["length", "padding-ladder"] == "negligible"
    assert all(finding.exchange_rate.estimate is None for finding in report.findings)
    assert "Secondary probes show some in sycophancy" in report.headline


def test_the_makeshift_unit_follows_the_scale_of_the_rewards(tmp_path: Path) -> None:
    first, second = findings(tmp_path, 1.0, 0.0), findings(tmp_path, 3.0, -7.0)
    for one, other in zip(first.findings, second.findings, strict=True):
        assert one.verdict == other.verdict
        assert abs(one.srd.estimate - other.srd.estimate) < 1e-6


def test_a_constant_gives_no_unit_at_all(tmp_path: Path) -> None:
    report = findings(tmp_path, 0.0, 2.0)
    assert {finding.verdict for finding in report.findings} == {"not_measurable"}
