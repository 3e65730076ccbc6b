"""`qrm`: quantiles of each objective, whose means are weighed by a gate with batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import armorm
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.gated import GatedHead
from rmaudit.models.headspec import HeadSpec, Layer
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions

if TYPE_CHECKING:
    import torch

EPSILON = 1e-5
"""Of batch normalisation, as the library has it by default."""
STATISTICS = ("weight", "bias", "running_mean", "running_var")


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    return armorm.evidence(checkpoint, quantiles=True)


def _gate(checkpoint: Checkpoint) -> HeadSpec:
    """The linear layers of the gate; ReLU and a normalisation follow each but the last."""
    last = 3 * armorm.hidden_layers(checkpoint)
    inner = tuple(Layer(weight=f"gating.layers.{i}.weight", activation="relu") for i in range(0, last, 3))
    return HeadSpec(layers=(*inner, Layer(weight=f"gating.layers.{last}.weight", bias=f"gating.layers.{last}.bias")))


def _norms(checkpoint: Checkpoint) -> list[tuple[str, ...]]:
    """Names of the tensors of each normalisation."""
    return [
        tuple(f"gating.layers.{3 * i + 2}.{part}" for part in STATISTICS)
        for i in range(armorm.hidden_layers(checkpoint))
    ]


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    gate, norms = _gate(checkpoint), _norms(checkpoint)
    statistics = tuple(name for names in norms for name in names)
    count, quantiles = armorm.objectives(checkpoint, gate, statistics)
    told = checkpoint.config.get("num_quantiles", quantiles)
    if told != quantiles:
        raise LoadRefusedError(
            f"The config.json of {checkpoint.root} says num_quantiles {told}, and its weights give {quantiles} numbers "
            f"for each of {count} objectives ({checkpoint.canonical[armorm.REGRESSION]}). Download it again."
        )
    for layer, names in zip(gate.layers, norms, strict=False):
        width = checkpoint.canonical[layer.weight].shape[0]
        wrong = [checkpoint.canonical[name] for name in names if checkpoint.canonical[name].shape != (width,)]
        if wrong:
            raise LoadRefusedError(
                f"The head of {checkpoint.root} does not fit together: {checkpoint.canonical[layer.weight]} with "
                f"{wrong[0]}."
            )
    head = (*gate.names, *statistics, armorm.SCALE, armorm.TRANSFORM, armorm.REGRESSION)
    return armorm.reading(checkpoint, head, count)


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    gate, norms = _gate(checkpoint), _norms(checkpoint)

    def make_head(tensors: State, tokenizer: Any, config: Any) -> GatedHead:
        *inner, outer = gate.layers
        hidden = [
            (tensors[layer.weight].float(), [tensors[name].float() for name in names])
            for layer, names in zip(inner, norms, strict=True)
        ]
        final = tensors[outer.weight].float(), tensors[outer.bias or ""].float()
        return armorm.gated_head(
            checkpoint, detection, tensors, tokenizer, config, lambda states: _logits(states, hidden, final)
        )

    return armorm.load_gated(checkpoint, detection, source, options, make_head)


def _logits(
    states: torch.Tensor,
    inner: Sequence[tuple[torch.Tensor, Sequence[torch.Tensor]]],
    final: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """The gate before its softmax: ReLU comes before the normalisation, which is by the running statistics."""
    from torch.nn.functional import batch_norm, linear

    for matrix, statistics in inner:
        states = linear(states, matrix.to(states.device)).relu()
        weight, bias, mean, variance = (tensor.to(states.device) for tensor in statistics)
        states = batch_norm(states, mean, variance, weight, bias, training=False, eps=EPSILON)
    return linear(states, final[0].to(states.device), final[1].to(states.device))


FAMILY = Family(
    format="qrm",
    examples="nicolinho QRM-Llama3-8B, QRM-Llama3.1-8B(-v2), QRM-Gemma-2-27B",
    recognised="as `armorm`, with `num_quantiles` in the config or running statistics in `gating.*`",
    scalar="as `armorm`, each objective being the mean of its quantiles; the gate's layers are linear, ReLU, batch "
    "normalisation by the stored statistics",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=armorm.HEADS,
)
