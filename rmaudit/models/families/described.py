"""`head-spec`: a checkpoint whose head the user describes in a file."""

from __future__ import annotations

from rmaudit.errors import UsageError
from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import check_shapes, read_head_spec
from rmaudit.models.options import LoadOptions


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del checkpoint
    return (f"described by the user in {options.head_spec}",) if options.head_spec is not None else None


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    if options.head_spec is None:
        raise UsageError("--as head-spec needs the description of the head: --head-spec FILE.")
    spec = read_head_spec(options.head_spec)
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec, ("how the reward is computed was described by the user",))


FAMILY = Family(
    format="head-spec",
    examples="any head of linear layers",
    recognised="`--head-spec FILE`",
    scalar="as the file says",
    recognise=_recognise,
    read=_read,
    load=load_described,
    needs="--head-spec",
)
