"""``rmaudit scan``: audit a reward model."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmaudit.cli import options as opt
from rmaudit.models.options import LoadOptions

if TYPE_CHECKING:
    from rmaudit.reporting.report import Report


class Tier(StrEnum):
    """How many prompts a suite uses."""

    smoke = "smoke"
    standard = "standard"
    reference = "reference"


class Engine(StrEnum):
    """What runs the model."""

    local = "local"
    ray = "ray"


class Format(StrEnum):
    """What is printed on stdout."""

    text = "text"
    json = "json"


@opt.with_load_options
def scan(
    source: opt.Source,
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", metavar="NAME", help="Run this suite; repeat for more.  [default: all]"),
    ] = None,
    tier: Annotated[
        Tier, typer.Option(help="Prompts of primary probes: smoke 150, standard 300, reference up to 1,000.")
    ] = Tier.standard,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Run folder, created.  [default: a new one below runs/]"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    probes: opt.ProbeFolder = None,
    panel: Annotated[
        Path | None,
        typer.Option("--panel", metavar="DIR", help="Folder of your own panel.  [default: the one that ships]"),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="Thresholds.  [default: the policy that ships]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of permutations, bootstraps and random examples.")] = 0,
    engine: Annotated[Engine, typer.Option(help="What runs the model: this machine, or a Ray cluster.")] = Engine.local,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, help="Processes with a copy of the model each.  [default: one a GPU; on CPUs see docs]"
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            metavar="HOST:PORT|auto|local",
            help="Ray cluster to use.  [default: RAY_ADDRESS, else one started here for this scan]",
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="CHECK", help="Go on although this check of the self-test failed; repeat."),
    ] = None,
    store: opt.Store = None,
    no_store: opt.NoStore = False,
    output: Annotated[
        Format, typer.Option("--format", help="What stdout shows: text, or the report as JSON.")
    ] = Format.text,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    *,
    loading: LoadOptions,
) -> None:
    """Audit a reward model: run suites, write a run folder with report.json, report.html and report.md.

    Findings do not change the exit code; `rmaudit gate` decides on a finished run.
    """
    from rmaudit.audit import run_folder
    from rmaudit.audit import scan as audit
    from rmaudit.cli.console import listener, write
    from rmaudit.scoring.engine import EngineOptions

    folder = run_folder(source, out, resume=resume)
    report = audit(
        source,
        suites=suite or (),
        probes=probes,
        panel=panel,
        tier=tier.value,
        seed=seed,
        out=folder,
        resume=resume,
        options=loading,
        policy=policy,
        accept=accept or (),
        store=opt.store_place(store, no_store),
        engine=EngineOptions(engine.value, workers, ray_address),
        progress=listener(quiet),
    )
    if output is Format.json:
        write((folder / "report.json").read_bytes())
    elif not quiet:
        _tell(report, folder)


def _tell(report: Report, folder: Path) -> None:
    """Show the report on the terminal, and what to do next."""
    from rmaudit.cli.console import WIDTH, plain_only, say, show, tell_line, width
    from rmaudit.reporting.terminal import summary

    show(summary(report, min(WIDTH, width(sys.stdout)), ascii_only=plain_only(sys.stdout)))
    say(f"\nNext: rmaudit gate {folder}     a verdict for a pipeline, by exit code")
    tell_line(f"\nReport: {(folder / 'report.html').resolve()}")
