"""`armorm`: one number for each objective, weighed by a gate that reads where the assistant's turn opens."""

from __future__ import annotations

from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _gating
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.gated import Part
from rmaudit.models.headspec import HeadSpec, Layer
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.readout import apply_layers, torch_layers


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    return _gating.evidence(checkpoint, quantiles=False)


def _gate(checkpoint: Checkpoint) -> HeadSpec:
    last = _gating.hidden_layers(checkpoint)
    return HeadSpec(
        layers=tuple(
            Layer(
                weight=f"gating.layers.{i}.weight",
                bias=f"gating.layers.{i}.bias",
                activation="relu" if i < last else "none",
            )
            for i in range(last + 1)
        )
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    reading, each = _gating.read(checkpoint, _gate(checkpoint))
    if each != 1:
        raise LoadRefusedError(
            f"The head of {checkpoint.root} gives {each} numbers for each objective ({reading.head[-1]}), and one was "
            "expected. If they are quantiles, its config.json should say num_quantiles."
        )
    return reading


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    def make_gate(tensors: State, tokenizer: Any) -> Part:
        layers = torch_layers(_gate(checkpoint).layers, tensors, tokenizer, checkpoint.root)
        return lambda hidden: apply_layers(hidden, layers)

    return _gating.load(checkpoint, detection, source, options, make_gate)


FAMILY = Family(
    format="armorm",
    examples="RLHFlow ArmoRM-Llama3-8B-v0.1",
    recognised="architecture `…ForRewardModelWithGating`, `gating.*` or `reward_transform_matrix`, without quantiles",
    scalar="sum over the objectives of gate × (regression @ transform): the objectives are read at the last token, the "
    "gate, `softmax(MLP / gating_temperature) × logit_scale`, at the first token of the last assistant header (a "
    "conversation without it has no reward); each objective's share is reported",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=_gating.HEADS,
)
