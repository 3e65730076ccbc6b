"""`grm`: a generalizable reward model, whose value head is an MLP or a linear layer."""

from __future__ import annotations

import re

from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, Layer, check_shapes
from rmaudit.models.options import LoadOptions

_LAYER = re.compile(r"v_head\.summary\.(\d+)\.(weight|bias)")


def declared(checkpoint: Checkpoint) -> bool:
    """Whether the config says that it is one."""
    return checkpoint.architecture == "GRewardModel" or "vhead_layer_type" in checkpoint.config


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    found = [str(tensor) for name, tensor in checkpoint.canonical.items() if name.startswith("v_head.summary.")]
    if not (declared(checkpoint) or any(map(_LAYER.fullmatch, checkpoint.canonical))):
        return None
    return (f"config.json: architecture {checkpoint.architecture}", *(f"weights: {tensor}" for tensor in found))


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    places = {int(match[1]) for name in checkpoint.canonical if (match := _LAYER.fullmatch(name))}
    if not places and checkpoint.config.get("vhead_layer_type") != "mlp":
        layers: tuple[Layer, ...] = (Layer(weight="v_head.summary.weight", bias="v_head.summary.bias"),)
    else:
        hidden = checkpoint.config.get("vhead_num_layers")
        last = 2 * hidden if isinstance(hidden, int) and 0 < hidden < 100 else max({2, *places})
        layers = tuple(
            Layer(
                weight=f"v_head.summary.{place}.weight",
                bias=f"v_head.summary.{place}.bias",
                activation="relu" if place < last else "none",
            )
            for place in range(0, last + 1, 2)
        )
    spec = HeadSpec(layers=layers, position="last")
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec)


FAMILY = Family(
    format="grm",
    examples="Ray2333 GRM-…-sftreg and -distill (GRM-…-rewardmodel-ft are seqcls)",
    recognised="architecture `GRewardModel`, `vhead_layer_type` in the config, or `v_head.summary.0.weight`",
    scalar="an MLP with ReLU (or one linear layer) at the last token, without dropout",
    recognise=_recognise,
    read=_read,
    load=load_described,
    heads=(r"v_head\.summary\.\d+\.(weight|bias)",),
)
