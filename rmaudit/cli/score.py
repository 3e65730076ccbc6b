"""``rmaudit score``: raw rewards of conversations in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmaudit.cli import options as opt
from rmaudit.models.options import LoadOptions


@opt.with_load_options
def score(
    source: opt.Source,
    conversations: Annotated[
        Path,
        typer.Argument(
            metavar="IN.jsonl",
            help="Lines with messages, or with prompt, chosen and rejected.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="OUT.jsonl", help="Where rewards go, a line each, in order."),
    ],
    store: opt.Store = None,
    no_store: opt.NoStore = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    *,
    loading: LoadOptions,
) -> None:
    """Write the raw reward of every conversation in a JSON Lines file.

    A line with messages gives {"reward": x}; one with prompt, chosen and rejected gives {"reward_chosen": x,
    "reward_rejected": y}. An id is kept. What cannot be scored gives null and a reason.
    """
    from rmaudit.cli.console import listener, say
    from rmaudit.scoring.file import score_file

    result = score_file(source, conversations, out, loading, listener(quiet), opt.store_place(store, no_store))
    if not quiet:
        lost = f', {result.unscored:,} of them without a reward (see "reason")' if result.unscored else ""
        known = f" {result.from_store:,} rewards are from the store." if result.from_store else ""
        say(f"{result.lines:,} lines written to {out}{lost}.{known}")
