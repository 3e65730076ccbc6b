"""`qwen2-rm` and `inf-orm`: a score head of two linear layers with ReLU between them."""

from __future__ import annotations

from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Layer, check_shapes
from rmaudit.models.options import LoadOptions

_LAYERS = (
    Layer(weight="score.0.weight", bias="score.0.bias", activation="relu"),
    Layer(weight="score.2.weight", bias="score.2.bias"),
)
_PATTERN = (r"score\.[02]\.(weight|bias)",)


def _found(checkpoint: Checkpoint, infly: bool) -> tuple[str, ...] | None:
    """Evidence of the two layers, when the model is (or is not) of the INF-ORM kind."""
    names = [name for layer in _LAYERS for name in (layer.weight, layer.bias) if name in checkpoint.canonical]
    output = checkpoint.canonical.get("score.2.weight")
    architecture = checkpoint.architecture or ""
    if not names or (output is not None and output.shape[0] != 1) or "Process" in architecture:
        return None
    if infly != (architecture.startswith("INFORM") or checkpoint.model_type == "llama"):
        return None
    return (
        f"config.json: architecture {architecture}, model type {checkpoint.model_type}",
        *(f"weights: {checkpoint.canonical[str(name)]}" for name in names),
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = HeadSpec(layers=_LAYERS, position="last", input=InputSpec(special_tokens=False))
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec)


def _read_infly(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = HeadSpec(layers=_LAYERS, position="last-not-padding")
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec)


FAMILIES = (
    Family(
        format="qwen2-rm",
        examples="Qwen2.5-Math-RM-72B, WorldPM-72B",
        recognised="`score.0` and `score.2.weight [1, h]`, model type qwen2",
        scalar="two linear layers with ReLU between, at the last token",
        recognise=lambda checkpoint, options: _found(checkpoint, infly=False),
        read=_read,
        load=load_described,
        heads=_PATTERN,
    ),
    Family(
        format="inf-orm",
        examples="INF-ORM-Llama3.1-70B",
        recognised="`score.0` and `score.2.weight [1, h]`, model type llama or architecture `INFORM…`",
        scalar="two linear layers with ReLU between, at the last token that is not the padding token",
        recognise=lambda checkpoint, options: _found(checkpoint, infly=True),
        read=_read_infly,
        load=load_described,
        heads=_PATTERN,
    ),
)
