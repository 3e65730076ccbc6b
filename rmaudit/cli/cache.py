"""``rmaudit cache``: where rewards of earlier scans are kept, and a key for the cache of a pipeline."""

from __future__ import annotations

import typer

from rmaudit.cli import options as opt
from rmaudit.models.options import LoadOptions

app = typer.Typer(help="Where rewards are kept, and a key for CI caches.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def path() -> None:
    """Print the folder in which scans keep rewards, unless --store names another."""
    from rmaudit.cli.console import tell_line
    from rmaudit.scoring.store import default_place

    tell_line(str(default_place()))


@app.command()
@opt.with_load_options
def key(source: opt.Source, *, loading: LoadOptions) -> None:
    """Print a key that is the same as long as a scan of the source would find its rewards in the store.

    It changes with the weights and the other files of the checkpoint, the loading options, and the versions of
    rmaudit and of the libraries that compute rewards.
    """
    from rmaudit.cli.console import tell_line
    from rmaudit.models.inspection import inspect
    from rmaudit.scoring.store import cache_key

    tell_line(cache_key(inspect(source, loading).identity, loading))
