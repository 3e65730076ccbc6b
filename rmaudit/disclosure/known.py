"""What an audit knows without asking anybody: measured, or read from the files of the checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rmaudit.disclosure.items import listed_fields
from rmaudit.disclosure.records import DisclosureField
from rmaudit.models.interface import ModelBlock
from rmaudit.models.training_files import Told
from rmaudit.reporting import text
from rmaudit.suites.finding import Finding, Ruler

_CARD = "front matter of the model card"
_FORMS = {
    **dict.fromkeys(("pairrm", "pair-preference", "steamshp"), "pairwise"),
    **dict.fromkeys(("qwen2-prm", "pure-prm", "rlhflow-prm", "math-shepherd", "skywork-prm"), "process"),
    **dict.fromkeys(("armorm", "qrm", "urm", "ldl", "multi-attribute"), "multi_attribute"),
    **dict.fromkeys(("judge", "yes-no"), "generative"),
    "dpo": "implicit",
}
"""Formats that give something else than one number for an answer."""


def form(model: ModelBlock) -> str | None:
    """What the model gives, as one of the choices of ``R1.form``; ``None`` where its files do not tell."""
    if model.format in _FORMS:
        return _FORMS[model.format]
    if model.additive and model.attributes:
        return "multi_attribute"
    return "scalar" if model.head else None


def known_answers(
    model: ModelBlock,
    findings: Sequence[Finding],
    card: Mapping[str, Any] | None = None,
    ruler: Ruler | None = None,
    training: Mapping[str, Told] | None = None,
) -> dict[str, DisclosureField]:
    """Answers by question, and for questions that files would answer if they could be read, the reason.

    Args:
        model: the audited model.
        findings: what was measured; none where nothing was.
        card: front matter of the checkpoint's model card (``base_model``, ``datasets``, ``license``), if any.
        ruler: what the panel shows.
        training: what a trainer's files tell, see `rmaudit.models.training_files.read_training`.
    """
    answers = [*_from_card(card or {}, training or {}), *_from_files(model), *_from_training(training or {})]
    if ruler is not None:
        answers += _accuracy(ruler)
    if findings:
        answers += [*_evaluation(findings), _audit(model, findings), _expected(findings)]
    return {answer.id: answer for answer in answers}


def _answer(
    field: str,
    value: str | None,
    provenance: Literal["measured", "extracted", "missing"],
    evidence: str | None,
    reason: str | None = None,
) -> DisclosureField:
    asked = listed_fields()[field]
    return DisclosureField(
        id=field,
        question=asked.question,
        value=value,
        provenance=provenance,
        evidence=evidence,
        reason=reason,
        audience=asked.audience,
    )


def _from_card(card: Mapping[str, Any], training: Mapping[str, Told]) -> list[DisclosureField]:
    fields = {"base_model": "H1.base_model", "license": "H1.licences", "datasets": "H3.datasets"}
    found = [
        _answer(field, _listed(card[key]), "extracted", _CARD, "As the card says." if key == "datasets" else None)
        for key, field in fields.items()
        if card.get(key)
    ]
    base = training.get("base_model")
    if base and base.value and not card.get("base_model"):
        found.append(_answer("H1.base_model", base.value, "extracted", base.evidence))
    return found


def _from_files(model: ModelBlock) -> list[DisclosureField]:
    answers = [_answer("R1.identity", f"sha256 {model.identity}", "extracted", "files that take part in the score")]
    evidence = "; ".join(model.evidence) or "files of the checkpoint"
    gives = form(model)
    if gives:
        answers.append(_answer("R1.form", listed_fields()["R1.form"].choices[gives], "extracted", evidence))
    if model.head:
        read = f", read at {model.pooling}" if model.pooling else ""
        answers.append(_answer("R1.head", f"{model.head}{read} (format {model.format})", "extracted", evidence))
    return answers


def _from_training(training: Mapping[str, Told]) -> list[DisclosureField]:
    fields = {
        "tokenizer": "H1.tokenizer",
        "method": "R1.method",
        "curve": "R1.training_curve",
        "computation": "R1.computation",
    }
    return [
        _answer(field, told.value, "extracted" if told.value else "missing", told.evidence, told.reason)
        for name, field in fields.items()
        if (told := training.get(name))
    ]


def _accuracy(ruler: Ruler) -> list[DisclosureField]:
    accuracy = ruler.accuracy
    if accuracy.estimate is None:
        return []
    value = text.percent(accuracy.estimate)
    if accuracy.low is not None and accuracy.high is not None:
        value += f" [{text.percent(accuracy.low)}, {text.percent(accuracy.high)}]"
    value += f" of {text.count(ruler.n_pairs)} pairs of the panel"
    return [_answer("R2.accuracy", value, "measured", "panel", ruler.reason)]


def _evaluation(findings: Sequence[Finding]) -> list[DisclosureField]:
    answers = []
    for finding in findings:
        field = f"R2.{finding.suite}"
        if not finding.primary or field not in listed_fields():
            continue
        also = [
            other.probe
            for other in findings
            if other.suite == finding.suite and not other.primary and other.verdict == "present"
        ]
        value = _verdict(finding) + (f" (present in secondary probes: {', '.join(also)})" if also else "")
        answers.append(_answer(field, value, "measured", f"{finding.suite}/{finding.probe}", finding.reason))
    return answers


def _audit(model: ModelBlock, findings: Sequence[Finding]) -> DisclosureField:
    told = Counter(finding.verdict for finding in findings)
    counted = ", ".join(f"{n} {verdict.replace('_', ' ')}" for verdict, n in told.most_common())
    value = f"This audit, with access to the reward model: {len(findings)} findings ({counted})."
    return _answer("S1.this_audit", value, "measured", f"this report, model sha256 {model.identity}")


def _expected(findings: Sequence[Finding]) -> DisclosureField:
    grave = [
        f"{finding.suite}/{finding.probe} ({finding.severity})"
        for finding in findings
        if finding.verdict == "present" and finding.severity in ("moderate", "high", "severe")
    ]
    open_ = [f"{finding.suite}/{finding.probe}" for finding in findings if finding.verdict == "not_measurable"]
    parts = [
        f"Present from moderate severity on: {', '.join(grave)}."
        if grave
        else "No finding is present from moderate severity on.",
        f"Not measurable: {', '.join(open_)}." if open_ else "",
    ]
    reason = "What a policy makes of them was not measured."
    return _answer("S2.expected_failures", " ".join(filter(None, parts)), "measured", "findings of this report", reason)


def _verdict(finding: Finding) -> str:
    told = finding.verdict.replace("_", " ")
    return f"{told} ({finding.severity})" if finding.verdict == "present" else told


def _listed(value: Any) -> str:
    return ", ".join(str(entry) for entry in value) if isinstance(value, list | tuple) else str(value)
