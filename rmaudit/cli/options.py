"""Options that every command with a SOURCE shares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rmaudit.models.interface import LoadOptions

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="demo, a checkpoint folder, owner/name[@revision], python:FILE.py:NAME or scores:FILE.jsonl.",
        show_default=False,
    ),
]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="FORMAT", help="Load as this format instead of the one found in the files."),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 …  [default: the GPU where there is one]")]
Dtype = Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.  [default: float32 on a CPU]")]
MaxLength = Annotated[
    int | None,
    typer.Option(
        min=8, help="Most tokens of a conversation; longer ones are refused, not cut.  [default: the model's]"
    ),
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Conversations scored together.")]
Revision = Annotated[str | None, typer.Option(help="Commit, tag or branch of a hub checkpoint.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never open a network connection.")]
AllowPickle = Annotated[
    bool,
    typer.Option("--allow-pickle", help="Also read .bin weights, as plain tensors only. Safetensors need no flag."),
]
ProbeFolder = Annotated[
    Path | None,
    typer.Option("--probes", metavar="DIR", help="Folder of your own suites.  [default: those that ship]"),
]


def load_options(
    format: str | None,
    device: str | None,
    dtype: str | None,
    max_length: int | None,
    batch_size: int | None,
    revision: str | None,
    offline: bool,
    allow_pickle: bool,
) -> LoadOptions:
    """The options as an object."""
    from rmaudit.models.interface import LoadOptions

    return LoadOptions(format, device, dtype, max_length, batch_size, revision, offline, allow_pickle)
