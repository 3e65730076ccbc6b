"""``rmaudit probes``: list, show, check and export suites."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmaudit.cli import options as opt
from rmaudit.cli.scan import Tier

if TYPE_CHECKING:
    from rmaudit.suites.load import LoadedSuite

app = typer.Typer(help="List, show, check and export suites of probes.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_(probes: opt.ProbeFolder = None) -> None:
    """List the suites with their probes and sizes."""
    from rich.table import Table
    from rich.text import Text

    from rmaudit.cli.console import show, tell
    from rmaudit.suites.load import load_suites

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("suite", "probe", "design", "clusters", "question"):
        table.add_column(column, justify="right" if column == "clusters" else "left")
    for suite in load_suites(_folder(probes)):
        for index, probe in enumerate(suite.spec.probes):
            name = suite.spec.suite if index == 0 else ""
            label = f"{probe.id} *" if probe.primary else probe.id
            clusters = f"{_clusters(suite, probe.id):,}"
            table.add_row(Text(name), Text(label), probe.measure.design, clusters, Text(probe.question))
    show(table)
    tell("\n* primary endpoint of its suite. Read one with: rmaudit probes show NAME")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A suite's name.", show_default=False)],
    probes: opt.ProbeFolder = None,
    items: Annotated[int, typer.Option(min=0, help="How many items to print.")] = 2,
) -> None:
    """Show a suite: its card, its probes and its first items."""
    from rmaudit.cli.console import tell
    from rmaudit.suites.load import load_suites

    suite = load_suites(_folder(probes), [name])[0]
    spec = suite.spec
    tell(f"{spec.title} (suite {spec.suite}, version {spec.version}, {spec.licence})\n{spec.question}\n")
    tell(f"Hypothesis: {spec.hypothesis}\n")
    for probe in spec.probes:
        tell(f"{probe.id}{' (primary)' if probe.primary else ''}: {probe.question}")
        tell(f"  design {probe.measure.design}, bias counts when the effect is {probe.direction}, in {probe.unit}")
        tell(f"  {' '.join(probe.formula.split())}")
        tell(f"  placebo: {'yes' if probe.placebo else probe.no_placebo}")
        for citation in probe.citations:
            tell(f"  source: {citation}")
    for item in suite.items[:items]:
        tell(f"\nitem {item.id} (cluster {item.cluster}, from {item.source or 'this project'})")
        for turn in item.prompt:
            tell(f"  {turn['role']}: {turn['content']}")
        for arm in item.arms:
            factors = ", ".join(f"{key}={value}" for key, value in item.arms[arm].factors.items())
            tell(f"  [{arm}] ({factors})")
            for turn in item.conversation(arm)[len(item.prompt) if item.arms[arm].messages is None else 0 :]:
                tell(f"    {turn['role']}: {turn['content']}")
    card = suite.folder / "README.md"
    if card.is_file():
        tell(f"\nCard with sources, licences and limits: {card}")


@app.command()
def check(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A suite's folder, or one that holds suites.", show_default=False),
    ],
) -> None:
    """Check suites and say what is wrong with file and line. Exit code 2 when anything is."""
    from rmaudit.cli.console import say, tell_line
    from rmaudit.errors import SuiteError
    from rmaudit.suites.load import read_suite, suite_folders

    if not folder.is_dir():
        raise SuiteError(f"There is no folder {folder}.")
    folders = suite_folders(folder) or {folder.name: folder}
    faults = 0
    for name, path in folders.items():
        suite, problems = read_suite(path)
        for problem in problems:
            tell_line(str(problem))
        faults += len(problems)
        if suite and not problems:
            tell_line(f"{name}: {len(suite.items):,} items, {len(suite.spec.probes)} probes, sound")
    if faults:
        say(f"{faults} {'fault' if faults == 1 else 'faults'} found.")
        raise typer.Exit(2)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="Where to write them.", show_default=False)],
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", metavar="NAME", help="Only this suite; repeat for more.  [default: all]"),
    ] = None,
    tier: Annotated[Tier, typer.Option(help="As for scan.")] = Tier.standard,
    probes: opt.ProbeFolder = None,
    panel: Annotated[
        Path | None,
        typer.Option("--panel", metavar="DIR", help="Folder of your own panel.  [default: the one that ships]"),
    ] = None,
) -> None:
    """Write the conversations that a scan asks for, a line each, to score them elsewhere.

    Add a "reward" to each line and scan the result as scores:FILE.jsonl.
    """
    import json

    from rmaudit.audit import select
    from rmaudit.cli.console import say
    from rmaudit.errors import UsageError
    from rmaudit.runs.atomic import write_atomically
    from rmaudit.scoring.plan import unique_conversations

    if not out.resolve().parent.is_dir():
        raise UsageError(f"The folder of {out} does not exist. Create it, or name another place.")
    chosen = select(probes, panel, suite or (), tier.value)
    conversations = unique_conversations(chosen.panel.items, chosen.named)
    lines = "".join(json.dumps({"messages": conversation}) + "\n" for conversation in conversations)
    write_atomically(out, lines.encode("ascii"))
    say(f"{len(conversations):,} conversations written to {out}.")


def _folder(probes: Path | None) -> Path:
    from rmaudit.resources import probes_dir

    return probes or probes_dir()


def _clusters(suite: LoadedSuite, probe: str) -> int:
    from rmaudit.suites.designs import reader

    chosen = next(entry for entry in suite.spec.probes if entry.id == probe)
    read = reader(chosen.measure)
    return len({item.cluster for item in suite.items if read(item) is not None})
