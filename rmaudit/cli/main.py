"""Entry point: assembles the commands and turns every outcome into an exit code.

0 ok or gate passed, 1 gate failed and nothing else, 2 wrong usage or configuration, 3 could not measure,
4 internal error, 130 interrupted.
"""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from typing import Annotated

import typer

from rmaudit import __version__
from rmaudit.cli import cache, gate, import_, inspect, probes, report, scan, score, verify
from rmaudit.cli.console import say
from rmaudit.errors import RmauditError

app = typer.Typer(
    name="rmaudit",
    help="Audit reward models: scan a checkpoint for biases, gate a release on the result, report what was found.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(scan.scan)
app.command()(score.score)
app.command()(inspect.inspect)
app.command()(gate.gate)
app.command()(report.report)
app.command()(verify.verify)
app.command("import")(import_.import_)
app.add_typer(cache.app, name="cache")
app.add_typer(probes.app, name="probes")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"rmaudit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Audit reward models: scan a checkpoint for biases, gate a release on the result, report what was found."""


GARBAGE = (20_000, 10, 10)
"""New objects between two searches for unreachable cycles, and searches of the young between two of the old. At the 700
of Python's own they take a quarter of the time in which torch and transformers are imported."""


def main() -> None:
    """Run the command line and exit with the code that the outcome has."""
    code = run()
    gc.freeze()  # the end of the process frees everything; nothing need be looked through for it
    sys.exit(code)


def run() -> int:
    """Run the command line and give the exit code."""
    gc.set_threshold(*GARBAGE)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does: no character may end a run
    try:
        outcome = app(standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except RmauditError as error:
        say(f"rmaudit: {error}")
        return error.exit_code
    except typer.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, typer.Abort):
        say("rmaudit: stopped.")
        return 130
    except BaseException as error:  # also what a library raises to end the program: only a gate may exit with 1
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # a usage error of the option parser
            error.show()
            return 2
        say(
            f"rmaudit: internal error, {type(error).__name__}: {error}\n"
            "This is a fault of rmaudit. Please report it with the command you ran; "
            "RMAUDIT_DEBUG=1 shows where it happened."
        )
        if os.environ.get("RMAUDIT_DEBUG"):
            traceback.print_exc()
        return 4
