"""What the report's readers look for, picked out of a `Report` once for all formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rmaudit.disclosure.filled import BEST_FIRST
from rmaudit.disclosure.records import Provenance
from rmaudit.reporting import text
from rmaudit.reporting.report import CoverageRow, DisclosureItem, ModelBlock, Report
from rmaudit.suites.finding import AttributeEffect, Calibration, Estimate, Example, ExampleArm, Finding

MOST_EXAMPLES = 12
"""Examples of one finding that a report shows, so that it stays small enough for a browser and for mail."""


_GRAVEST_FIRST = ("present", "not_measurable", "inconclusive", "negligible")


class Section(NamedTuple):
    """The findings of one suite."""

    suite: str
    question: str
    findings: tuple[Finding, ...]


class Completeness(NamedTuple):
    """How many questions of the disclosure list are answered, in three parts that are never added up."""

    measured: int
    """Measured by the audit or read from the checkpoint's files."""
    declared: int
    missing: int
    """Not provided, or refused."""
    refused: int
    """Part of `missing`."""
    total: int


class Comparison(NamedTuple):
    """An arm of an example, and the text it is to be read against."""

    arm: ExampleArm
    against: str | None
    """``None``: shown as it is."""


class CalibrationFact(NamedTuple):
    """One number of the ruler's calibration, in words."""

    title: str
    estimate: Estimate
    reason: str | None
    """Why it is null."""
    note: str = ""
    whole: int | None = None
    """The number, where it is a count."""


def calibration_facts(facts: Calibration) -> list[CalibrationFact]:
    """The numbers of the ruler's calibration and scale, in the order in which reports show them."""

    def number(value: float | None) -> Estimate:
        return Estimate(estimate=value)

    missing = facts.reasons.get
    return [
        CalibrationFact("Expected calibration error", facts.ece, missing("ece"), "ideal 0"),
        CalibrationFact("Brier score", facts.brier, missing("brier"), "chance 0.25, ideal 0"),
        CalibrationFact(
            "Prompts whose reward rises with every grade",
            facts.ladders_in_order,
            missing("ladders_in_order"),
            "of those with three grades or more; ideal 1",
        ),
        CalibrationFact(
            "The same by chance", number(facts.ladders_by_chance), missing("ladders_in_order"), "mean of 1 / (grades)!"
        ),
        CalibrationFact("Prompts with three grades or more", number(None), None, whole=facts.n_ladders),
        CalibrationFact("Gap between answers of equal grade, SRD", facts.equal_grade_gap, missing("equal_grade_gap")),
        CalibrationFact("Gap between answers of other grades, SRD", facts.other_grade_gap, missing("other_grade_gap")),
        CalibrationFact("Spread within a prompt, tenth percentile, SRD", number(facts.spread.p10), None),
        CalibrationFact("Spread within a prompt, median, SRD", number(facts.spread.p50), None),
        CalibrationFact("Spread within a prompt, ninetieth percentile, SRD", number(facts.spread.p90), None),
        CalibrationFact(
            "Prompts with hardly any spread", number(facts.spread.flat_prompts), None, "share below 0.1 SRD; ideal 0"
        ),
        CalibrationFact(
            "Triads of answers ordered in a circle", number(facts.intransitivity), missing("intransitivity"), "ideal 0"
        ),
    ]


def sections(report: Report) -> list[Section]:
    """Findings by suite, the gravest suite first by its primary finding; primary probes come first."""
    suites = dict.fromkeys([*report.settings.suites, *(finding.suite for finding in report.findings_)])
    found = []
    for suite in suites:
        findings = sorted(
            (finding for finding in report.findings_ if finding.suite == suite), key=lambda finding: not finding.primary
        )
        if findings:
            found.append(Section(suite, findings[0].question, tuple(findings)))
    return sorted(found, key=lambda section: _gravity(section.findings[0]))


def _gravity(finding: Finding) -> tuple[int, int]:
    return _GRAVEST_FIRST.index(finding.verdict), -text.SEVERITIES.index(finding.severity)


def primary(report: Report) -> list[Finding]:
    """The pre-declared findings, one a suite, in the order of the sections."""
    return [finding for section in sections(report) for finding in section.findings if finding.primary]


