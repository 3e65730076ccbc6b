"""The bill of materials is valid by the official schemas, and says what the report says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from rmaudit.reporting import cyclonedx, text
from rmaudit.reporting.report import Report
from tests.reporting.disclosed import disclosed_report, hostile_disclosed_report
from tests.reporting.hostile import HOSTILE
from tests.reporting.sample import sample_report

ATTACKS = pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE.keys())


def bom(report: Report) -> dict[str, Any]:
    return json.loads(cyclonedx.render(report))  # type: ignore[no-any-return]


def faults(content: str, version: str = "1.6") -> str | None:
    """What the official schema finds wrong, formats and unknown keys included."""
    pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib ships the official schemas")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(content)
    return None if found is None else repr(found)[:2000]


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key, entry
            yield from walk(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from walk(entry)


def check_references(content: dict[str, Any]) -> None:
    """Every reference has one place, and every place that is referred to is there."""
    places = [entry for key, entry in walk(content) if key == "bom-ref"]
    assert len(places) == len(set(places))
    referring = {"parent", "requirement", "claims", "counterClaims", "assessor", "target", "evidence"}
    referring |= {"counterEvidence", "ref"}
    names = [
        name
        for key, entry in walk(content)
        if key in referring
        for name in (entry if isinstance(entry, list) else [entry])
        if isinstance(name, str)
    ]
    assert names
    assert set(names) <= set(places)


@pytest.mark.parametrize("report", [sample_report(), disclosed_report()], ids=["sample", "disclosed"])
def test_it_is_valid_and_every_reference_is_kept(report: Report) -> None:
    content = cyclonedx.render(report).decode("utf-8")
    assert faults(content) is None
    assert faults(content.replace('"1.6"', '"1.7"').replace("bom-1.6", "bom-1.7"), "1.7") is None
    check_references(json.loads(content))


def test_a_fault_would_be_found() -> None:
    content = bom(sample_report())
    content["metadata"]["component"]["modelCard"]["verdict"] = "fine"
    assert "verdict" in (faults(json.dumps(content)) or "")


def test_the_model_is_named_by_its_hash() -> None:
    report = sample_report()
    component = bom(report)["metadata"]["component"]
    assert component["type"] == "machine-learning-model"
    assert component["hashes"] == [{"alg": "SHA-256", "content": report.model.identity}]


def test_metrics_are_those_of_the_report() -> None:
    report = sample_report()
    metrics = bom(report)["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    found = {(entry["type"], entry["slice"]): entry for entry in metrics}
    assert len(found) == len(metrics)
    for finding in report.findings_:
        if finding.srd.estimate is None:
            continue
        entry = found["srd", f"{finding.suite}/{finding.probe}"]
        assert entry["value"] == text.exact(finding.srd.estimate)
        assert entry["confidenceInterval"]["lowerBound"] == text.exact(finding.srd.low or 0)
        for group in finding.groups:
            told = found["srd", f"{finding.suite}/{finding.probe}, {group.margin}: {group.name}"]
            assert told["value"] == text.exact(group.srd.estimate or 0)


def test_a_verdict_is_a_claim_with_its_finding_as_evidence() -> None:
    report = sample_report()
    declarations = bom(report)["declarations"]
    claims = {claim["bom-ref"]: claim for claim in declarations["claims"]}
    judged = {entry["requirement"]: entry for entry in declarations["attestations"][1]["map"]}
    assert len(judged) == len(report.findings_)
    for finding in report.findings_:
        name = f"{finding.suite}/{finding.probe}"
        entry, claim = judged[f"probe:{name}"], claims[f"verdict:{name}"]
        assert claim["evidence"] == [f"finding:{name}"]
        assert claim["predicate"].startswith(f"{finding.verdict}: ")
        assert entry["conformance"].get("score") == {"present": 0.0, "negligible": 1.0}.get(finding.verdict)
        assert ("counterClaims" in entry) == (finding.verdict == "present")
        assert ("claims" in entry) == (finding.verdict == "negligible")


def test_what_is_disclosed_is_a_claim_and_what_is_not_scores_nothing() -> None:
    content = bom(disclosed_report())
    declarations = content["declarations"]
    answered = {entry["requirement"]: entry for entry in declarations["attestations"][0]["map"]}
    claims = {claim["bom-ref"]: claim for claim in declarations["claims"]}
    assert answered["field:H1.base_model"]["claims"] == [
        "answer:H1.base_model:extracted",
        "answer:H1.base_model:declared",
    ]
    assert "R. Okafor" in claims["answer:H1.base_model:declared"]["reasoning"]
    assert answered["field:H2.pay"]["conformance"] == {"score": 0.0, "rationale": "Refused. A matter of contract."}
    assert "claims" not in answered["field:H3.consent"]
    assert answered["item:H3"]["conformance"]["rationale"] == "2 of 3 questions are answered."
    finding = disclosed_report().contradictions[0].evidence
    assert claims["answer:H3.balance:declared"]["counterEvidence"] == [f"finding:{finding}"]
    assert "Longer wrong answers too." in claims["answer:H3.balance:declared"]["reasoning"]
    component = content["metadata"]["component"]
    assert component["licenses"] == [{"license": {"name": "apache-2.0"}}]
    assert component["pedigree"]["ancestors"][0]["name"] == "Qwen/Qwen3-1.7B"
    assert component["modelCard"]["modelParameters"]["datasets"][0]["name"] == "northlake/pairs-2"
    assert declarations["assessors"][0]["organization"]["name"] == "A. Mwangi, Northlake"


def test_limits_and_groups_at_risk_are_named() -> None:
    report = sample_report()
    considerations = bom(report)["metadata"]["component"]["modelCard"]["considerations"]
    assert set(report.caveats) <= set(considerations["technicalLimitations"])
    groups = {group.name for f in report.findings_ if f.suite == "demographic" for group in f.groups}
    assert groups
    told = " ".join(entry["groupAtRisk"] for entry in considerations["fairnessAssessments"])
    assert all(group in told for group in groups)


def test_the_serial_number_is_that_of_the_content() -> None:
    first, second = bom(sample_report()), bom(sample_report(headline="Another."))
    assert first["serialNumber"] == bom(sample_report())["serialNumber"] != second["serialNumber"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_bytes_do_not_depend_on_the_place(zone: str) -> None:
    code = (
        "import sys; from rmaudit.reporting import cyclonedx; from tests.reporting.sample import sample_report;"
        " sys.stdout.buffer.write(cyclonedx.render(sample_report()))"
    )
    environment = {"PATH": "/usr/bin:/bin", "TZ": zone, "PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert done.stdout == cyclonedx.render(sample_report())


@ATTACKS
def test_any_text_leaves_it_valid(attack: str) -> None:
    report = hostile_disclosed_report(attack)
    content = cyclonedx.render(report).decode("utf-8")
    assert faults(content) is None
    check_references(json.loads(content))
    assert not text._UNSAFE.search(re.sub(r"\n", "", content))
    assert len(content) < 1_000_000
