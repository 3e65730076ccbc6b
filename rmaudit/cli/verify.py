"""``rmaudit verify``: recompute every published number from the stored scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a finished scan.", show_default=False)],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="The policy of the run, where it was not the one that ships."),
    ] = None,
) -> None:
    """Compute a run's report again from its stored scores and compare every number. Needs no model.

    Exit code 0 when all are confirmed, 3 when any differs.
    """
    from rmaudit.audit import verify as recompute
    from rmaudit.cli.console import say
    from rmaudit.errors import RunError

    differences = recompute(run, policy)
    if differences:
        shown = "\n  ".join(differences[:10])
        more = f"\n  … and {len(differences) - 10} more" if len(differences) > 10 else ""
        raise RunError(
            f"{len(differences)} values of the report in {run} do not follow from its scores:\n  {shown}{more}\n"
            "The report was changed after it was written, or made by another version. Do not rely on it."
        )
    say(f"Confirmed: every number of {run}/report.json follows from its scores.")
