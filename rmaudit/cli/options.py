"""Options that every command with a SOURCE shares."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="demo, a checkpoint folder, owner/name[@revision], python:FILE.py:NAME, scores:FILE.jsonl or "
        "http://HOST:PORT with --server.",
        show_default=False,
    ),
]
ProbeFolder = Annotated[
    Path | None,
    typer.Option("--probes", metavar="DIR", help="Folder of your own suites.  [default: those that ship]"),
]
Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="Keep rewards here for later runs with the same model.  [default: rmaudit/scores in the user's cache]",
    ),
]
NoStore = Annotated[bool, typer.Option("--no-store", help="Neither use rewards of earlier runs nor keep any.")]

_LOADING: dict[str, Any] = {
    "format": Annotated[
        str | None,
        typer.Option("--as", metavar="FORMAT", help="Load as this format instead of the one found in the files."),
    ],
    "head_spec": Annotated[
        str | None,
        typer.Option("--head-spec", metavar="FILE", help="YAML file that describes the head of an unknown format."),
    ],
    "template": Annotated[
        str | None,
        typer.Option(
            metavar="chat|plain|server|FILE",
            help="How conversations are written out: the tokenizer's chat template, one turn after the other, by the "
            "server, or a Jinja file.  [default: the format's own way]",
        ),
    ],
    "base_model": Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Base of an adapter.  [default: the one that the adapter names]"),
    ],
    "base_config": Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Checkpoint whose config and tokenizer belong to a bare weight file, or to a served model.",
        ),
    ],
    "ref_model": Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Reference model of an implicit reward (dpo).")
    ],
    "beta": Annotated[float | None, typer.Option(help="Factor of an implicit reward (dpo).  [default: 0.1]")],
    "step_aggregate": Annotated[
        str | None,
        typer.Option(
            metavar="last|min|mean|prod|softmin",
            help="How the steps of a process reward model become one number.  [default: the format's own way]",
        ),
    ],
    "attributes": Annotated[
        list[str] | None,
        typer.Option(
            "--attribute",
            metavar="NAME=WEIGHT",
            help="Weight of one output of a head with several; repeat for more, or say mean.",
        ),
    ],
    "device": Annotated[
        str | None,
        typer.Option(help="cpu, cuda, cuda:1, mps, or auto to spread over GPUs.  [default: a GPU if there is one]"),
    ],
    "dtype": Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.  [default: float32 on a CPU]")],
    "quantize": Annotated[
        str | None, typer.Option(metavar="8bit|4bit", help="Round the weights to fit a GPU; marked in the report.")
    ],
    "max_length": Annotated[
        int | None,
        typer.Option(
            min=8, help="Most tokens of a conversation; longer ones are refused, not cut.  [default: the model's]"
        ),
    ],
    "batch_size": Annotated[int | None, typer.Option(min=1, help="Conversations scored together.")],
    "revision": Annotated[
        str | None,
        typer.Option(help="Commit, tag or branch on the hub; with --trust-remote-code, the commit or identity."),
    ],
    "offline": Annotated[bool, typer.Option("--offline", help="Never open a network connection.")],
    "allow_pickle": Annotated[
        bool,
        typer.Option(
            "--allow-pickle", help="Also read .bin and .pt weights, as plain tensors only. Safetensors need no flag."
        ),
    ],
    "trust_remote_code": Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run the checkpoint's own Python code. Needs a pinned --revision."),
    ],
    "server": Annotated[
        str | None,
        typer.Option(
            metavar="vllm|sglang|tei|openrlhf|llamafactory|nim", help="Kind of the server at an http:// SOURCE."
        ),
    ],
    "server_model": Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Model on a server that holds several.  [default: the only one]"),
    ],
    "server_activation": Annotated[
        str | None,
        typer.Option(
            metavar="none|sigmoid", help="What a server's numbers between 0 and 1 are, where it does not show."
        ),
    ],
    "concurrency": Annotated[int | None, typer.Option(min=1, help="Requests to a server at a time.  [default: 8]")],
    "timeout": Annotated[
        float | None, typer.Option(min=0, help="Seconds to wait for one answer of a server.  [default: 600]")
    ],
}
"""Options that become `LoadOptions`, by field."""


def store_place(store: Path | None, no_store: bool) -> Path | Literal["default"] | None:
    """Where rewards are kept, by the two options.

    Raises:
        UsageError: when they contradict each other.
    """
    from rmaudit.errors import UsageError

    if no_store and store is not None:
        raise UsageError(f"--store {store} and --no-store contradict each other. Leave one out.")
    return None if no_store else store or "default"


def with_load_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes ``loading: LoadOptions`` the command line's loading options in its place."""

    @wraps(command)
    def wrapped(**values: Any) -> None:
        from rmaudit.models.options import LoadOptions

        loading = {name: values.pop(name) for name in _LOADING}
        loading["attributes"] = tuple(loading["attributes"] or ())
        command(loading=LoadOptions(**loading), **values)

    signature = inspect.signature(command, eval_str=True)
    parameters = [parameter for name, parameter in signature.parameters.items() if name != "loading"]
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [parameter.replace(kind=kind) for parameter in parameters] + [
        inspect.Parameter(name, kind, default=False if option.__origin__ is bool else None, annotation=option)
        for name, option in _LOADING.items()
    ]
    del wrapped.__wrapped__  # or the signature would be looked up there
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped
