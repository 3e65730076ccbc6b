"""`trl-value-head`: a language model and a value head in one state dict, or a value head beside an adapter."""

from __future__ import annotations

from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import grm, llamafactory
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import check_shapes, linear
from rmaudit.models.options import LoadOptions

_HEAD = ("v_head.summary.weight", "v_head.summary.bias")


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    found = [checkpoint.canonical[name] for name in _HEAD if name in checkpoint.canonical]
    if not found or grm.declared(checkpoint) or any(name in checkpoint.names for name in llamafactory.FILES):
        return None
    if "Prm" in (checkpoint.architecture or ""):
        return None
    return tuple(f"weights: {tensor} in {tensor.file}" for tensor in found)


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = linear(*_HEAD, position="last")
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec)


FAMILY = Family(
    format="trl-value-head",
    examples="TRL AutoModelForCausalLMWithValueHead, whole or with an adapter",
    recognised="`v_head.summary.weight [1, h]` and `.bias` among the weights",
    scalar="the value head (with bias, in float32, without dropout) at the last token",
    recognise=_recognise,
    read=_read,
    load=load_described,
    heads=(r"v_head\.summary\.(weight|bias)",),
)
