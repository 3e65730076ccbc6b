"""A Reward Report has every section of its authors, none empty, and everything that was disclosed."""

from __future__ import annotations

import re

import pytest

from rmaudit.disclosure.items import listed_items
from rmaudit.reporting import reward_report, text
from rmaudit.reporting.markdown import inline
from rmaudit.reporting.report import Report
from tests.reporting.disclosed import ANSWERS, disclosed_report, hostile_disclosed_report
from tests.reporting.hostile import HOSTILE
from tests.reporting.sample import sample_report

SECTIONS = {
    "System details": ["System owner", "Dates", "Feedback and communication", "Other resources"],
    "Optimization intent": [
        "Goal of reinforcement",
        "Defined performance metrics",
        "Oversight metrics",
        "Known failure modes",
    ],
    "Institutional interface": [
        "Deployment agency",
        "Stakeholders",
        "Explainability and transparency",
        "Recourse",
    ],
    "Implementation": [
        "Reward details",
        "Environment details",
        "Measurement details",
        "Algorithmic details",
        "Data flow",
        "Limitations",
        "Engineering tricks",
    ],
    "Evaluation": [
        "Evaluation environment",
        "Offline evaluations",
        "Evaluation validity",
        "Performance standards",
    ],
    "System maintenance": ["Reporting cadence", "Update triggers", "Changelog"],
}


def parts(report: Report) -> dict[str, str]:
    """Text of each section, by its heading."""
    pieces = re.split(r"^#{2,3} (.*)\n", reward_report.render(report).decode("utf-8"), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], (piece.strip() for piece in pieces[2::2]), strict=True))


def bare(report: Report) -> Report:
    """Nothing disclosed, nothing found, nothing said."""
    return report.model_copy(
        update={
            "disclosure": [],
            "findings_": [],
            "warnings": [],
            "caveats": [],
            "coverage": [],
        }
    )


@pytest.mark.parametrize("report", [sample_report(), disclosed_report(), bare(sample_report())])
def test_every_section_is_there_in_order_and_none_is_empty(report: Report) -> None:
    found = parts(report)
    expected = [title for heading, titles in SECTIONS.items() for title in (heading, *titles)]
    assert [title for title in found if title != "Further disclosure"] == expected
    assert not [title for title, words in found.items() if not words and title not in SECTIONS]


def test_what_nobody_said_is_not_provided() -> None:
    found = parts(bare(sample_report()))
    for title in ("Goal of reinforcement", "Recourse", "Data flow", "Reporting cadence", "Stakeholders", "Limitations"):
        assert found[title] == "not provided"


def test_every_answer_stands_once_in_its_section() -> None:
    found = parts(disclosed_report())
    page = reward_report.render(disclosed_report()).decode("utf-8")
    for answers in ANSWERS.values():
        assert page.count(inline(answers[0].question)) == sum(1 for a in answers if a.question == answers[0].question)
    assert "**Qwen/Qwen3-8B** (declared by R. Okafor, 2026-05-02)" in found["Algorithmic details"]
    assert "**Qwen/Qwen3-1.7B** (extracted; README.md)" in found["Algorithmic details"]
    assert "*refused*: A matter of contract." in found["Measurement details"]
    assert "*not provided*" in found["Data flow"]
    assert "length-balanced" in found["Data flow"]


def test_contradictions_come_first() -> None:
    page = reward_report.render(disclosed_report()).decode("utf-8")
    first = page[: page.index("## System details")]
    assert "Longer answers earn more." in first
    assert "Longer wrong answers too." in first
    assert "cd" * 32 in first


def test_every_finding_is_among_the_evaluations_and_the_present_among_the_failures() -> None:
    report = sample_report()
    found = parts(report)
    for finding in report.findings_:
        name = inline(f"{finding.suite}/{finding.probe}")
        assert name in found["Offline evaluations"]
        assert (name in found["Known failure modes"]) == (finding.verdict == "present")
        assert (name in found["Oversight metrics"]) == finding.primary


def test_every_question_of_the_list_has_a_section() -> None:
    placed = [q for sections in reward_report.SECTIONS.values() for s in sections for q in s.questions]
    assert len(placed) == len(set(placed))
    for item in listed_items():
        assert item.id in placed
        assert {field.id for field in item.fields} <= set(placed)


def test_an_answer_without_a_section_is_not_lost() -> None:
    report = disclosed_report()
    (first, *rest) = report.disclosure
    unknown = ANSWERS["H1"][0].model_copy(update={"id": "X9.other", "value": "something else"})
    changed = report.model_copy(update={"disclosure": [first.model_copy(update={"fields": [unknown]}), *rest]})
    assert "something else" in parts(changed)["Further disclosure"]


@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_text_stays_text(attack: str) -> None:
    page = reward_report.render(hostile_disclosed_report(attack)).decode("utf-8")
    assert not text._UNSAFE.search(page)
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", page, flags=re.MULTILINE | re.DOTALL)
    assert "<" not in outside
    assert not re.search(r"https?://|www\.\w|(?<!\\)\]\(|@everyone", outside)
    headings = re.findall(r"^#+ (.*)", outside, re.MULTILINE)[1:]
    known = {title for heading, titles in SECTIONS.items() for title in (heading, *titles)}
    assert set(headings) <= known | {"Further disclosure"}
    columns = None
    for line in outside.splitlines():
        if not line.startswith("| "):
            columns = None
            continue
        count = len(re.findall(r"(?<!\\)\|", line))
        columns = columns or count
        assert count == columns
    assert len(page) < 2_000_000
