"""``rmaudit report``: render a finished run again."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """A format to render."""

    html = "html"
    md = "md"
    json = "json"


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a finished scan.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write the report.")],
    format: Annotated[
        Output | None, typer.Option("--format", help="html, md or json.  [default: by the file's name]")
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
    from rmaudit.errors import UsageError
    from rmaudit.reporting import html, markdown
    from rmaudit.reporting.report import Report
    from rmaudit.runs.atomic import write_output

    name = format.value if format else out.suffix.lstrip(".").lower().replace("markdown", "md")
    renderers = {"html": html.render, "md": markdown.render, "json": Report.to_json}
    if name not in renderers:
        raise UsageError(f"Cannot tell a format from the name {out}. Add --format html, md or json.")
    if disclosure is None:
        made = Report.load(run)
    else:
        from rmaudit.disclosure.merge import disclosed, run_report
        from rmaudit.disclosure.questionnaire import read_disclosure

        made = disclosed(run_report(run), read_disclosure(disclosure))
    write_output(out, renderers[name](made))
    say(f"Written to {out}.")
