"""JUnit XML: one test case a requirement. What could not be measured is an error, and a waiver a skip.

Consumers show different parts, so the reason stands in the message and in the body.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from rmaudit.gate.check import Check
from rmaudit.gate.result import GateResult
from rmaudit.reporting.text import clean

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, however written."""
_MOST = 4000
"""Characters of a text."""


def render(result: GateResult) -> bytes:
    """The decision as a JUnit file, UTF-8."""
    checks = result.checks
    counts = {
        "tests": len(checks),
        "failures": sum(check.outcome == "fail" for check in checks),
        "errors": sum(check.outcome in {"inconclusive", "unmeasured"} and not check.allowed for check in checks),
        "skipped": sum(check.outcome == "waived" or check.allowed for check in checks),
    }
    numbers = {key: str(value) for key, value in counts.items()}
    shared = {key: value for key, value in numbers.items() if key != "skipped"}  # unknown there to Jenkins' schema
    root = ET.Element("testsuites", {"name": "rmaudit gate", **shared})
    suite = ET.SubElement(root, "testsuite", {"name": _legal(f"rmaudit gate, policy {result.policy}"), **numbers})
    for check in checks:
        group = (check.probe or "run").split("/")[0]
        case = ET.SubElement(
            suite, "testcase", {"classname": _legal(f"rmaudit.{group}"), "name": _legal(_title(check)), "time": "0"}
        )
        tag = {"fail": "failure", "inconclusive": "error", "unmeasured": "error", "waived": "skipped"}.get(
            check.outcome
        )
        if check.allowed:
            tag = "skipped"
        if tag == "skipped":
            ET.SubElement(case, tag, {"message": _legal(check.reason)})
        elif tag:
            ET.SubElement(case, tag, {"message": _legal(check.reason), "type": check.outcome}).text = _legal(
                check.reason
            )
        else:
            ET.SubElement(case, "system-out").text = _legal(check.reason)
    ET.SubElement(suite, "system-out").text = _legal("\n".join((result.words, *result.decision.notes)))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _title(check: Check) -> str:
    return check.name if check.limit is None else f"{check.name} (limit {check.limit:g} {check.unit})"


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", clean(text, _MOST))
