"""`qrm`: quantiles of each objective, whose means are weighed by a gate with batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _gating
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.gated import Part
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
    return _gating.evidence(checkpoint, quantiles=True)


def _gate(checkpoint: Checkpoint) -> HeadSpec:
    """The linear layers of the gate; ReLU and a normalisation follow each but the last."""
    last = 3 * _gating.hidden_layers(checkpoint)
    inner = tuple(Layer(weight=f"gating.layers.{i}.weight", activation="relu") for i in range(0, last, 3))
    return HeadSpec(layers=(*inner, Layer(weight=f"gating.layers.{last}.weight", bias=f"gating.layers.{last}.bias")))


def _norms(checkpoint: Checkpoint) -> list[tuple[str, ...]]:
    """Names of the tensors of each normalisation."""
    places = range(2, 3 * _gating.hidden_layers(checkpoint), 3)
    return [tuple(f"gating.layers.{place}.{part}" for part in STATISTICS) for place in places]


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    gate, norms = _gate(checkpoint), _norms(checkpoint)
    reading, quantiles = _gating.read(checkpoint, gate, tuple(name for names in norms for name in names))
    told = checkpoint.config.get("num_quantiles", quantiles)
    if told != quantiles:
        raise LoadRefusedError(
            f"The config.json of {checkpoint.root} says num_quantiles {told}, and its weights give {quantiles} numbers "
            f"for each objective ({reading.head[-1]}). Download it again."
        )
    for layer, names in zip(gate.layers, norms, strict=False):
        weight = checkpoint.canonical[layer.weight]
        wrong = [tensor for name in names if (tensor := checkpoint.canonical[name]).shape != weight.shape[:1]]
        if wrong:
            raise LoadRefusedError(f"The head of {checkpoint.root} does not fit together: {weight} with {wrong[0]}.")
    return reading


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    def make_gate(tensors: State, tokenizer: Any) -> Part:
        del tokenizer
        *inner, outer = _gate(checkpoint).layers
        assert outer.bias is not None, "the last layer of the gate has a bias"
        final = tensors[outer.weight].float(), tensors[outer.bias].float()
        hidden_layers = [
            (tensors[layer.weight].float(), tuple(tensors[name].float() for name in names))
            for layer, names in zip(inner, _norms(checkpoint), strict=True)
        ]

        def logits(hidden: torch.Tensor) -> torch.Tensor:
            from torch.nn.functional import batch_norm, linear

            for matrix, statistics in hidden_layers:
                hidden = linear(hidden, matrix.to(hidden.device)).relu()
                weight, bias, mean, variance = (tensor.to(hidden.device) for tensor in statistics)
                hidden = batch_norm(hidden, mean, variance, weight, bias, training=False, eps=EPSILON)
            return linear(hidden, final[0].to(hidden.device), final[1].to(hidden.device))

        return logits

    return _gating.load(checkpoint, detection, source, options, make_gate)


FAMILY = Family(
    format="qrm",
    examples="nicolinho QRM-Llama3-8B, QRM-Llama3.1-8B(-v2), QRM-Gemma-2-27B",
    recognised="as `armorm`, with `num_quantiles` in the config or running statistics in `gating.*`",
    scalar="as `armorm`, each objective being the mean of its quantiles; a hidden layer of the gate is linear, then "
    "ReLU, then batch normalisation by the stored statistics",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=_gating.HEADS,
)
