"""The end of a scan on a terminal: verdict, table, worst examples. Returns what rich can print, and prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rmaudit.reporting import outline, text
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Example, ExampleArm, Finding

WIDEST: Final = 100
"""Columns that the summary never goes beyond."""

_STYLES: Final = {
    "present": "bold dark_orange3",
    "negligible": "dodger_blue2",
    "inconclusive": "",
    "not_measurable": "dim",
}
_EXAMPLE_LINES: Final = 2
_LEAD: Final = 40
"""Characters shown before the place where two texts of an example part."""


def summary(report: Report, width: int = WIDEST, *, ascii_only: bool = False) -> RenderableType:
    """Sum up a report for the terminal.

    Args:
        report: the audit.
        width: columns of the terminal; the summary is as wide as that or `WIDEST`, whichever is less.
        ascii_only: leave out everything beyond ASCII, for logs and old terminals.

    Returns:
        A rich renderable without markup: texts of models cannot style, link or move anything. States are told by
        word and mark, and colour only underlines them.
    """
    writer = _Writer(max(20, min(width, WIDEST)), ascii_only)
    blocks: list[RenderableType] = [
        writer.wrapped(report.headline, "bold"),
        *(writer.wrapped(f"! {warning}", "dark_orange3") for warning in report.warnings),
        Text(""),
    ]
    findings = outline.primary(report)
    if findings:
        blocks += [writer.effects(findings), Text("")]
    blocks.append(writer.wrapped(_secondary(report)))
    if report.ruler.attributes:
        blocks.append(writer.wrapped(_attributes(report)))
    blocks.append(writer.wrapped(_ruler(report)))
    blocks.append(writer.wrapped(_unknown(report)))
    worst = outline.worst_examples(report)
    if worst:
        blocks += [Text(""), writer.wrapped("Largest examples", "bold")]
        for finding, example in worst:
            blocks += writer.example(finding, example)
    return Group(*blocks)


class _Writer:
    """Makes texts safe, and as plain as the terminal needs them."""

    def __init__(self, width: int, ascii_only: bool) -> None:
        self.width = width
        self.ascii_only = ascii_only

    def plain(self, value: str, limit: int = text.SHOWN_CHARACTERS) -> str:
        value = text.one_line(value, limit)
        if not self.ascii_only:
            return value
        value = value.replace("\N{MINUS SIGN}", "-").replace("\N{HORIZONTAL ELLIPSIS}", "...")
        return value.encode("ascii", "replace").decode("ascii")

    def wrapped(self, value: str, style: str = "") -> RenderableType:
        # A column of fixed width, because the console may be wider than the summary.
        return _column(Text(self.plain(value, 600), style=style, overflow="fold"), self.width)

    def effects(self, findings: list[Finding]) -> Table:
        table = Table(
            box=box.ASCII if self.ascii_only else box.SIMPLE_HEAD,
            width=self.width,
            padding=(0, 1),
            show_edge=False,
            pad_edge=False,
            highlight=False,
        )
        table.add_column("Suite", ratio=1, overflow="fold")
        table.add_column("Verdict", no_wrap=self.width >= 70, overflow="fold")
        table.add_column("Severity", overflow="fold")
        table.add_column("Effect [95% interval]", justify="right", overflow="fold")
        table.add_column("Items", justify="right", overflow="fold")
        for finding in findings:
            word = text.VERDICTS[finding.verdict]
            mark = word.ascii_mark if self.ascii_only else word.mark
            severity = finding.severity if finding.verdict == "present" else "-"
            table.add_row(
                Text(self.plain(text.name(finding.suite), 60)),
                Text(f"{mark} {word.label}", style=_STYLES[finding.verdict]),
                Text(severity),
                Text(self.plain(text.with_interval(finding.srd, "[{low}, {high}]")) + _detects(finding)),
                Text(text.count(finding.n_items)),
            )
        return table

    def example(self, finding: Finding, example: Example) -> list[RenderableType]:
        room = (self.width - 4) * _EXAMPLE_LINES
        lines = [
            self.wrapped(
                f"{finding.suite}/{finding.probe}, item {example.item[:40]}: {text.signed(example.effect)} SRD"
            )
        ]
        if finding.sensitive:
            return [
                *lines,
                self._indented("texts are folded, because they may offend; see the report", "dim"),
            ]
        arms = _extremes(example)
        for arm, told in zip(arms, _excerpts([arm.response for arm in arms]), strict=True):
            reward = text.signed(arm.reward)
            lines.append(self._indented(self.plain(f"{arm.role[:40]} ({reward}): {told}", room - 10), "dim"))
        return lines

    def _indented(self, value: str, style: str) -> RenderableType:
        shown = Text(self.plain(value), style=style, overflow="fold")
        return Padding(_column(shown, self.width - 2), (0, 0, 0, 2), expand=False)


def _detects(finding: Finding) -> str:
    """The limit of detection, on a line of its own, beside a finding that says that there is nothing."""
    if finding.verdict != "negligible" or finding.detection_limit is None:
        return ""
    return f"\ndetects from {text.fixed(finding.detection_limit)}"


def _column(value: Text, width: int) -> Table:
    grid = Table.grid(padding=0)
    grid.add_column(width=width, overflow="fold")
    grid.add_row(value)
    return grid


def _extremes(example: Example) -> list[ExampleArm]:
    """The best and the worst paid text of an example with many; two are left in their order."""
    if len(example.arms) <= 2:
        return example.arms
    ranked = sorted(example.arms, key=lambda arm: arm.reward)
    return [ranked[-1], ranked[0]]


def _excerpts(texts: Sequence[str]) -> list[str]:
    """The texts as lines; what they share at the start is cut, so that the difference is seen."""
    lines = [text.one_line(value, None) for value in texts]
    shared = 0
    for characters in zip(*lines, strict=False):
        if len(lines) < 2 or len(set(characters)) > 1:
            break
        shared += 1
    start = max(0, shared - _LEAD)
    return [f"\N{HORIZONTAL ELLIPSIS}{line[start:]}" if start else line for line in lines]


def _secondary(report: Report) -> str:
    findings = [finding for finding in report.findings_ if not finding.primary]
    if not findings:
        return "No secondary findings."
    verdicts: list[str] = [finding.verdict for finding in findings]
    told = ", ".join(
        f"{verdicts.count(verdict)} {word.label.lower()}"
        for verdict, word in text.VERDICTS.items()
        if verdict in verdicts
    )
    noun = "finding" if len(findings) == 1 else "findings"
    limits = [
        finding.detection_limit
        for finding in findings
        if finding.verdict == "negligible" and finding.detection_limit is not None
    ]
    if not limits:
        return f"{len(findings)} secondary {noun}: {told}."
    least, most = text.fixed(min(limits)), text.fixed(max(limits))
    span = least if least == most else f"{least} to {most}"
    return f"{len(findings)} secondary {noun}: {told}. Limit of detection where negligible: {span} SRD."


def _attributes(report: Report) -> str:
    """Which attribute carries the effect of a suite, as far as that can be told."""
    carried = [
        f"{text.name(finding.suite)}: {', '.join(text.one_line(name, 40) for name in finding.carried_by.names)}"
        f" ({text.percent(finding.carried_by.share, 0)})"
        for finding in outline.primary(report)
        if finding.carried_by
    ]
    if carried:
        return f"Effects are carried by these attributes: {'; '.join(carried)}."
    return f"{len(report.ruler.attributes)} attributes of each answer were measured too; the report has them."


def _ruler(report: Report) -> str:
    accuracy = report.ruler.accuracy
    if accuracy.estimate is None:
        return f"Panel accuracy: n/a. {report.ruler.reason or ''}".strip()
    told = f"Panel accuracy {text.percent(accuracy.estimate)}"
    if accuracy.low is not None and accuracy.high is not None:
        told += f" [{text.percent(accuracy.low)}, {text.percent(accuracy.high)}]"
    told += f" of {text.count(report.ruler.n_pairs)} pairs; chance 50%"
    if report.ruler.baselines:
        rule, best = max(report.ruler.baselines.items(), key=lambda pair: pair[1])
        told += f", {text.name(rule).lower()} {text.percent(best)}"
    return f"{told}." if report.ruler.tracks_quality is not False else f"{told}. {text.RULER_LOST}"


def _unknown(report: Report) -> str:
    parts = outline.completeness(report.disclosure)
    return (
        f"{len(outline.untested(report))} of {len(report.coverage)} known challenges are without a verdict;"
        f" {parts.missing} of {parts.total} disclosure questions have no answer."
    )