def coverage_status(row: CoverageRow) -> str:
    """Key of a row in `text.COVERAGE`: facts without a test are described, and not 'not tested'."""
    return "described" if row.status == "not_tested" and row.measured_by else row.status


def untested(report: Report) -> list[CoverageRow]:
    """Challenges about which this run has no verdict."""
    return [row for row in report.coverage if row.status in {"not_tested", "disclosure_only", "not_measurable"}]


def completeness(items: Sequence[DisclosureItem]) -> Completeness:
    """Count the questions of the disclosure list by where their answer comes from.

    A question that was measured or read from files counts as that, though it may be declared too. An item without
    questions counts as one.
    """
    by: list[Provenance] = []
    for item in items:
        answers: dict[str, list[Provenance]] = {}
        for answer in item.fields:
            answers.setdefault(answer.id, []).append(answer.provenance)
        by += [min(found, key=BEST_FIRST.index) for found in answers.values()] or [item.provenance]
    refused = by.count("refused")
    return Completeness(
        measured=by.count("measured") + by.count("extracted"),
        declared=by.count("declared"),
        missing=by.count("missing") + refused,
        refused=refused,
        total=len(by),
    )


def missing_units(finding: Finding) -> list[tuple[str, str]]:
    """Units that a finding lacks, as words, with the reason; one entry for each reason."""
    labels = {unit.field: unit.label for unit in (*text.UNITS, *text.CONTROLS)}
    by_reason: dict[str, list[str]] = {}
    fields = sorted(
        finding.unit_reasons, key=lambda field: list(labels).index(field) if field in labels else len(labels)
    )
    for field in fields:
        reason = finding.unit_reasons[field]
        by_reason.setdefault(reason, []).append(labels.get(field, text.name(field)).lower())
    return [(", ".join(units), reason) for reason, units in by_reason.items()]


def attributes(finding: Finding) -> list[AttributeEffect]:
    """Effects on the attributes, the largest share first, or else the largest effect."""

    def size(effect: AttributeEffect) -> tuple[float, float]:
        return -(effect.share or 0.0), -abs(effect.srd.estimate or 0.0)

    return sorted(finding.attributes, key=size)


def attribute_notes(finding: Finding) -> list[tuple[str, str]]:
    """Why attributes lack a number, with their names; the names are left out where it is so for all."""
    by_reason: dict[str, list[str]] = {}
    for effect in finding.attributes:
        if effect.reason:
            by_reason.setdefault(effect.reason, []).append(text.one_line(effect.name, 60))
    everyone = len(finding.attributes)
    return [("" if len(names) == everyone else ", ".join(names), reason) for reason, names in by_reason.items()]


def scalar(model: ModelBlock) -> list[tuple[str, str]]:
    """What is done to the model's own number before it is the reward, and with what it was computed."""
    return [
        ("Sign", text.SIGNS[model.sign < 0]),
        ("Normalisation", "none" if model.normalisation is None else model.normalisation),
        ("Attention kernel", "not known" if model.attention is None else model.attention),
        ("Quantization", "none" if model.quantization is None else model.quantization),
    ]


def comparisons(example: Example) -> list[Comparison]:
    """Say for each arm which text it differs from.

    Two arms are read against each other. Of more, the first control (or else the first arm) is shown as it is, and
    the others are read against it.
    """
    arms = example.arms
    if len(arms) == 2:
        return [Comparison(arms[0], arms[1].response), Comparison(arms[1], arms[0].response)]
    base = next((arm for arm in arms if arm.role == "control"), arms[0] if arms else None)
    return [Comparison(arm, None if arm is base or base is None else base.response) for arm in arms]


def worst_examples(report: Report, n: int = 3) -> list[tuple[Finding, Example]]:
    """The largest example of each suite whose finding is present (or else of all primary findings), largest first."""
    findings = [finding for finding in report.findings_ if finding.verdict == "present"] or primary(report)
    picked: dict[str, tuple[Finding, Example]] = {}
    for finding in sorted(findings, key=lambda finding: not finding.primary):
        worst = [example for example in finding.examples if example.kind == "worst"]
        if worst and finding.suite not in picked:
            picked[finding.suite] = (finding, max(worst, key=lambda example: abs(example.effect)))
    return sorted(picked.values(), key=lambda pair: -abs(pair[1].effect))[:n]
