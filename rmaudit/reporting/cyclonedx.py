"""The report as a CycloneDX bill of materials for machine learning (ML-BOM), version 1.6.

The model is a component with a model card. Two standards are defined: the disclosure list, whose requirements are its
items, and the probes, whose requirements are that a reward shows no effect. The audit attests to both: a verdict is a
claim (or a counter-claim), a finding is its evidence.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rmaudit.disclosure.items import NOT_PROVIDED, listed_items
from rmaudit.disclosure.records import DisclosureField, DisclosureItem
from rmaudit.reporting import answers, outline, text
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Estimate, Finding

SPEC_VERSION: Final = "1.6"
_SERIALS: Final = uuid.UUID("7d1c5a52-8a0f-5d8e-9a5f-3f6a1f1d6b0e")
"""Namespace of the serial numbers: the same report has the same number."""

_MODEL: Final = "model"
_TARGET: Final = "target:model"
_ASSESSOR: Final = "assessor"
_SOMEBODY: Final = "rmaudit, run by somebody whom this report does not name"
_PAPER: Final = "https://arxiv.org/abs/2307.15217"

Json = dict[str, Any]


def render(report: Report) -> bytes:
    """Render a report as CycloneDX JSON.

    Returns:
        UTF-8 bytes, the same for the same report; the serial number is made from the content.
    """
    bom = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": "",
        "version": 1,
        "metadata": _metadata(report),
        "dependencies": [{"ref": _MODEL}],
        "definitions": {"standards": [_disclosure_standard(report), _probe_standard(report)]},
        "declarations": _declarations(report),
    }
    content = hashlib.sha256(json.dumps(bom, allow_nan=False).encode("ascii")).hexdigest()
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(_SERIALS, content)}"
    return (json.dumps(bom, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def _metadata(report: Report) -> Json:
    version = _words(report.run.versions.get("rmaudit", "")) or "not known"
    return _filled(
        {
            "timestamp": _moment(report.run.finished),
            "lifecycles": [{"phase": "post-build"}],
            "tools": {"components": [{"type": "application", "name": "rmaudit", "version": version}]},
            "component": _model(report),
            "properties": _properties(
                {
                    "run": report.run.id,
                    "command": report.run.command,
                    "tier": report.settings.tier,
                    "seed": str(report.settings.seed),
                    "policy": f"{report.settings.policy} version {report.settings.policy_version}",
                    "declaration_sha256": report.declaration.sha256 if report.declaration else None,
                }
            ),
        }
    )


def _model(report: Report) -> Json:
    model = report.model
    return _filled(
        {
            **_identity(report, _MODEL),
            "licenses": [{"license": {"name": licence}} for licence in _told(report, "H1.licences")],
            "pedigree": _filled(
                {
                    "ancestors": [
                        {"type": "machine-learning-model", "name": base} for base in _told(report, "H1.base_model")
                    ]
                }
            ),
            "description": _words(report.headline),
            "modelCard": _model_card(report),
            "properties": _properties(
                {
                    "source": model.source,
                    "format": model.format,
                    "head": model.head,
                    "position_read": model.pooling,
                    "sign": str(model.sign),
                    "parameters": None if model.parameters is None else str(model.parameters),
                    "dtype": model.dtype,
                    "quantization": model.quantization,
                    "template": model.template,
                    "max_length": None if model.max_length is None else str(model.max_length),
                    "hash_covers": "all files that take part in the score, as rmaudit inspect lists them",
                }
            ),
        }
    )


def _identity(report: Report, ref: str) -> Json:
    """The model as a component, without what was found."""
    model = report.model
    name = _words(model.source.rstrip("/").rsplit("/", 1)[-1]) or "reward model"
    known = re.fullmatch(r"[0-9a-f]{64}", model.identity)
    return _filled(
        {
            "type": "machine-learning-model",
            "bom-ref": ref,
            "name": name,
            "version": text.one_line(model.revision or text.short_identity(model.identity), 200),
            "hashes": [{"alg": "SHA-256", "content": model.identity}] if known else [],
        }
    )


def _model_card(report: Report) -> Json:
    return _filled(
        {
            "modelParameters": _filled(
                {
                    "task": "reward modeling: a number for how good an answer is",
                    "modelArchitecture": _words(report.model.architecture or ""),
                    "datasets": _datasets(report),
                    "inputs": [{"format": "text: a conversation whose last message is the assistant's"}],
                    "outputs": [{"format": "number: the reward, higher is better"}],
                }
            ),
            "quantitativeAnalysis": {"performanceMetrics": list(_metrics(report))},
            "considerations": _considerations(report),
        }
    )


def _datasets(report: Report) -> list[Json]:
    """What the model was trained on, as far as it is told, and what it was measured on."""
    digests = {"panel": report.ruler.panel_sha256} | report.settings.suite_sha256
    trained = [
        {"type": "dataset", "name": name, "description": "Training data, as disclosed."}
        for name in _told(report, "H3.datasets")
    ]
    return trained + [
        {
            "type": "dataset",
            "bom-ref": f"dataset:{_key(name)}",
            "name": f"rmaudit {_words(name)}",
            "description": "Texts on which this audit measured the model. They are no training data.",
            "contents": {"properties": _properties({"sha256": digest})},
        }
        for name, digest in digests.items()
    ]


def _metrics(report: Report) -> Iterator[Json]:
    """Panel accuracy; every unit of primary findings, the effect of the others, and that of groups."""
    yield from _metric("accuracy", "panel", report.ruler.accuracy)
    for domain in report.ruler.domains:
        yield from _metric("accuracy", f"panel, {domain.domain}", domain.accuracy)
    for finding in report.findings_:
        units = [*text.UNITS, *text.CONTROLS] if finding.primary else text.UNITS[:1]
        for unit in units:
            yield from _metric(unit.field, _name(finding), getattr(finding, unit.field))
        for group in finding.groups:
            yield from _metric("srd", f"{_name(finding)}, {group.margin}: {group.name}", group.srd)


def _metric(kind: str, part: str, estimate: Estimate) -> Iterator[Json]:
    if estimate.estimate is None:
        return
    bounds = {"lowerBound": estimate.low, "upperBound": estimate.high}
    yield _filled(
        {
            "type": kind,
            "value": text.exact(estimate.estimate),
            "slice": _words(part),
            "confidenceInterval": {side: text.exact(bound) for side, bound in bounds.items() if bound is not None},
        }
    )


def _considerations(report: Report) -> Json:
    untested = [f"Without a verdict: {row.challenge} ({row.id}). {row.reason}" for row in outline.untested(report)]
    present = [finding for finding in report.findings_ if finding.verdict == "present"]
    return _filled(
        {
            "useCases": _told(report, "S2.intended_use"),
            "technicalLimitations": [_words(told) for told in (*report.warnings, *report.caveats, *untested) if told],
            "ethicalConsiderations": [
                {"name": _words(f"{_name(finding)}: {finding.statement}"), "mitigationStrategy": NOT_PROVIDED}
                for finding in present
            ],
            "fairnessAssessments": list(_fairness(report)),
        }
    )


def _fairness(report: Report) -> Iterator[Json]:
    for finding in report.findings_:
        if finding.suite != "demographic":
            continue
        severity = f" Severity: {finding.severity}." if finding.verdict == "present" else ""
        told = f"{finding.statement}{severity}"
        if not finding.groups:
            yield {
                "groupAtRisk": _words(finding.title),
                "harms": _words(told),
                "mitigationStrategy": NOT_PROVIDED,
            }
        for group in finding.groups:
            effect = text.with_interval(group.srd, "({low} to {high})")
            harms = f"Reward of this group against the others, in SRD, ideal 0: {effect}. {finding.title}: {told}"
            yield {
                "groupAtRisk": _words(f"{group.name} ({group.margin})"),
                "harms": _words(harms),
                "mitigationStrategy": NOT_PROVIDED,
            }


def _disclosure_standard(report: Report) -> Json:
    """The disclosure list: headings above items above questions."""
    listed = {entry.id: entry for entry in listed_items()}
    headings: dict[str, Json] = {}
    requirements: list[Json] = []
    for item in report.disclosure:
        asked, ref = listed.get(item.id), f"item:{_key(item.id)}"
        requirement: Json = {"bom-ref": ref, "identifier": _words(item.id) or "-", "title": _words(item.title)}
        if asked:
            parent = f"heading:{_key(asked.heading)}"
            if parent not in headings:
                headings[parent] = {"bom-ref": parent, "identifier": asked.heading, "title": asked.heading}
                requirements.append(headings[parent])
            crosswalk = {f"crosswalk:{format}": "; ".join(ids) for format, ids in sorted(asked.crosswalk.items())}
            requirement |= {
                "text": asked.question,
                "descriptions": [f"What silence about it hides: {asked.risk}"],
                "parent": parent,
                "properties": _properties({"audience": asked.audience, **crosswalk}),
            }
        requirements.append(requirement)
        requirements += [
            {
                "bom-ref": f"field:{_key(field.id)}",
                "identifier": _words(field.id) or "-",
                "title": _words(field.id),
                "text": _words(field.question),
                "parent": ref,
                "properties": _properties({"audience": field.audience}),
            }
            for field in {field.id: field for field in item.fields}.values()
        ]
    return {
        "bom-ref": "standard:disclosure",
        "name": "Disclosure for systems that learned from human feedback",
        "version": "1",
        "description": "What Casper et al. (2023) ask developers to disclose, as a list of items in rmaudit's words.",
        "owner": "rmaudit",
        "requirements": requirements,
        "externalReferences": [{"type": "documentation", "url": _PAPER}],
    }


def _probe_standard(report: Report) -> Json:
    """That the reward does not follow what it should not: a requirement a probe."""
    return {
        "bom-ref": "standard:probes",
        "name": "rmaudit probes",
        "version": _words(str(report.settings.policy_version)),
        "description": "A reward should not move by more than the margin with what is not quality.",
        "owner": "rmaudit",
        "requirements": [
            {
                "bom-ref": f"probe:{_key(_name(finding))}",
                "identifier": _words(_name(finding)) or "-",
                "title": _words(finding.title),
                "text": _words(
                    f"No effect beyond {text.exact(finding.margin)} SRD. {finding.question}"
                    f" {text.DIRECTIONS[finding.direction_of_bias]}"
                ),
                "descriptions": [_words(f"Formula: {finding.formula}")],
                "properties": _properties({"suite": finding.suite, "primary": "yes" if finding.primary else "no"}),
            }
            for finding in report.findings_
        ],
    }


def _declarations(report: Report) -> Json:
    evidence = [*(_evidence(report, finding) for finding in report.findings_), *_answer_evidence(report)]
    return {
        "assessors": [
            {
                "bom-ref": _ASSESSOR,
                "organization": {"name": (_told(report, "S1.auditor") or [_SOMEBODY])[0]},
            }
        ],
        "attestations": [
            {
                "summary": "How far the disclosure list is answered. The score counts answers; it is not about bias.",
                "assessor": _ASSESSOR,
                "map": [
                    *(_share(item) for item in report.disclosure if item.fields),
                    *(_answered(report, question, found) for question, found in answers.by_question(report).items()),
                ],
            },
            {
                "summary": "What the probes found. A counter-claim is a bias that was shown.",
                "assessor": _ASSESSOR,
                "map": [_judged(finding) for finding in report.findings_],
            },
        ],
        "claims": [*(_verdict(finding) for finding in report.findings_), *_answers(report)],
        "evidence": evidence,
        "targets": {"components": [_identity(report, _TARGET)]},
    }


_SCORES: Final = {"negligible": 1.0, "present": 0.0}


def _judged(finding: Finding) -> Json:
    """How a model stands against a probe: met where an effect is ruled out, not met where one is shown."""
    claim = [f"verdict:{_key(_name(finding))}"]
    side = {"negligible": "claims", "present": "counterClaims"}.get(finding.verdict)
    score = {"score": _SCORES[finding.verdict]} if finding.verdict in _SCORES else {}
    word = text.VERDICTS[finding.verdict]
    return {
        "requirement": f"probe:{_key(_name(finding))}",
        **({side: claim} if side else {}),
        "conformance": {**score, "rationale": _words(f"{word.label}: {word.meaning} {finding.statement}")},
    }


def _verdict(finding: Finding) -> Json:
    effect = text.with_interval(finding.srd, "(95% interval {low} to {high})")
    reasoning = (
        f"Effect {effect} SRD from {finding.n_items} items in {finding.n_clusters} clusters, margin"
        f" {text.exact(finding.margin)} SRD. {finding.reason or ''}"
    )
    return {
        "bom-ref": f"verdict:{_key(_name(finding))}",
        "target": _TARGET,
        "predicate": _words(f"{finding.verdict}: {finding.statement}"),
        "reasoning": _words(reasoning),
        "evidence": [f"finding:{_key(_name(finding))}"],
    }


def _evidence(report: Report, finding: Finding) -> Json:
    kept = finding.model_dump(mode="json", include=_KEPT)
    return _filled(
        {
            "bom-ref": f"finding:{_key(_name(finding))}",
            "propertyName": _words(f"rmaudit:finding:{_name(finding)}"),
            "description": _words(f"{finding.title}. Design: {finding.design}; unit: {finding.unit}."),
            "data": [
                {
                    "name": _words(_name(finding)) or "-",
                    "contents": {
                        "attachment": {
                            "contentType": "application/json",
                            "content": json.dumps(_rounded(kept), sort_keys=True, allow_nan=False),
                        }
                    },
                }
            ],
            "created": _moment(report.run.finished),
        }
    )


_KEPT: Final = {
    "verdict", "severity", "srd", "placebo_srd", "adjusted_srd", "win_probability", "calibrated_win_probability",
    "exchange_rate", "flip_rate", "margin", "p_value", "p_adjusted", "equivalence_p", "n_items", "n_clusters",
    "n_errors", "n_truncated", "n_ties", "detection_limit", "clusters_needed",
}  # fmt: skip
"""Facts of a finding that its evidence attaches."""


def _share(item: DisclosureItem) -> Json:
    """How many of an item's questions are answered."""
    asked = {answer.id for answer in item.fields}
    known = {answer.id for answer in item.fields if answer.value is not None}
    return {
        "requirement": f"item:{_key(item.id)}",
        "conformance": {
            "score": text.rounded(len(known) / len(asked)),
            "rationale": f"{len(known)} of {len(asked)} questions are answered.",
        },
    }


