"""`trl-reward-adapter`: an adapter on a language model with a linear score head in the adapter's file."""

from __future__ import annotations

from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import check_shapes, linear
from rmaudit.models.options import LoadOptions

_WEIGHT, _BIAS = "score.weight", "score.bias"


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    if checkpoint.adapter is None or checkpoint.adapter.get("task_type") == "SEQ_CLS":
        return None
    found = [checkpoint.canonical[name] for name in (_WEIGHT, _BIAS) if name in checkpoint.canonical]
    if not found:
        return None
    task = checkpoint.adapter.get("task_type")
    return (f"adapter_config.json: {f'task {task}' if task else 'no task'}", *(f"weights: {t}" for t in found))


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    bias = _BIAS if _BIAS in checkpoint.canonical else None
    spec = linear(_WEIGHT, bias, position="last")
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec)


FAMILY = Family(
    format="trl-reward-adapter",
    examples="TRL reward adapters of AutoModelForCausalLMWithValueHead",
    recognised="`adapter_config.json` without task SEQ_CLS, and `score.weight` in the adapter's own file",
    scalar="`score` (with its bias, where it has one) on the last hidden state of the last token",
    recognise=_recognise,
    read=_read,
    load=load_described,
)
