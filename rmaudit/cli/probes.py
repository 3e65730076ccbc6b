"""``rmaudit probes``: list, show, check, draw anew and export suites."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmaudit.cli import options as opt
from rmaudit.cli.scan import Tier

if TYPE_CHECKING:
    from rmaudit.suites.load import LoadedSuite
    from rmaudit.suites.spec import AnyDesign, Item, Probe

app = typer.Typer(
    help="List, show, check, draw anew and export suites of probes.", no_args_is_help=True, rich_markup_mode=None
)


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
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A suite, or one probe as SUITE/PROBE.", show_default=False)
    ],
    probes: opt.ProbeFolder = None,
    items: Annotated[int, typer.Option(min=0, help="How many items to print.")] = 3,
) -> None:
    """Show a suite or one probe: hypothesis, design, estimator, placebo, published values and items."""
    from rmaudit.cli.console import tell
    from rmaudit.errors import SuiteError
    from rmaudit.suites.designs import reader
    from rmaudit.suites.load import load_suites

    wanted, _, probe_id = name.partition("/")
    suite = load_suites(_folder(probes), [wanted])[0]
    spec = suite.spec
    chosen = [probe for probe in spec.probes if probe_id in ("", probe.id)]
    if not chosen:
        known = ", ".join(probe.id for probe in spec.probes)
        raise SuiteError(f"The suite {wanted} has no probe {probe_id!r}. It has: {known}.")
    tell(f"{spec.title} (suite {spec.suite}, version {spec.version}, {spec.licence})\n{spec.question}\n")
    tell(f"Hypothesis: {spec.hypothesis}\n")
    for probe in chosen:
        _show_probe(probe)
    if not probe_id:
        for item in suite.items[:items]:
            _show_item(item, list(item.arms))
    else:
        readings = ((item, reader(chosen[0].measure)(item)) for item in suite.items)
        fit = [(item, reading) for item, reading in readings if reading is not None]
        for item, reading in fit[:items]:
            _show_item(item, list(reading.roles))
    card = suite.folder / "README.md"
    if card.is_file():
        tell(f"\nCard with sources, licences and limits: {card}")


def _show_probe(probe: Probe) -> None:
    from rmaudit.cli.console import tell

    tell(f"{probe.id}{' (primary)' if probe.primary else ''}: {probe.question}")
    tell(f"  design: {_design(probe.measure)}")
    tell(f"  bias counts when the effect is {probe.direction}, in {probe.unit}")
    tell(f"  +: {probe.meaning_plus}")
    tell(f"  -: {probe.meaning_minus}")
    tell(f"  formula: {' '.join(probe.formula.split())}")
    reason = " ".join((probe.no_placebo or "").split())
    tell(f"  placebo: {_design(probe.placebo) if probe.placebo else f'none. {reason}'}")
    for detail in probe.details:
        tell(f"  also computed: {detail.detail}")
    for entry in probe.published:
        tell(f"  published: {entry.value} ({entry.source})")
    for citation in probe.citations:
        tell(f"  source: {citation}")
    if probe.limits:
        tell(f"  limits: {' '.join(probe.limits.split())}")


def _design(measure: AnyDesign) -> str:
    words = measure.model_dump(exclude_defaults=True)
    return f"{words.pop('design')} ({', '.join(f'{key} {value}' for key, value in words.items())})"


def _show_item(item: Item, arms: list[str]) -> None:
    from rmaudit.cli.console import tell

    tell(f"\nitem {item.id} (cluster {item.cluster}, from {item.source or 'this project'})")
    for turn in item.prompt:
        tell(f"  {turn['role']}: {turn['content']}")
    for arm in arms:
        factors = ", ".join(f"{key}={value}" for key, value in item.arms[arm].factors.items())
        tell(f"  [{arm}] ({factors})")
        for turn in item.conversation(arm)[len(item.prompt) if item.arms[arm].messages is None else 0 :]:
            tell(f"    {turn['role']}: {turn['content']}")


@app.command()
def new(
    suite: Annotated[str, typer.Option("--from", metavar="SUITE", help="The suite whose items are drawn anew.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder in which the suite is created; a scan's --probes.")
    ],
    seed: Annotated[int, typer.Option(min=0, help="Of the draw. 0 gives the items that ship.")] = 1,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            metavar="FILE",
            help="Your own prompts and answers: JSON lines with prompt and response, or messages.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw new items for a suite, from the shipped sources or from your own prompts and answers."""
    from rmaudit.cli.console import say
    from rmaudit.generate.fresh import read_answers, write_suite
    from rmaudit.suites.load import load_suite

    folder = write_suite(suite, seed, out, read_answers(prompts) if prompts else ())
    made = load_suite(folder)
    say(f"{len(made.items):,} items for {len(made.spec.probes)} probes written to {folder}.")
    say(f"Use them with: rmaudit scan SOURCE --probes {out}")


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
