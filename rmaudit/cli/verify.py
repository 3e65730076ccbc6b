"""``rmaudit verify``: check every number and every file of a finished run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmaudit.cli.scan import Format

if TYPE_CHECKING:
    from rmaudit.verification import Point


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a finished scan.", show_default=False)],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="The policy of the run, where it was not the one that ships."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="SOURCE", help="Also check that this is the model that was scored.", show_default=False
        ),
    ] = None,
    signer: Annotated[
        Path | None,
        typer.Option(
            "--signer", metavar="FILE", help="Also check the signature: the signer's public key.", show_default=False
        ),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="What stdout shows: text or JSON.")] = Format.text,
) -> None:
    """Compute a finished run's report again from its stored scores, and check every file. Needs no model.

    Says of each point whether it was confirmed, refuted or could not be checked, and why. Exit code 0 when none is
    refuted, 3 otherwise.
    """
    from rmaudit.cli.console import say, tell, write
    from rmaudit.errors import RunError
    from rmaudit.verification import refuted
    from rmaudit.verification import verify as check

    points = check(run, policy=policy, model=model, signer=signer)
    wrong = refuted(points)
    if format is Format.json:
        write(_json(points))
    else:
        for point in points:
            tell(f"{point.outcome + ':':<11}{point.subject}\n  {point.text}")
    if wrong:
        told = "\n  ".join(f"{point.subject}: {point.text}" for point in wrong)
        raise RunError(
            f"The run in {run} does not hold:\n  {told}\n"
            "What is named was changed after the scan, or made by another version. Do not rely on it."
        )
    unknown = [point.subject for point in points if point.outcome == "unknown"]
    more = f" Not checked, see there: {', '.join(unknown)}." if unknown else ""
    say(f"Confirmed: every number of {run}/report.json follows from its scores.{more}")


def _json(points: list[Point]) -> bytes:
    content = {
        "schema": "rmaudit.verification/1",
        "refuted": sum(point.outcome == "refuted" for point in points),
        "points": [{"subject": each.subject, "outcome": each.outcome, "text": each.text} for each in points],
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")
