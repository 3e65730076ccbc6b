"""The decision as Markdown, for a job's summary page."""

from __future__ import annotations

from rmaudit.gate.check import Check
from rmaudit.gate.result import GateResult
from rmaudit.reporting.markdown import inline

MOST_BYTES = 1_000_000
"""A step's summary may have 1 MiB; what is beyond is dropped whole."""
_MARKS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "❔ inconclusive", "unmeasured": "⛔ unmeasured"}


def render(result: GateResult, most: int = MOST_BYTES) -> bytes:
    """A heading, the reason, and a table of all requirements, the gravest first; cut where it would be too long."""
    lines = [
        f"## rmaudit gate: {inline(result.words)}",
        "",
        f"Model {inline(result.source or 'unknown')}, identity {inline(result.identity[:16] or 'unknown')}, policy "
        f"{inline(result.policy)}, exit code {result.decision.exit_code}. Run: {inline(result.run)}",
        "",
        "| requirement | outcome | why |",
        "| --- | --- | --- |",
    ]
    tail = ["", *(f"* {inline(note)}" for note in result.decision.notes)]
    if result.also:
        tail.append(f"* Shown by probes that this policy does not decide on: {inline(', '.join(result.also))}.")
    size = sum(len(line.encode()) + 1 for line in (*lines, *tail)) + 200
    checks = result.checks
    for number, check in enumerate(checks):
        row = _row(check)
        size += len(row.encode()) + 1
        if size > most:
            lines.append(f"| … | | {len(checks) - number:,} more in the run's report |")
            break
        lines.append(row)
    return ("\n".join([*lines, *tail]) + "\n").encode("utf-8")


def _row(check: Check) -> str:
    mark = _MARKS.get(check.outcome, "⚠️ waived")
    return f"| {inline(check.name)} | {mark} | {inline(check.reason)} |"
