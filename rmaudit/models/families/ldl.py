"""`ldl`: distributions of several objectives over ten grades, weighed by a gate; both have files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import MODULE_FILES, Checkpoint
from rmaudit.models.families import _numbers, _objectives
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.gated import GatedHead, before_padding
from rmaudit.models.headspec import HeadSpec, Layer, check_shapes, linear, require_head
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.readout import apply_layers, torch_layers

if TYPE_CHECKING:
    import torch

GRADES = 10
"""Grades of each distribution, evenly from 0 to 1."""


def _network(module: str, places: tuple[int, ...]) -> HeadSpec:
    return HeadSpec(
        layers=tuple(
            Layer(
                weight=f"{module}.network.{place}.weight",
                bias=f"{module}.network.{place}.bias",
                activation="none" if place == places[-1] else "leaky_relu",
            )
            for place in places
        )
    )


REGRESSION = _network("regression_layer", (0, 2, 4))
GATE = _network("gating_layer", (0, 3, 6))  # dropout, which does nothing here, takes the places between
NAMES = (*GATE.names, *REGRESSION.names)


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    files = [name for name in MODULE_FILES if name in checkpoint.names]
    found = [checkpoint.canonical[name] for name in NAMES if name in checkpoint.canonical]
    if checkpoint.adapter is not None or not (files or found):
        return None
    return (*(f"the folder holds {file}" for file in files), *(f"weights: {tensor}" for tensor in found[-2:-1]))


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    head = require_head(checkpoint, NAMES)
    weight = checkpoint.canonical[GATE.layers[-1].weight]
    count = weight.shape[0] if weight.shape else 0
    told = checkpoint.config.get("num_objectives", GRADES * count)
    if told != GRADES * count:
        raise LoadRefusedError(
            f"The config.json of {checkpoint.root} says num_objectives {told}, and its gate weighs {count} objectives "
            f"({weight}) of {GRADES} grades each. Download it again."
        )
    check_shapes(checkpoint, GATE, count)
    check_shapes(checkpoint, REGRESSION, GRADES * count)
    softmax = checkpoint.config.get("softmax", False)
    if not isinstance(softmax, bool):
        raise LoadRefusedError(
            f"softmax in the config.json of {checkpoint.root} is {softmax!r}, and not true or false."
        )
    _numbers.positive(checkpoint, "temperature", 1.0)
    return Reading(
        head=head,
        pooling="the token before the first padding token, else the last",
        attributes=_objectives.named(checkpoint, count),
        risks=_objectives.padding_risks(checkpoint),
    )


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    names = detection.reading.attributes
    temperature = _numbers.positive(checkpoint, "temperature", 1.0) if checkpoint.config.get("softmax") else None

    def make_head(tensors: State, tokenizer: Any, config: Any) -> GatedHead:
        import torch

        networks = [torch_layers(spec.layers, tensors, tokenizer, checkpoint.root) for spec in (REGRESSION, GATE)]

        def expectations(hidden: torch.Tensor) -> torch.Tensor:
            chances = apply_layers(hidden, networks[0]).reshape(len(hidden), len(names), GRADES).softmax(2)
            return torch.matmul(chances, torch.linspace(0, 1, GRADES, device=hidden.device))

        def gate(hidden: torch.Tensor) -> torch.Tensor:
            logits = apply_layers(hidden, networks[1])
            return logits if temperature is None else torch.softmax(logits / temperature, dim=1)

        position = before_padding(config.get_text_config().pad_token_id)
        return GatedHead(names, expectations, gate, position, position)

    return load_decoder(
        checkpoint, detection, source, options, linear(NAMES[-2]), make_head=make_head, head_names=NAMES
    )


FAMILY = Family(
    format="ldl",
    examples="ShikaiChen LDL-Reward-Gemma-2-27B-v0.1",
    recognised="the files `regression_layer.pt` and `gating_layer.pt` beside the weights",
    scalar="at the last token, the sum over the objectives of gate × expectation of the softmax over ten grades from 0 "
    "to 1; both are MLPs with leaky ReLU, the gate without a softmax unless the config says so; each objective's share "
    "is reported",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=(r"regression_layer\.network\..*", r"gating_layer\.network\..*"),
    needs="--allow-pickle",
)
