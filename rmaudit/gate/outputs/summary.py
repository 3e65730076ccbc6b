"""The decision as Markdown, for a job's summary page."""

from __future__ import annotations

from collections.abc import Sequence

from rmaudit.gate.check import Check
from rmaudit.gate.result import GateResult
from rmaudit.reporting.markdown import inline

MOST_BYTES = 1_000_000
"""A step's summary may have 1 MiB; what is beyond is dropped whole."""
_LEAST_ROOM = 1000
"""Bytes for a table and notes that are worth showing."""
_MARKS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "❔ inconclusive", "unmeasured": "⛔ unmeasured"}


def render(result: GateResult, most: int = MOST_BYTES) -> bytes:
    """A heading, the reason, and a table of all requirements, the gravest first.

    What is too long is cut at the end of its table or list, and says so; where not even the heading has room, nothing
    is given, as a page that is too long is dropped whole.
    """
    head = [
        f"## rmaudit gate: {inline(result.words)}",
        "",
        f"Model {inline(result.source or 'unknown')}, identity {inline(result.identity[:16] or 'unknown')}, policy "
        f"{inline(result.policy)}, exit code {result.decision.exit_code}. Run: {inline(result.run)}",
        "",
    ]
    notes = [f"* {inline(note)}" for note in result.decision.notes]
    if result.also:
        notes.append(f"* Shown by probes that this policy does not decide on: {inline(', '.join(result.also))}.")
    room = most - _size(head)
    if room < _LEAST_ROOM:
        return _text(head[:1]) if most >= _size(head[:1]) else b""
    shown = _cut([_row(check) for check in result.checks], room * 3 // 4, "| … | | {:,} more in the run's report |")
    table = ["| requirement | outcome | why |", "| --- | --- | --- |", *shown, ""]
    return _text([*head, *table, *_cut(notes, room - _size(table), "* … and {:,} more notes")])


def _cut(lines: Sequence[str], room: int, more: str) -> list[str]:
    """As many lines as there is room for, and how many are left out."""
    if _size(lines) <= room:
        return list(lines)
    kept: list[str] = []
    room -= len(more.encode()) + 12
    for line in lines:
        room -= _size([line])
        if room < 0:
            break
        kept.append(line)
    return [*kept, more.format(len(lines) - len(kept))]


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _row(check: Check) -> str:
    mark = _MARKS.get(check.outcome, "⚠️ waived")
    return f"| {inline(check.name)} | {mark} | {inline(check.reason)} |"
