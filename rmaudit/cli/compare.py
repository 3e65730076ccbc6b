"""``rmaudit compare``: two or more finished runs, item by item."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """A format of a comparison."""

    text = "text"
    json = "json"
    md = "md"
    html = "html"
    changelog = "changelog"


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN…", help="Run folders of finished scans; the first is the reference."),
    ],
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", metavar="NAME", help="Compare this suite; repeat for more.  [default: all]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the comparison to this file.", show_default=False),
    ] = None,
    format: Annotated[
        Output | None,
        typer.Option("--format", help="Of --out, or else of stdout.  [default: by the file's name; text]"),
    ] = None,
    changelog: Annotated[
        Path | None,
        typer.Option(
            "--changelog",
            metavar="FILE",
            help="Add an entry for each further run to this Markdown file.",
            show_default=False,
        ),
    ] = None,
    why: Annotated[
        str | None,
        typer.Option("--why", metavar="TEXT", help="Why it was measured again, for the record.", show_default=False),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="The policy of the runs, where it was not the one that ships."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Say what changed between finished runs, paired by item, with intervals. Needs no model.

    Exit code 0 whatever has changed (`rmaudit gate --baseline` decides), 3 when the runs cannot be compared.
    """
    from rmaudit.cli.console import plain_only, say, show, width, write
    from rmaudit.comparison.build import compare as compared
    from rmaudit.comparison.outputs import changelog as entries
    from rmaudit.comparison.outputs.terminal import summary
    from rmaudit.runs.atomic import check_output, write_output

    kind = format or (_by_name(out) if out is not None else Output.text)
    for file in (out, changelog):
        if file is not None:
            check_output(file)
    comparison = compared(runs, suites=suite or (), policy=policy, why=why)
    if out is not None:
        write_output(out, _rendered(comparison, kind))
    added = changelog is not None and entries.append(changelog, comparison)
    if not quiet and (out is not None or kind is Output.text):
        show(summary(comparison, width(sys.stdout), ascii_only=plain_only(sys.stdout)))
    elif not quiet:
        write(_rendered(comparison, kind))
    if quiet:
        return
    if out is not None:
        say(f"Written to {out}.")
    if changelog is not None:
        say(f"Added to {changelog}." if added else f"{changelog} has this entry already.")


def _by_name(file: Path) -> Output:
    from rmaudit.errors import UsageError

    names = {"html": Output.html, "htm": Output.html, "md": Output.md, "markdown": Output.md, "json": Output.json}
    found = names.get(file.suffix.lstrip(".").lower())
    if found is None:
        raise UsageError(f"Cannot tell a format from the name {file}. Add --format html, md, json or changelog.")
    return found


def _rendered(comparison: object, kind: Output) -> bytes:
    from rmaudit.comparison.outputs import changelog, html, markdown
    from rmaudit.comparison.result import Comparison
    from rmaudit.errors import UsageError

    assert isinstance(comparison, Comparison)
    renderers = {
        Output.json: Comparison.to_json,
        Output.md: markdown.render,
        Output.html: html.render,
        Output.changelog: changelog.render,
    }
    if kind not in renderers:
        raise UsageError("--format text is for the terminal. With --out, use html, md, json or changelog.")
    return renderers[kind](comparison)
