"""Waivers: a failure stays in every output, and does not stop the pipeline until the waiver ends."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from rmaudit.errors import UsageError
from rmaudit.policy.rules import Waiver

SHORTEST_IDENTITY = 12


def check_waivers(waivers: Sequence[Waiver], probes: Sequence[str]) -> None:
    """Refuse waivers that name no probe of the run: they would wait for something that never comes.

    Args:
        waivers: as the policy has them.
        probes: ``suite/probe`` of every finding of the run.

    Raises:
        UsageError: naming the waiver and a probe that is close.
    """
    for waiver in waivers:
        if not any(fnmatchcase(probe, waiver.probe) for probe in probes):
            close = difflib.get_close_matches(waiver.probe, probes, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise UsageError(
                f"The waiver of {waiver.owner} names {waiver.probe!r}, which this run has no probe of.{hint}"
            )


def covers(waiver: Waiver, probe: str, group: str | None, identity: str) -> bool:
    """Whether a waiver is about a check of this probe, group and model."""
    if not fnmatchcase(probe, waiver.probe):
        return False
    named = len(waiver.scope) >= SHORTEST_IDENTITY and identity.startswith(waiver.scope)
    return waiver.scope == "*" or waiver.scope == group or named


def expired(waiver: Waiver, today: dt.date) -> bool:
    """Whether its last day is over."""
    return today > waiver.expires