def _answered(report: Report, question: str, found: Sequence[DisclosureField]) -> Json:
    """How far a question is answered; there is no score where the answer leaves something open."""
    whole = {item.id for item in report.disclosure if not item.fields}
    known = [answer for answer in found if answer.value is not None]
    score = {"score": 0.0} if not known else {} if known[0].reason else {"score": 1.0}
    told = [f"{text.PROVENANCE[answer.provenance].label}. {answer.reason or ''}" for answer in known or found]
    return _filled(
        {
            "requirement": f"{'item' if question in whole else 'field'}:{_key(question)}",
            "claims": [_reference("answer", answer) for answer in known],
            "conformance": {**score, "rationale": _words(" ".join(told))},
        }
    )


def _reference(kind: str, answer: DisclosureField) -> str:
    """A question may have two answers: one found, and one declared."""
    return f"{kind}:{_key(answer.id)}:{answer.provenance}"


def _answers(report: Report) -> Iterator[Json]:
    """Everything disclosed, as claims; what a measurement speaks against has counter-evidence."""
    findings = {_name(finding) for finding in report.findings_}
    for answer in _disclosed(report):
        declared = answer.provenance == "declared"
        against = [entry for entry in report.contradictions if declared and entry.field == answer.id]
        counter = dict.fromkeys(entry.evidence for entry in against if entry.evidence in findings)
        sources = [_reference("source", answer)] if answer.evidence else []
        if answer.evidence in findings:
            sources.append(f"finding:{_key(answer.evidence)}")
        word = text.PROVENANCE[answer.provenance]
        by = f" By {answer.asserted_by}." if answer.asserted_by else ""
        date = f" {answer.date}." if answer.date else ""
        told = "".join(f" Against it: {entry.measured}" for entry in against)
        yield _filled(
            {
                "bom-ref": _reference("answer", answer),
                "target": _TARGET,
                "predicate": _words(answer.value or "") or "-",
                "reasoning": _words(f"{word.label}: {word.meaning}{by}{date} {answer.reason or ''}{told}"),
                "evidence": sources,
                "counterEvidence": [f"finding:{_key(name)}" for name in counter],
            }
        )


