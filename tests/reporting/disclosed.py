"""A report with answers of every kind to the disclosure list, and a contradiction."""

from __future__ import annotations

from typing import Any

from rmaudit.disclosure.records import Contradiction, Declaration, DisclosureField
from rmaudit.reporting.report import DisclosureItem, Report
from tests.reporting.hostile import hostile_report
from tests.reporting.sample import sample_report


def answer(id: str, value: str | None, provenance: Any, **more: Any) -> DisclosureField:
    facts: dict[str, Any] = {"question": f"What about {id}?", "evidence": None, "reason": None} | more
    return DisclosureField(id=id, value=value, provenance=provenance, **facts)


ANSWERS = {
    "H1": [
        answer("H1.base_model", "Qwen/Qwen3-1.7B", "extracted", evidence="README.md"),
        answer("H1.base_model", "Qwen/Qwen3-8B", "declared", asserted_by="R. Okafor", date="2026-05-02"),
        answer("H1.licences", "apache-2.0", "extracted", evidence="README.md"),
    ],
    "H2": [answer("H2.pay", None, "refused", reason="A matter of contract.")],
    "H3": [
        answer("H3.datasets", "northlake/pairs-2", "declared", asserted_by="R. Okafor", date="2026-05-02"),
        answer("H3.balance", "length-balanced", "declared", asserted_by="R. Okafor", date="2026-05-02"),
        answer("H3.consent", None, "missing", reason="not provided"),
    ],
    "S1": [answer("S1.auditor", "A. Mwangi, Northlake", "declared")],
    "S2": [answer("S2.intended_use", "Ranking drafts of an assistant", "declared")],
}


def with_answers(report: Report, answers: dict[str, list[DisclosureField]]) -> Report:
    items = [item.model_copy(update={"fields": answers.get(item.id, [])}) for item in report.disclosure]
    return report.model_copy(update={"disclosure": items})


def disclosed_report() -> Report:
    report = with_answers(sample_report(), ANSWERS)
    against = Contradiction(
        field="H3.balance",
        declared="length-balanced",
        asserted_by="R. Okafor",
        measured="Longer answers earn more.",
        evidence=f"{report.findings_[0].suite}/{report.findings_[0].probe}",
    )
    again = against.model_copy(update={"measured": "Longer wrong answers too.", "evidence": "panel"})
    declaration = Declaration(
        file="answers.yaml", sha256="cd" * 32, by="R. Okafor", date="2026-05-02", standard=1, model=None
    )
    return report.model_copy(update={"contradictions": [against, again], "declaration": declaration})


def hostile_disclosed_report(text: str) -> Report:
    word = text or "-"
    fields = [
        answer(f"{word}.a", text, "declared", question=text, evidence=text, reason=text, asserted_by=text, date=text),
        answer(f"{word}.b", text, "extracted", question=text, evidence=text),
        answer("H1.licences", text, "declared"),
        answer("H1.base_model", text, "declared"),
        answer("S1.auditor", text, "declared"),
        answer("S2.intended_use", None, "refused", reason=text),
    ]
    report = hostile_report(text)
    item = DisclosureItem(
        id=f"{word} 2", title=text, value=None, provenance="refused", evidence=None, reason=text, fields=fields
    )
    against = Contradiction(field=f"{word}.a", declared=text, asserted_by=text, measured=text, evidence=word)
    declaration = Declaration(file=text, sha256=text, by=text, date=text, standard=1, model=text)
    return report.model_copy(
        update={
            "disclosure": [*report.disclosure, item],
            "contradictions": [against],
            "declaration": declaration,
        }
    )
