"""Declared accuracy and agreement, against the accuracy that the panel shows."""

from __future__ import annotations

from collections.abc import Iterator

from rmaudit.disclosure.questionnaire import Questionnaire
from rmaudit.disclosure.records import Contradiction
from rmaudit.disclosure.rules.stated import stated
from rmaudit.reporting import text
from rmaudit.reporting.report import Report


def against_panel(report: Report, questionnaire: Questionnaire) -> Iterator[Contradiction]:
    """Where the panel leaves no room for what is declared."""
    accuracy = report.ruler.accuracy
    if accuracy.estimate is None or accuracy.low is None or accuracy.high is None:
        return
    told = (
        f"Measured: panel accuracy {text.percent(accuracy.estimate)}"
        f" [{text.percent(accuracy.low)}, {text.percent(accuracy.high)}]"
    )
    declared = stated(questionnaire, "R2.accuracy")
    if declared and declared.number > accuracy.high:
        yield declared.against(
            f"{told}, below what is declared. The two sets differ; the declared accuracy does not carry over.", "panel"
        )
    agreement = stated(questionnaire, "H5.agreement")
    if agreement and agreement.number < accuracy.low:
        yield agreement.against(
            f"{told}, above the declared agreement of evaluators. A reward learned from labels on which people agree"
            " so rarely would not be expected to agree with people more often; the two sets differ.",
            "panel",
        )
