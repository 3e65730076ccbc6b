"""`token-classification`: a value for every token, whose last one is the reward, bias included."""

from __future__ import annotations

from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _heads
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import check_shapes, linear
from rmaudit.models.options import LoadOptions

_HEAD = ("score.weight", "score.bias")


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    declared = _heads.classifies(checkpoint, "ForTokenClassification")
    found = [checkpoint.canonical[name] for name in _HEAD if name in checkpoint.canonical]
    if checkpoint.adapter is not None or not found or not (declared or "score.bias" in checkpoint.canonical):
        return None
    if found[0].shape[0] != 1:
        return None
    return (f"config.json: architecture {checkpoint.architecture}", *(f"weights: {tensor}" for tensor in found))


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = linear(*_HEAD, position="last")
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec)


FAMILY = Family(
    format="token-classification",
    examples="verl, NeMo-RL regression, LLaMA-Factory v1",
    recognised="`score.weight [1, h]` with `score.bias [1]`, or architecture `…ForTokenClassification`",
    scalar="the value at the last token, bias included",
    recognise=_recognise,
    read=_read,
    load=load_described,
    heads=(r"score\.bias",),
)
