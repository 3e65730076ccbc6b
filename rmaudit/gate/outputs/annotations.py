"""GitHub's workflow commands: at most ten annotations of a kind are shown for a step, so the worst come first."""

from __future__ import annotations

import secrets

from rmaudit.gate.result import GateResult
from rmaudit.reporting.text import clean

MOST = 9
_KINDS = {"fail": "error", "unmeasured": "error", "inconclusive": "warning", "waived": "notice"}


def render(result: GateResult) -> list[str]:
    """Lines to print. No line begins with a text that a model or a dataset wrote."""
    lines = []
    for kind in ("error", "warning", "notice"):
        checks = [check for check in result.checks if _KINDS.get(check.outcome) == kind]
        lines += [_command(kind, f"rmaudit {check.name}", check.reason) for check in checks[:MOST]]
        if len(checks) > MOST:
            lines.append(_command(kind, "rmaudit", f"{len(checks) - MOST:,} more: see the job's summary."))
    return lines


def no_commands() -> tuple[str, str]:
    """Lines between which the runner takes nothing for a command, whoever wrote it: their name cannot be guessed."""
    name = secrets.token_hex(16)
    return f"::stop-commands::{name}", f"::{name}::"


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    text = clean(text, 2000)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text, 200)).replace(":", "%3A").replace(",", "%2C")
