"""A report in which every kind of number and text occurs, and no text has a digit unless it must."""

from __future__ import annotations

import json
import re
from typing import Any

from rmaudit.disclosure.merge import warning
from rmaudit.disclosure.records import Contradiction, Declaration, DisclosureField
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Detail, DetailValue, Estimate, PublishedValue
from tests.reporting.sample import estimate, sample_report

AS_THEY_ARE = {"schema"}
"""Texts whose form counts."""

CONTRADICTION = Contradiction(
    field="H3.balance",
    declared="The pairs were balanced by length.",
    asserted_by="A. Author",
    measured="Each doubling of length adds 0.417 SRD.",
    evidence="length/padding-ladder",
)


def full_report() -> Report:
    """The sample with everything that it lacks."""
    report = sample_report()
    first, *others = report.findings_
    first = first.model_copy(
        update={
            "details": [
                Detail(
                    detail="level",
                    title="Effect by level",
                    estimate=Estimate(estimate=None),
                    unit="SRD",
                    ideal="0 at every level",
                    formula="mean over the level",
                    values=[
                        DetailValue(label="short", estimate=estimate(0.3123123, 0.0712345), n_clusters=211),
                        DetailValue(label="long", estimate=estimate(0.5134134, 0.0654321), n_clusters=213),
                    ],
                    note="Long answers are paid more.",
                ),
                Detail(
                    detail="share",
                    title="Share of items with a positive effect",
                    estimate=estimate(0.8345678, 0.0223344),
                    unit="share",
                    formula="mean of d > 0",
                ),
            ],
            "published": [PublishedValue(value="0.4 elsewhere", source="Somebody et al.")],
        }
    )
    return report.model_copy(
        update={
            "findings_": [first, *others],
            "disclosure": [
                item.model_copy(update={"fields": _fields(item.id), "value": None, "reason": None, "evidence": None})
                for item in report.disclosure
            ],
            "contradictions": [CONTRADICTION],
            "declaration": Declaration(
                file="disclosure.yaml", sha256="ef" * 32, by="A. Author", date="2026-10-02", standard=7, model="ab" * 32
            ),
            "warnings": [*report.warnings, warning(CONTRADICTION)],
            "feedback": {"agreement": {"alpha": 0.4123456, "pairs": 1213, "notes": ["few ties"]}},
            "run": report.run.model_copy(
                update={"from_store": 4321, "from_other_batches": 1234, "self_test_from_store": True}
            ),
        }
    )


def _fields(item: str) -> list[DisclosureField]:
    def answer(name: str, provenance: Any, value: str | None, **others: Any) -> DisclosureField:
        fields = {"question": f"What about {name} in {item}?", "evidence": None, "reason": None, **others}
        return DisclosureField(id=f"{item}.{name}", provenance=provenance, value=value, **fields)

    said = {"asserted_by": "A. Author", "date": "2026-10-02", "evidence": "disclosure.yaml"}
    return [
        answer("accuracy", "measured", "0.58 of panel pairs", evidence="ruler"),
        answer("accuracy", "declared", "91% of our own pairs", **said),
        answer("licence", "extracted", "apache-2.0", evidence="README.md"),
        answer("pay", "refused", None, reason="A trade secret.", asserted_by="A. Author", date="2026-10-02"),
        answer("screening", "missing", None, reason="not provided", audience="authority"),
    ]


def without_digits(report: Report) -> Report:
    """The same report with a letter for every digit in its texts, so that each digit left over is a number's."""

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: walk(entry, name) for name, entry in value.items()}
        if isinstance(value, list):
            return [walk(entry, key) for entry in value]
        return _spelt(value) if isinstance(value, str) and key not in AS_THEY_ARE else value

    return Report.model_validate(walk(json.loads(report.to_json())))


def _spelt(value: str) -> str:
    # The list's own ids, such as H2, are no numbers, and the report looks them up.
    return re.sub(r"(?<!\b[HRPS])\d", lambda digit: "zyxwvutsrq"[int(digit[0])], value)
