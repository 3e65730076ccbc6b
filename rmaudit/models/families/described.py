"""`head-spec`: a checkpoint whose head the user describes in a file."""

from __future__ import annotations

import difflib

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, check_shapes, read_head_spec
from rmaudit.models.options import LoadOptions

_SHAPED = frozenset(("final_logit_softcapping", "logit_scale", "logits_scaling"))
"""Config entries by which language models change their output layer's numbers."""


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del checkpoint
    return (f"described by the user in {options.head_spec}",) if options.head_spec is not None else None


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    if options.head_spec is None:
        raise UsageError("--as head-spec needs the description of the head: --head-spec FILE.")
    spec = _renamed(checkpoint, read_head_spec(options.head_spec), options.head_spec)
    check_shapes(checkpoint, spec)
    shaped = sorted(_SHAPED & {key for key, value in checkpoint.config.items() if value})
    if shaped and any(layer.rows is not None for layer in spec.layers):
        raise LoadRefusedError(
            f"{checkpoint.root} changes what its output layer gives ({', '.join(shaped)} in config.json), which a head "
            "spec with rows of that layer would leave out. Use --as yes-no or --as nemotron-hf, which do not."
        )
    return spec_reading(checkpoint, spec, ("how the reward is computed was described by the user",))


def _renamed(checkpoint: Checkpoint, spec: HeadSpec, file: str) -> HeadSpec:
    """The head with canonical names of tensors, whether or not the user wrote them with their wrapper.

    Raises:
        LoadRefusedError: when a tensor is not there.
    """
    canonical = {tensor.name: name for name, tensor in checkpoint.canonical.items()}
    canonical |= {name: name for name in checkpoint.canonical}
    missing = [name for name in spec.names if name not in canonical]
    if missing:
        close = [match for name in missing for match in difflib.get_close_matches(name, canonical, n=1)]
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise LoadRefusedError(
            f"{checkpoint.root} has no whole score head: {file} names {', '.join(missing)}, which its weights "
            f"lack.{hint}"
        )
    layers = tuple(
        layer.model_copy(update={"weight": canonical[layer.weight], "bias": canonical.get(layer.bias or "")})
        for layer in spec.layers
    )
    return spec.model_copy(update={"layers": layers})


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
