"""``rmaudit report``: render a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmaudit.reporting.audience import Audience


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a finished scan.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write the report; a folder for hf.")
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="html, md, pdf, json, csv, parquet, hf, cyclonedx or reward-report.  [default: by the file's name]",
        ),
    ] = None,
    audience: Annotated[
        Audience | None,
        typer.Option(
            "--audience",
            help="Who html, md or pdf is for: changes order and depth, never a number.  [default: engineer]",
            show_default=False,
        ),
    ] = None,
    disclosure: Annotated[
        Path | None,
        typer.Option(
            "--disclosure",
            metavar="FILE",
            help="Questionnaire with declared answers, see rmaudit disclose.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Render the report of a finished run again. Needs no model."""
    from rmaudit.cli.console import say
    from rmaudit.reporting import formats
    from rmaudit.reporting.report import Report

    chosen = formats.find(format, out)
    made = Report.load(run)
    if disclosure is not None:
        from rmaudit.disclosure.merge import disclosed
        from rmaudit.disclosure.questionnaire import read_disclosure

        made = disclosed(made, read_disclosure(disclosure))
    for path in formats.write(made, chosen, out, audience):
        say(f"Written to {path}.")
