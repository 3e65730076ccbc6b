"""Declarations against which something in the report speaks."""

from __future__ import annotations

from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.questionnaire import Questionnaire
from rmaudit.disclosure.records import Contradiction
from rmaudit.disclosure.rules.files import against_files
from rmaudit.disclosure.rules.findings import against_findings
from rmaudit.disclosure.rules.panel import against_panel
from rmaudit.reporting.report import Report

RULES = (against_files, against_findings, against_panel)
"""Each looks at the report and the declared answers, and gives what does not fit."""


def contradictions(report: Report, questionnaire: Questionnaire) -> list[Contradiction]:
    """All of them, in the order of the disclosure list; what concerns the model as a whole comes first."""
    order = {name: index for index, name in enumerate(listed_fields())}
    found = [entry for rule in RULES for entry in rule(report, questionnaire)]
    return sorted(found, key=lambda entry: order.get(entry.field, -1))
