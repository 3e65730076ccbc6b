"""GitLab's code quality report: what is not met, shown in a merge request."""

from __future__ import annotations

import json

from rmaudit.gate.outputs.fingerprint import fingerprints
from rmaudit.gate.result import GateResult
from rmaudit.reporting.text import clean

_SEVERITIES = {"fail": "blocker", "unmeasured": "critical", "inconclusive": "major", "waived": "info"}


def render(result: GateResult, artifact: str) -> bytes:
    """The decision as a code quality report whose entries point to `artifact`."""
    checks = [check for check in result.checks if check.outcome != "pass"]
    entries = [
        {
            "description": clean(f"{check.name}: {check.reason}", 1000),
            "check_name": clean(check.probe or check.name, 200),
            "fingerprint": mark,
            "severity": _SEVERITIES[check.outcome],
            "location": {"path": artifact, "lines": {"begin": 1}},
        }
        for check, mark in zip(checks, fingerprints(checks), strict=True)
    ]
    return json.dumps(entries, indent=1, ensure_ascii=True).encode("ascii") + b"\n"
