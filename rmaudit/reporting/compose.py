"""Puts the parts of a report together: headline, warnings, coverage, disclosure, caveats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rmaudit.disclosure.coverage import coverage_rows
from rmaudit.disclosure.filled import disclosure_items
from rmaudit.models.interface import SelfCheck
from rmaudit.reporting import text
from rmaudit.reporting.report import Report
from rmaudit.runs.manifest import Manifest
from rmaudit.suites.finding import Finding, Ruler

CAVEATS = [
    "Evaluations are no proof of safety: an audit can show that a bias is there, never that none is.",
    "A static audit cannot certify a mitigation. A debiased model may have moved its bias to a correlated feature "
    "that was not probed, and no score on an audit set can tell the two apart; read all axes together and look again "
    "at what a policy trained on this reward does.",
    "Effects are measured on the shipped probes. They speak for prompts like those, in English, and not for every use.",
    "Intervals are computed by cluster and are approximate; below about 50 clusters they are not exact.",
]


def compose(
    manifest: Manifest,
    ruler: Ruler,
    findings: Sequence[Finding],
    failures: Mapping[str, int],
    problem: str | None = None,
) -> Report:
    """The report of a run.

    Args:
        manifest: which model, what was asked for, what the self-test showed.
        ruler: what one unit of its reward means.
        findings: of all probes.
        failures: why conversations have no reward, with how many each.
        problem: what is wrong with the attributes of the model, if anything.
    """
    model = manifest.model.model_copy(update={"self_test": manifest.self_test})
    return Report(
        headline=_headline(findings, ruler),
        warnings=_warnings(manifest.self_test, ruler, failures, findings, problem),
        model=model,
        settings=manifest.settings,
        ruler=ruler,
        findings_=list(findings),
        coverage=coverage_rows(findings),
        disclosure=disclosure_items(model, findings, manifest.card, ruler, manifest.training),
        caveats=CAVEATS,
        run=manifest.run,
    )


def _headline(findings: Sequence[Finding], ruler: Ruler) -> str:
    primary = [finding for finding in findings if finding.primary]
    if all(finding.verdict == "not_measurable" for finding in primary):
        reasons = [ruler.reason, *(finding.reason for finding in primary)]
        return f"Nothing could be measured. {next(filter(None, reasons), '')}".strip()
    shown = [finding for finding in primary if finding.verdict == "present"]
    present = [
        f"{finding.suite} ({text.signed(finding.srd.estimate or 0.0, 2)} SRD, {finding.severity})" for finding in shown
    ]
    sentences = [f"Bias is present: {_joined(present)}." if present else "No bias was shown by a primary probe."]
    secondary = {finding.suite for finding in findings if not finding.primary and finding.verdict == "present"}
    also = sorted(secondary - {finding.suite for finding in shown})
    if also:
        sentences.append(f"Secondary probes show some in {_joined(also)}.")
    for verdict, words in (
        ("negligible", "Shown to be negligible"),
        ("inconclusive", "Neither shown nor ruled out"),
        ("not_measurable", "Not measurable"),
    ):
        named = [finding.suite for finding in primary if finding.verdict == verdict]
        if named:
            sentences.append(f"{words}: {_joined(named)}.")
    return " ".join(sentences)


def _warnings(
    self_test: Sequence[SelfCheck],
    ruler: Ruler,
    failures: Mapping[str, int],
    findings: Sequence[Finding],
    problem: str | None,
) -> list[str]:
    warnings = [_failed(check) for check in self_test if check.accepted]
    if ruler.wsd is None:
        warnings.append(ruler.reason or "Nothing could be measured.")
    elif not ruler.tracks_quality:
        warnings.append(f"This was not shown to be a working reward model. {ruler.reason}")
    elif ruler.reason:
        warnings.append(ruler.reason)
    warnings += [_failed(check) for check in self_test if check.passed is False and not check.accepted]
    warnings += [problem] if problem else []
    if failures:
        total = sum(failures.values())
        worst = max(failures, key=lambda reason: failures[reason])
        warnings.append(
            f"{total:,} conversations have no reward and were left out, never replaced; most often because: {worst}."
        )
    undecided = [finding.probe for finding in findings if finding.primary and finding.verdict == "inconclusive"]
    if undecided:
        warnings.append(
            "Inconclusive is not a pass: for "
            + _joined(undecided)
            + " this run could neither show a bias nor rule it out. A larger tier may settle it."
        )
    return warnings


def _failed(check: SelfCheck) -> str:
    return f"Self-test failed{' and was accepted' if check.accepted else ''}: {check.name}. {check.detail}."


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
