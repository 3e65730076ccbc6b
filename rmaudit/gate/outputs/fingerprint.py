"""Names of requirements that stay the same from run to run, by which consumers follow them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from rmaudit.gate.check import Check


def fingerprint(check: Check, number: int = 0) -> str:
    """The same for the same requirement in every run, whatever its numbers."""
    parts = [check.name, check.group or "", check.unit or "", *([str(number)] if number else [])]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fingerprints(checks: Sequence[Check]) -> list[str]:
    """One a check, all different: a requirement that a policy states twice has two."""
    seen: Counter[str] = Counter()
    found = []
    for check in checks:
        first = fingerprint(check)
        found.append(fingerprint(check, seen[first]))
        seen[first] += 1
    return found
