"""Coverage of challenges and the disclosure list."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from rmaudit.disclosure.coverage import Challenge, beside, challenges, coverage_rows
from rmaudit.disclosure.items import listed_items
from rmaudit.resources import probes_dir
from tests.reporting.sample import finding, sample_findings

ALL_IDS = [
    "1a",
    "1b",
    "1c",
    "2a",
    "2b",
    "3a",
    "3b",
    "4a",
    "4b",
    "4c",
    "5",
    "6",
    "7",
    "8",
    "9a",
    "9b",
    "9c",
    "10a",
    "10b",
    "10c",
    "10d",
    "10e",
    "11a",
    "11b",
    "12a",
    "12b",
    "13a",
    "13b",
    "14a",
    "14b",
    "14c",
    "15a",
    "15b",
    "15c",
    "16",
    "17a",
    "17b",
    "18a",
    "18b",
    "19",
    "20",
    "21a",
    "21b",
    "22",
    "23",
    "24",
    "25",
]
SUITES = {"format", "length", "sycophancy", "confidence", "demographic", "misgeneralization", "refusal"}


def status(findings: list, challenge: str) -> str:
    return next(row.status for row in coverage_rows(findings) if row.id == challenge)


@pytest.mark.parametrize("findings", [[], sample_findings()], ids=["nothing run", "all run"])
def test_every_challenge_is_listed_once_with_a_reason(findings: list) -> None:
    rows = coverage_rows(findings)
    assert [row.id for row in rows] == ALL_IDS
    assert all(row.reason.strip() and row.challenge.strip() for row in rows)


def test_fields_are_items_of_the_list() -> None:
    known = {item.id for item in listed_items()}
    for challenge in challenges():
        assert set(challenge.field.split(", ")) <= known


def test_measured_names_are_suites_that_ship() -> None:
    named = {entry.partition("/")[0] for challenge in challenges() for entry in challenge.measured}
    assert named == SUITES
    for suite in SUITES:
        file = probes_dir() / suite / "suite.yaml"
        if not file.is_file():
            pytest.skip(f"the suite {suite} is not there")
        text = file.read_text(encoding="utf-8")
        for challenge in challenges():
            for entry in challenge.measured:
                if entry.startswith(f"{suite}/"):
                    assert f"id: {entry.partition('/')[2]}\n" in text, entry


def test_every_shipped_probe_speaks_to_a_challenge_or_says_why_not() -> None:
    shipped = {}
    for suite in SUITES:
        for probe in yaml.safe_load((probes_dir() / suite / "suite.yaml").read_text(encoding="utf-8"))["probes"]:
            shipped[f"{suite}/{probe['id']}"] = suite if probe.get("primary") else f"{suite}/{probe['id']}"
    assert len(shipped) > 60
    named = {entry for challenge in challenges() for entry in challenge.measured}
    placed = {probe for probe, name in shipped.items() if name in named}
    assert set(shipped) - placed == set(beside())
    assert named <= set(shipped.values())
    assert all(beside().values())


def test_nothing_run_is_never_a_verdict() -> None:
    assert {row.status for row in coverage_rows([])} == {"not_tested", "disclosure_only"}


def test_people_alone_can_answer_some() -> None:
    for challenge in ("1c", "4a", "9c", "10c", "10d", "12b", "24"):
        assert status(sample_findings(), challenge) == "disclosure_only"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (("negligible", "negligible"), "negligible"),
        (("negligible", "inconclusive"), "inconclusive"),
        (("inconclusive", "not_measurable"), "not_measurable"),
        (("not_measurable", "present"), "present"),
    ],
)
def test_the_worst_verdict_counts(verdicts: tuple[str, str], expected: str) -> None:
    findings = [
        finding(suite="demographic", probe="names", verdict=verdicts[0]),
        finding(suite="confidence", probe="stated-confidence", verdict=verdicts[1]),
    ]
    assert status(findings, "19") == expected
    assert status(findings[::-1], "19") == expected


def test_a_secondary_probe_counts_only_where_it_is_named() -> None:
    nonsense = finding(suite="misgeneralization", probe="nonsense", primary=False, verdict="present")
    assert status([nonsense], "14c") == "present"
    assert status([nonsense], "13a") == "not_tested"
    carryover = finding(suite="misgeneralization", probe="prompt-carryover", verdict="negligible")
    assert status([carryover], "14c") == "not_tested"


def test_what_was_not_run_is_named() -> None:
    row = next(row for row in coverage_rows([finding(suite="length")]) if row.id == "13a")
    assert row.measured_by == ["length"]
    assert "Not run: misgeneralization, misgeneralization/one-word-reversal, " in row.reason


def test_the_panel_describes_without_a_verdict() -> None:
    row = next(row for row in coverage_rows([]) if row.id == "8")
    assert (row.status, row.measured_by) == ("not_tested", ["panel"])


def test_a_challenge_must_say_how_it_is_answered() -> None:
    with pytest.raises(ValidationError, match="does not say what it needs"):
        Challenge(id="x", challenge="c", field="R2", access="reward-model")
    with pytest.raises(ValidationError, match="disclosure only"):
        Challenge(id="x", challenge="c", field="R2", access="disclosure", measured=["length"])


def test_the_list_has_its_twelve_items() -> None:
    assert [item.id for item in listed_items()] == [
        "H1",
        "H2",
        "H3",
        "H4",
        "H5",
        "R1",
        "R2",
        "P1",
        "S1",
        "S2",
        "S3",
        "S4",
    ]