def _answer_evidence(report: Report) -> Iterator[Json]:
    for answer in _disclosed(report):
        if answer.evidence:
            yield {
                "bom-ref": _reference("source", answer),
                "propertyName": _words(f"rmaudit:disclosure:{answer.id}"),
                "description": _words(answer.evidence),
            }


def _disclosed(report: Report) -> list[DisclosureField]:
    """Every answer that says something; of two that claim the same question and origin, the first."""
    told = [answer for found in answers.by_question(report).values() for answer in found if answer.value is not None]
    return list({_reference("answer", answer): answer for answer in reversed(told)}.values())[::-1]


def _told(report: Report, question: str) -> list[str]:
    """The first answer to a question, in a list that is empty where there is none."""
    value = answers.value(report, question)
    return [] if value is None else [_words(value)]


def _name(finding: Finding) -> str:
    return f"{finding.suite}/{finding.probe}"


def _key(name: str) -> str:
    """A name as part of a reference: itself where it is plain, and its digest where not."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,99}", name):
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _properties(facts: Mapping[str, str | None]) -> list[Json]:
    return [{"name": f"rmaudit:{name}", "value": _words(value)} for name, value in facts.items() if value]


def _moment(moment: str) -> str | None:
    """A time as the format asks for it, ``None`` where it is none."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return parsed.isoformat() if parsed.tzinfo else None


def _filled(facts: Json) -> Json:
    """Without what is empty: a key says something, or is not there."""
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return text.rounded(value)
    return {key: _rounded(entry) for key, entry in value.items()} if isinstance(value, dict) else value


def _words(value: str) -> str:
    return text.one_line(value)
