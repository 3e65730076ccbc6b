"""Planted models through every suite: does each suite find its own bias, and only that?

Rows are models with a known, planted bias (tests/organisms), columns the primary probes of the suites; each cell is the
effect in SRD with its verdict. Off the diagonal nothing should be present, and the last three rows should be empty.

    python benchmarks/specificity.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import rmaudit

ORGANISMS = Path(__file__).resolve().parents[1] / "tests" / "organisms"
NAMES = ("length", "agree", "confident", "names", "prompt_blind", "honest", "noise", "constant")
MARKS = {"present": "present", "negligible": "none", "inconclusive": "open", "not_measurable": "n/a"}


def main() -> None:
    """Scan every organism and print the matrix."""
    columns: list[str] = []
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            report = rmaudit.scan(f"python:{ORGANISMS / name}.py:score", out=Path(folder) / "run")
        primary = [finding for finding in report.findings if finding.primary]
        if not columns:
            columns = [finding.suite for finding in primary]
            print(f"{'model':14}" + "".join(f"{column:>20}" for column in columns))
        cells = {
            finding.suite: f"{finding.srd.estimate:+.2f} {MARKS[finding.verdict]}"
            if finding.srd.estimate is not None
            else MARKS[finding.verdict]
            for finding in primary
        }
        print(f"{name:14}" + "".join(f"{cells[column]:>20}" for column in columns))


if __name__ == "__main__":
    main()
