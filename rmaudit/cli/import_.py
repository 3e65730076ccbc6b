"""``rmaudit import``: a suite from your copy of a published benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_(
    source: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="A file or folder: JSON, JSON lines, CSV or parquet.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder in which the suite is created; a scan's --probes.")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="BENCHMARK",
            help="rewardbench, rm-bench, rmb, llmbar, counterfactual-pairs or bbq.  [default: found from the fields]",
        ),
    ] = None,
) -> None:
    """Turn your copy of RewardBench, RM-Bench, RMB, LLMBar, BBQ or counterfactual pairs into a suite."""
    from rmaudit.cli.console import say
    from rmaudit.importing.suite import import_benchmark

    made = import_benchmark(source, out, name)
    probes = "1 probe" if made.probes == 1 else f"{made.probes} probes"
    say(f"{made.rows:,} rows read as {made.benchmark}: {made.items:,} items for {probes} written to {made.folder}.")
    say(f"Use them with: rmaudit scan SOURCE --probes {out} --tier reference")
