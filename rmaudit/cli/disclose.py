"""``rmaudit disclose``: the questionnaire on what no audit can measure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmaudit.cli import options as opt
from rmaudit.cli.scan import Format
from rmaudit.models.options import LoadOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rmaudit.disclosure.state import State

app = typer.Typer(help="Write and check the questionnaire on what no audit can measure.", no_args_is_help=True)


@app.command()
@opt.with_load_options
def init(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE|RUN",
            help="demo, a checkpoint folder or owner/name[@revision]; or the run folder of a finished scan.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write it; never over a file that is there.")
    ] = Path("disclosure.yaml"),
    *,
    loading: LoadOptions,
) -> None:
    """Write a questionnaire, filled in as far as the checkpoint's files or a run tell.

    From a SOURCE it reads configs, the model card and a trainer's plain files: no weight is loaded, no pickle opened,
    no code run. From a RUN it takes what was measured, and the checkpoint need not be there any more.
    """
    import datetime as dt

    from rmaudit.cli.console import say
    from rmaudit.disclosure import start
    from rmaudit.errors import UsageError
    from rmaudit.runs.atomic import check_output, write_output

    if out.exists():
        raise UsageError(f"{out} exists and is left as it is. Name another file with --out.")
    check_output(out)
    today = dt.datetime.now(dt.UTC).date()
    if (Path(source) / "run.json").is_file():
        from rmaudit.reporting.report import Report

        written = start.of_report(Report.load(source), today)
    else:
        from rmaudit.models.card import read_card
        from rmaudit.models.inspection import inspect
        from rmaudit.models.load import open_checkpoint
        from rmaudit.models.training_files import read_training

        found = inspect(source, loading)
        root = open_checkpoint(source, loading, look=True).root
        written = start.of_checkpoint(found, read_card(root), read_training(root, found.files), today)
    write_output(out, written.encode())
    say(f"Questionnaire written to {out}. Fill it in, then: rmaudit disclose check {out}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The questionnaire.", show_default=False)],
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="RUN", help="Compare with this finished run.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="What stdout shows: text or JSON.")] = Format.text,
) -> None:
    """Say what is wrong with a questionnaire, what it lacks, and what a run speaks against.

    Exit code 2 when the file is not valid. What is missing, declined or contradicted does not change the exit code.
    """
    from rmaudit.cli.console import tell, write
    from rmaudit.disclosure.questionnaire import InvalidDisclosureError, read_disclosure
    from rmaudit.disclosure.state import Invalid, state
    from rmaudit.reporting.report import Report

    try:
        read = read_disclosure(file)
    except InvalidDisclosureError as error:
        if format is Format.json:
            wrong = Invalid(file=file.name, faults=error.faults)
            write(wrong.model_dump_json(indent=2).encode("utf-8", "replace") + b"\n")
        else:
            tell(f"{file} is not valid:")
            for fault in error.faults:
                tell(f"  {fault}")
        raise typer.Exit(2) from None
    found = state(read, Report.load(run) if run is not None else None)
    if format is Format.json:
        write(found.model_dump_json(indent=2).encode("utf-8", "replace") + b"\n")
        return
    for line in _told(found, file):
        tell(line)


def _told(found: State, file: Path) -> Iterator[str]:
    """The state as lines, contradictions first."""
    who = f", answered by {found.by}" if found.by else ", answered by nobody who is named (`by`)"
    yield f"{file} is valid{who}{f', {found.date}' if found.date else ''}."
    if found.contradictions:
        yield f"\nContradicted by the run: {len(found.contradictions)}"
        for entry in found.contradictions:
            yield f"  {entry.field}  declared: {entry.declared}"
            yield f"    {entry.measured} [{entry.evidence}]"
    elif found.contradictions is not None:
        yield "\nContradicted by the run: nothing. Most answers cannot be compared with a measurement."
    if found.refused:
        yield f"\nDeclined: {len(found.refused)}"
        for refusal in found.refused:
            yield f"  {refusal.field}  {refusal.reason}"
    if found.missing:
        yield f"\nMissing: {len(found.missing)}"
        for question in found.missing:
            yield f"  {question.field}  {question.question}"
    yield (
        f"\nOf {found.questions} questions, {len(found.declared)} are declared, {len(found.refused)} declined, "
        f"{len(found.missing)} missing"
        f"; {len(found.known)} are known from the {'run' if found.contradictions is not None else 'files'}."
    )
    if found.contradictions is None:
        yield f"Compare it with a run: rmaudit disclose check {file} --run RUN"
