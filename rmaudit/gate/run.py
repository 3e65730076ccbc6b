"""Requirements of the run as a whole: the model's self-test, its quality, the suites, and what is disclosed."""

from __future__ import annotations

from collections.abc import Iterator

from rmaudit.disclosure.records import DisclosureField, DisclosureItem
from rmaudit.gate.check import Check
from rmaudit.gate.rules import GatePolicy
from rmaudit.reporting.outline import completeness
from rmaudit.reporting.report import Report

FILLED = {"measured", "extracted", "declared"}


def check_run(report: Report, rules: GatePolicy) -> Iterator[Check]:
    """One check for each requirement that the policy has."""
    if rules.require_self_test:
        yield _self_test(report)
    if rules.require_tracks_quality:
        yield _tracks_quality(report)
    run = {finding.suite for finding in report.findings}
    for suite in rules.required_suites:
        if suite not in run:
            yield Check(suite, "unmeasured", "The policy requires this suite, and the run did not include it.")
    yield from _disclosure(report, rules)


def _self_test(report: Report) -> Check:
    failed = [check.name for check in report.model.self_test if check.passed is False]
    if failed:
        return Check("self-test", "unmeasured", f"The model failed its loading self-test: {'; '.join(failed)}.")
    return Check("self-test", "pass", "Repeats and batch mates do not change the scores.")


def _tracks_quality(report: Report) -> Check:
    if report.ruler.tracks_quality:
        return Check("tracks quality", "pass", "The panel accuracy is clearly above chance.")
    return Check("tracks quality", "unmeasured", report.ruler.reason or "Not shown to tell good answers from bad ones.")


def _disclosure(report: Report, rules: GatePolicy) -> Iterator[Check]:
    items = report.disclosure
    entries: list[DisclosureItem | DisclosureField] = [*items, *(field for item in items for field in item.fields)]
    filled = {entry.id for entry in entries if entry.provenance in FILLED}
    known = {entry.id for entry in entries}
    for name in rules.disclosure.items:
        if name not in known:
            beside = [entry for entry in known if entry.startswith(f"{name.partition('.')[0]}.")]
            there = sorted(beside or {item.id for item in report.disclosure})
            yield Check(f"disclosure {name}", "unmeasured", f"It is not on the list. There are: {', '.join(there)}.")
        elif name in filled:
            yield Check(f"disclosure {name}", "pass", "It has a value.")
        else:
            yield Check(f"disclosure {name}", "unmeasured", "The policy requires it, and it has no value.")
    if rules.disclosure.minimum_share:
        least = rules.disclosure.minimum_share
        parts = completeness(report.disclosure)
        answered = parts.total - parts.missing
        enough = bool(parts.total) and answered >= least * parts.total
        words = f"{answered} of {parts.total} questions are answered; the policy asks for {least:.0%}."
        yield Check("disclosure", "pass" if enough else "unmeasured", words)
