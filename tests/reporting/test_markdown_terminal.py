"""Markdown and terminal carry the facts of report.json."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from rmaudit.reporting import markdown, terminal, text
from rmaudit.reporting.report import Report
from tests.reporting.sample import finding, sample_report
from tests.reporting.test_html_report import nothing_measured, numbers


def printed(report: Report, width: int, **options: bool) -> str:
    stream = io.StringIO()
    Console(file=stream, width=max(width, 200), color_system=None).print(terminal.summary(report, width, **options))
    return stream.getvalue()


def test_markdown_has_every_number_but_the_histograms() -> None:
    report = sample_report()
    data = json.loads(report.to_json())
    for entry in data["findings"]:
        del entry["histogram"]
    data["model"]["parameters"] = data["run"]["conversations"] = 0
    document = markdown.render(report).decode("utf-8")
    words = set(document.replace("(", " ").replace(")", " ").replace(",", " ").replace(";", " ").split())
    assert {json.dumps(value) for value in numbers(data)} - words == set()


def test_markdown_has_every_text() -> None:
    report = sample_report()
    document = markdown.render(report).decode("utf-8")
    for found in report.findings_:
        for value in (found.statement, found.title, found.question, found.reason):
            assert value is None or markdown.inline(value) in document
        assert f"{text.VERDICTS[found.verdict].label} · severity" in document
    for row in report.coverage:
        assert markdown.inline(row.reason) in document
    for caveat in report.caveats:
        assert caveat in document
    assert "| Missing |" in document
    assert "Refused" in document


def test_markdown_renders_when_nothing_could_be_measured() -> None:
    document = markdown.render(nothing_measured()).decode("utf-8")
    assert "× Not measurable" in document
    assert "n/a" in document


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_terminal_stays_within_its_width(width: int, ascii_only: bool) -> None:
    shown = printed(sample_report(), width, ascii_only=ascii_only)
    assert max(map(len, shown.splitlines())) <= min(width, 100)
    assert "Misgeneralization" in shown or width < 80
    assert "inconclusive" in shown.lower()


def test_terminal_says_what_matters() -> None:
    shown = printed(sample_report(), 100)
    assert shown.startswith("Two of five biases are present")
    assert "! 3 conversations were longer" in shown
    assert "◆ Present" in shown
    assert "+0.417 [+0.386, +0.449]" in shown
    assert "5 secondary findings: 1 present, 3 negligible, 1 inconclusive." in shown
    assert "Panel accuracy 71.2% [69.4%, 73.1%]" in shown
    assert "longer answer 54.1%" in shown
    assert "disclosure questions have no answer." in shown


def test_terminal_says_which_attribute_carries_an_effect() -> None:
    shown = printed(sample_report(), 100)
    assert "Effects are carried by these attributes: Length: verbosity (91%)." in shown


def test_terminal_says_that_there_are_attributes_where_none_carries_an_effect() -> None:
    shown = printed(sample_report(findings_=[finding()]), 100)
    assert "3 attributes of each answer were measured too" in shown
    report = sample_report()
    ruler = report.ruler.model_copy(update={"attributes": []})
    assert "attribute" not in printed(sample_report(ruler=ruler, findings_=[finding()]), 100)


def test_markdown_shows_attributes_with_the_largest_share_first() -> None:
    document = markdown.render(sample_report()).decode("utf-8")
    assert "<details><summary>Attributes (3), carried by verbosity (0.912346)</summary>" in document
    rows = [line for line in document.splitlines() if re.match(r"\| (verbosity|helpfulness|noise) \|", line)]
    assert [row.split("|")[1].strip() for row in rows[3:6]] == ["verbosity", "helpfulness", "noise"]
    assert "| verbosity | 1.21234 | 1.16673 to 1.25796 | 0.912346 |" in rows[3]
    assert "noise: It is the same for every answer to a prompt, so it has no unit." in document


def test_markdown_describes_how_the_scalar_is_computed_and_what_is_risky() -> None:
    document = markdown.render(sample_report()).decode("utf-8")
    risk = "The weights were rounded to 4 bits to fit, which moves rewards."
    assert f"> **Risks of this checkpoint**\n>\n> * {risk}" in document
    assert document.index(risk) < document.index("## Effects")
    assert "quantized to 4bit" in document
    assert "* Sign: the negative of the model's own number, which is a cost (-1)" in document
    assert "* Normalisation: (value - 0.4123) / 2.3, by config.json" in document
    assert "* Attention kernel: sdpa" in document
    assert "* Attributes, they add up to the reward: helpfulness, verbosity, noise" in document
    assert "**failed**, accepted by the user" in document


def test_terminal_shows_one_large_example_a_suite() -> None:
    shown = printed(sample_report(), 100)
    assert shown.count("item length-0000") == 1
    assert shown.count("item sycophancy-0000") == 1


def test_terminal_shows_where_two_texts_part() -> None:
    shared = "The same beginning, word for word, again and again. " * 12
    example = sample_report().findings_[0].examples[0]
    arms = [
        arm.model_copy(update={"response": shared + end})
        for arm, end in zip(example.arms, ["One end.", "Another end."], strict=True)
    ]
    report = sample_report(findings_=[finding(examples=[example.model_copy(update={"arms": arms})])])
    shown = printed(report, 100)
    assert "One end." in shown
    assert "Another end." in shown


def test_the_gravest_suite_comes_first() -> None:
    shown = printed(sample_report(), 100)
    places = [shown.index(suite) for suite in ("Length", "Sycophancy", "Confidence", "Demographic")]
    assert places == sorted(places)
    report = sample_report(
        findings_=[
            finding(suite="length", verdict="negligible", severity="none"),
            finding(suite="sycophancy", verdict="present", severity="low"),
            finding(suite="demographic", verdict="not_measurable", severity="none"),
            finding(suite="confidence", verdict="present", severity="severe"),
        ]
    )
    shown = printed(report, 100)
    places = [shown.index(suite) for suite in ("Confidence", "Sycophancy", "Demographic", "Length")]
    assert places == sorted(places)


def test_terminal_shows_the_best_and_the_worst_paid_of_many_texts() -> None:
    example = next(found for found in sample_report().findings_ if found.suite == "sycophancy").examples[0]
    rewards = [0.1, 0.9, -0.7, 0.2]
    arms = [
        arm.model_copy(update={"role": f"role{place}", "reward": reward})
        for place, (arm, reward) in enumerate(zip(example.arms, rewards, strict=True))
    ]
    report = sample_report(findings_=[finding(examples=[example.model_copy(update={"arms": arms})])])
    shown = printed(report, 100)
    assert shown.index("role1 (+0.900)") < shown.index("role2 (−0.700)")
    assert "role0" not in shown
    assert "role3" not in shown


def test_terminal_folds_sensitive_texts() -> None:
    example = sample_report().findings_[0].examples[0]
    shown = printed(sample_report(findings_=[finding(examples=[example], sensitive=True)]), 100)
    assert "may offend" in shown
    assert "Cats purr" not in shown


def test_terminal_renders_when_nothing_could_be_measured() -> None:
    shown = printed(nothing_measured(), 100)
    assert "× Not measurable" in shown
    assert "Panel accuracy: n/a. The reward is constant." in shown


def test_terminal_says_when_the_model_does_not_track_quality() -> None:
    ruler = sample_report().ruler.model_copy(update={"tracks_quality": False})
    assert text.RULER_LOST in " ".join(printed(sample_report(ruler=ruler), 100).split())
