"""The decision as JSON, for programs."""

from __future__ import annotations

import json

from rmaudit.gate.result import GateResult


def render(result: GateResult) -> bytes:
    """Outcome, exit code, policy, model and every check with its numbers; ASCII."""
    decision = result.decision
    answer = {
        "schema": "rmaudit.gate/1",
        "outcome": decision.outcome,
        "exit_code": decision.exit_code,
        "policy": result.policy,
        "model": result.identity or None,
        "source": result.source or None,
        "run": result.run,
        "notes": list(decision.notes),
        "also_present": list(result.also),
        "checks": [
            {
                "name": check.name,
                "outcome": check.outcome,
                "reason": check.reason,
                "probe": check.probe,
                "group": check.group,
                "size": None if check.size is None else float(f"{check.size:.6g}"),
                "limit": check.limit,
                "unit": check.unit,
                "clusters_needed": check.clusters_needed,
                "waiver": check.waiver.model_dump(mode="json") if check.waiver else None,
            }
            for check in decision.checks
        ],
    }
    return json.dumps(answer, indent=1, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
