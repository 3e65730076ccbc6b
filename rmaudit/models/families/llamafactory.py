"""`llamafactory`: a language model, whole or as an adapter, with its value head in a file beside it."""

from __future__ import annotations

from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import InputSpec, check_shapes, linear
from rmaudit.models.options import LoadOptions

FILES = ("value_head.safetensors", "value_head.bin")


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    side = next((name for name in FILES if name in checkpoint.names), None)
    if side is None:
        return None
    inside = [str(tensor) for tensor in checkpoint.tensors.values() if tensor.file == side]
    adapter = ("adapter_config.json: an adapter on a base model",) if checkpoint.adapter is not None else ()
    return (f"{side}: {', '.join(inside) or 'no tensor'}", *adapter)


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = linear(
        "v_head.summary.weight", "v_head.summary.bias", position="last", input=InputSpec(special_tokens=False)
    )
    check_shapes(checkpoint, spec)
    sees = "vision_config" in checkpoint.config
    return spec_reading(checkpoint, spec, ("the model also reads images, and only text is audited",) if sees else ())


FAMILY = Family(
    format="llamafactory",
    examples="LLaMA-Factory stage rm (full and LoRA), Skywork-VL-Reward (text only)",
    recognised="`value_head.safetensors` or `value_head.bin` beside a language model or an adapter",
    scalar="`v_head.summary` (with bias) on the last hidden state of the last token",
    recognise=_recognise,
    read=_read,
    load=load_described,
)
