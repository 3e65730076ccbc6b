"""A comparison for the terminal. Returns what rich can print, and prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rmaudit.comparison import words
from rmaudit.comparison.result import Beside, Comparison, Outcome, ProbeChange
from rmaudit.reporting import text
from rmaudit.suites.finding import Estimate

_STYLES: Final[dict[Outcome, str]] = {
    "worse": "bold dark_orange3",
    "better": "dodger_blue2",
    "turned": "bold",
    "no_different": "",
    "not_shown": "dim",
}
_SHOWN: Final[tuple[Outcome, ...]] = ("worse", "better", "turned")
MOST_OTHERS: Final = 15
"""Most changes of other than primary probes that are listed."""


def summary(comparison: Comparison, width: int = 100, *, ascii_only: bool = False) -> RenderableType:
    """Sum up a comparison for the terminal.

    Args:
        comparison: the comparison.
        width: columns to use.
        ascii_only: leave out everything beyond ASCII.

    Returns:
        A rich renderable without markup: states are told by word and mark, and colour only underlines them.
    """
    writer = _Writer(width, ascii_only)
    blocks: list[RenderableType] = [writer.line(_run(comparison, index)) for index in range(len(comparison.runs))]
    for beside in comparison.beside:
        blocks += [Text(""), *writer.beside(comparison, beside)]
    if len(comparison.beside) > 1:
        blocks += [Text(""), writer.line("Primary effects of all runs, in SRD", "bold"), writer.overview(comparison)]
    blocks += [Text(""), writer.line(_reading(comparison), "dim")]
    return Group(*blocks)


class _Writer:
    """Makes texts safe, and as plain as the terminal needs them."""

    def __init__(self, width: int, ascii_only: bool) -> None:
        self.width = max(20, width)
        self.ascii_only = ascii_only

    def plain(self, value: str, limit: int = 1_000) -> str:
        value = text.one_line(value, limit)
        if not self.ascii_only:
            return value
        for mark, plain in (
            ("\N{MINUS SIGN}", "-"),
            ("\N{HORIZONTAL ELLIPSIS}", "..."),
            ("\N{RIGHTWARDS ARROW}", "->"),
        ):
            value = value.replace(mark, plain)
        return value.encode("ascii", "replace").decode("ascii")

    def line(self, value: str, style: str = "") -> RenderableType:
        grid = Table.grid(padding=0)
        grid.add_column(width=self.width, overflow="fold")
        grid.add_row(Text(self.plain(value), style=style, overflow="fold"))
        return grid

    def beside(self, comparison: Comparison, beside: Beside) -> list[RenderableType]:
        blocks = []
        if len(comparison.beside) > 1:
            blocks.append(self.line(f"{words.run_of(comparison, beside)}, beside {comparison.runs[0].label}", "bold"))
        blocks.append(self.line(beside.headline, "bold"))
        blocks += [self.line(f"! {warning}", "dark_orange3") for warning in beside.warnings]
        primary = [change for change in beside.changes if change.primary]
        others = [change for change in beside.changes if not change.primary]
        shown = words.ordered(change for change in others if change.outcome in _SHOWN)
        listed = [*primary, *shown[:MOST_OTHERS]]
        if listed:
            blocks += [Text(""), self.changes(listed)]
        rest = words.tally(change for change in others if change not in shown[:MOST_OTHERS])
        if rest:
            told = ", ".join(f"{n} {words.OUTCOMES[outcome].label.lower()}" for outcome, n in rest.items())
            blocks.append(self.line(f"Further effects, not listed here: {told}."))
        blocks += [self.line(f"{words.name(change)}: {change.note}") for change in listed if change.note]
        verdicts = words.verdict_changes(beside.changes)
        if verdicts:
            blocks.append(self.line(f"Verdicts of the reports that are not the same: {'; '.join(verdicts)}."))
        blocks.append(self.line(words.accuracy(beside.ruler)))
        changed = [fact.name for fact in beside.facts]
        if changed:
            blocks.append(self.line(f"Not the same: {', '.join(changed)}."))
        if beside.disclosure:
            ids = ", ".join(answer.id for answer in beside.disclosure)
            blocks.append(self.line(f"Answers of the disclosure that changed: {ids}."))
        blocks += [self.line(f"Newly contradicted: {line}") for line in beside.contradictions_new]
        blocks += [self.line(f"No longer contradicted: {line}") for line in beside.contradictions_gone]
        if beside.left_out:
            told = "; ".join(f"{entry.what} ({entry.reason.rstrip('.').lower()})" for entry in beside.left_out)
            blocks.append(self.line(f"Not compared: {told}."))
        return blocks

    def changes(self, changes: Sequence[ProbeChange]) -> Table:
        table = self._table()
        table.add_column("Effect", ratio=1, overflow="fold")
        table.add_column("Outcome", no_wrap=self.width >= 70, overflow="fold")
        table.add_column("Before", justify="right", overflow="fold")
        table.add_column("After", justify="right", overflow="fold")
        table.add_column("Difference [95%]", justify="right", overflow="fold")
        for change in changes:
            table.add_row(
                Text(self.plain(words.name(change), 120)),
                self._outcome(change.outcome),
                Text(self._short(change.before)),
                Text(self._short(change.after)),
                Text(self.plain(_interval(change.difference))),
            )
        return table

    def overview(self, comparison: Comparison) -> Table:
        table = self._table()
        table.add_column("Effect", ratio=1, overflow="fold")
        table.add_column(comparison.runs[0].label, justify="right", overflow="fold")
        for beside in comparison.beside:
            table.add_column(beside.label, justify="right", overflow="fold")
        for row in words.overview(comparison):
            cells = [Text(self.plain(row.name, 120)), Text(self._short(row.before))]
            for change in row.changes:
                if change is None:
                    cells.append(Text("not compared"))
                else:
                    cells.append(Text.assemble(self._short(change.after), "\n", self._outcome(change.outcome)))
            table.add_row(*cells)
        return table

    def _table(self) -> Table:
        return Table(
            box=box.ASCII if self.ascii_only else box.SIMPLE_HEAD,
            width=self.width,
            padding=(0, 1),
            show_edge=False,
            pad_edge=False,
            highlight=False,
        )

    def _outcome(self, outcome: Outcome) -> Text:
        word = words.OUTCOMES[outcome]
        return Text(f"{word.ascii_mark if self.ascii_only else word.mark} {word.label}", style=_STYLES[outcome])

    def _short(self, value: Estimate) -> str:
        return "n/a" if value.estimate is None else self.plain(text.signed(value.estimate))


def _interval(value: Estimate) -> str:
    if value.estimate is None or value.low is None or value.high is None:
        return "n/a"
    return f"{text.signed(value.estimate)} [{text.signed(value.low)}, {text.signed(value.high)}]"


def _run(comparison: Comparison, index: int) -> str:
    run = comparison.runs[index]
    role = "the reference" if index == 0 else "beside it"
    revision = f", revision {run.revision[:12]}" if run.revision else ""
    return (
        f"{run.label}, {role}: {run.source} (sha256 {text.short_identity(run.identity)}{revision}), measured "
        f"{run.measured[:10]}, run {run.id}"
    )


def _reading(comparison: Comparison) -> str:
    return (
        "Effects in SRD, paired by item, 95% intervals by cluster. No different: a change of "
        f"{text.fixed(comparison.margin, 2)} SRD or more was ruled out. Not shown is no statement that nothing changed."
    )
