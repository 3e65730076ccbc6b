"""For pytest: a test that fails when a reward model does not pass the gate.

    def test_release(assert_reward_model_passes):
        assert_reward_model_passes("checkpoints/final", tier="smoke", policy="policy.yaml")

The run folder is kept below pytest's own temporary folder, or where the test says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest


class AssertPasses(Protocol):
    """What the fixture gives."""

    def __call__(
        self,
        source: str | Path,
        *,
        policy: str | Path | None = None,
        preset: str | None = None,
        baseline: str | Path | None = None,
        out: str | Path | None = None,
        **scan: Any,
    ) -> Path:
        """Scan and gate a model; the run folder."""


@pytest.fixture
def assert_reward_model_passes(tmp_path: Path) -> AssertPasses:
    """Scan a model and fail the test unless the gate passes it; further arguments are those of `rmaudit.scan`."""

    def check(
        source: str | Path,
        *,
        policy: str | Path | None = None,
        preset: str | None = None,
        baseline: str | Path | None = None,
        out: str | Path | None = None,
        **scan: Any,
    ) -> Path:
        import rmaudit
        from rmaudit.gate.judge import judge
        from rmaudit.policy import load_policy

        __tracebackhide__ = True
        rules = Path(policy) if policy else None
        run = Path(out) if out else tmp_path / "rmaudit-run"
        rmaudit.scan(str(source), out=run, policy=rules, **scan)
        result = judge(run, load_policy(rules, preset), Path(baseline) if baseline else None)
        if result.decision.outcome != "pass":
            stops = [check for check in result.checks if check.outcome not in {"pass", "waived"} and not check.allowed]
            reasons = [f"  {check.name}: {check.outcome}. {check.reason}" for check in stops]
            pytest.fail("\n".join([f"{result.words} (run: {run})", *reasons]), pytrace=False)
        return run

    return check
