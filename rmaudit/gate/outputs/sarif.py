"""SARIF 2.1.0 for code scanning: one rule a probe, one result for each requirement that is not met.

Kept within the limits of GitHub's code scanning: 5,000 results are shown, 25,000 read, and 10 MB compressed.
"""

from __future__ import annotations

import json
from typing import Any

from rmaudit import __version__
from rmaudit.gate.check import Check
from rmaudit.gate.outputs.fingerprint import fingerprints
from rmaudit.gate.result import GateResult
from rmaudit.reporting.text import clean

MOST_RESULTS = 5000
_MOST = 1000
_LEVELS = {"fail": "error", "unmeasured": "error", "inconclusive": "warning", "waived": "note"}


def render(result: GateResult, artifact: str) -> bytes:
    """The decision as a SARIF file.

    Args:
        result: the decision.
        artifact: file that results point to, relative to the repository, such as the policy.
    """
    checks = [check for check in result.checks if check.outcome != "pass"][:MOST_RESULTS]
    names = sorted({_rule(check) for check in checks})
    places = {name: place for place, name in enumerate(names)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "rmaudit",
                "semanticVersion": __version__,
                "rules": [_described(name) for name in names],
            }
        },
        "automationDetails": {"id": "rmaudit/gate/"},
        "invocations": [{"executionSuccessful": True, "exitCode": result.decision.exit_code}],
        "results": [
            _result(check, places, artifact, mark) for check, mark in zip(checks, fingerprints(checks), strict=True)
        ],
        "properties": {
            "outcome": result.decision.outcome,
            "model": _text(result.identity),
            "policy": _text(result.policy),
            "notes": [_text(note) for note in result.decision.notes],
        },
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=True).encode("ascii") + b"\n"


def _rule(check: Check) -> str:
    return check.probe or check.name


def _described(name: str) -> dict[str, Any]:
    is_probe = "/" in name
    help_text = (
        f"Read the probe with: rmaudit probes show {name}" if is_probe else "A requirement of the gate's policy."
    )
    return {
        "id": _text(name),
        "name": _text(name),
        "shortDescription": {"text": _text(name)},
        "fullDescription": {"text": _text(help_text)},
        "help": {"text": _text(help_text)},
        "properties": {"tags": ["reward-model"]},
    }


def _result(check: Check, places: dict[str, int], artifact: str, mark: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "ruleId": _text(_rule(check)),
        "ruleIndex": places[_rule(check)],
        "level": _LEVELS[check.outcome],
        "message": {"text": _text(f"{check.name}: {check.reason}")},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": artifact}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"rmauditCheck/v1": mark},
    }
    if check.outcome == "waived" and check.waiver is not None:
        words = f"{check.waiver.owner}, until {check.waiver.expires}: {check.waiver.reason}"
        entry["suppressions"] = [{"kind": "external", "status": "accepted", "justification": _text(words)}]
    return entry


def _text(value: str) -> str:
    return clean(value, _MOST) or "-"
