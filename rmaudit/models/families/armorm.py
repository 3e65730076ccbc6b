"""`armorm`: a linear layer for each objective, weighed by a gate that reads where the assistant's turn opens."""

from __future__ import annotations

import re
from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _objectives
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.gated import GatedHead, Part, before_padding, last_header
from rmaudit.models.headspec import HeadSpec, Layer, check_shapes, linear, require_head
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.readout import apply_layers, torch_layers

REGRESSION = "regression_layer.weight"
TRANSFORM = "reward_transform_matrix"
SCALE = "gating.logit_scale"
HEADS = (r"regression_layer\.weight", r"reward_transform_matrix", r"gating\..*")
POOLING = (
    "reward: the token before the first padding token, else the last; gate: first token of the last header of an "
    "assistant's turn"
)
HIDDEN_LAYERS = 3
TEMPERATURE = 10.0
"""Defaults of the authors' code."""

_GATING = re.compile(r"reward_transform_matrix|gating\..*")
_NORM = re.compile(r"gating\.layers\.\d+\.running_(mean|var)")


def evidence(checkpoint: Checkpoint, *, quantiles: bool) -> tuple[str, ...] | None:
    """What tells a gated reward model, with several quantiles of each objective or with one number."""
    declared = "RewardModelWithGating" in (checkpoint.architecture or "")
    found = [str(tensor) for name, tensor in checkpoint.canonical.items() if _GATING.fullmatch(name)]
    if checkpoint.adapter is not None or not (declared or found) or _has_quantiles(checkpoint) != quantiles:
        return None
    regression = checkpoint.canonical.get(REGRESSION)
    weights = [*found[:1], *([str(regression)] if regression else [])]
    counts = [key for key in ("num_objectives", "num_quantiles") if key in checkpoint.config]
    return (
        f"config.json: architecture {checkpoint.architecture}",
        *(f"config.json: {key} {checkpoint.config[key]}" for key in counts),
        *(f"weights: {tensor}" for tensor in weights),
    )


def _has_quantiles(checkpoint: Checkpoint) -> bool:
    return "num_quantiles" in checkpoint.config or any(map(_NORM.fullmatch, checkpoint.canonical))


def hidden_layers(checkpoint: Checkpoint) -> int:
    """Hidden layers of the gate."""
    return _objectives.count(checkpoint, "gating_n_hidden", HIDDEN_LAYERS)


def objectives(checkpoint: Checkpoint, gate: HeadSpec, more: tuple[str, ...] = ()) -> tuple[int, int]:
    """Number of objectives, and of numbers that the regression layer gives for each.

    Raises:
        LoadRefusedError: when a tensor of the head is missing, all of which are named, or they do not fit together.
    """
    require_head(checkpoint, (*gate.names, *more, SCALE, TRANSFORM, REGRESSION))
    regression, transform = checkpoint.canonical[REGRESSION], checkpoint.canonical[TRANSFORM]
    count = transform.shape[0] if transform.shape else 0
    told = checkpoint.config.get("num_objectives", count)
    fits = count > 0 and transform.shape == (count, count) and told == count
    if not fits or len(regression.shape) != 2 or regression.shape[0] % count:
        raise LoadRefusedError(
            f"The head of {checkpoint.root} does not fit together: {regression} with {transform} and num_objectives "
            f"{told} in its config.json. Copy or download the checkpoint again."
        )
    check_shapes(checkpoint, gate, count)
    return count, regression.shape[0] // count


def gate_spec(checkpoint: Checkpoint) -> HeadSpec:
    """The gate: linear layers with ReLU between them."""
    hidden = hidden_layers(checkpoint)
    return HeadSpec(
        layers=tuple(
            Layer(
                weight=f"gating.layers.{i}.weight",
                bias=f"gating.layers.{i}.bias",
                activation="relu" if i < hidden else "none",
            )
            for i in range(hidden + 1)
        )
    )


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    return evidence(checkpoint, quantiles=False)


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    gate = gate_spec(checkpoint)
    count, each = objectives(checkpoint, gate)
    if each != 1:
        raise LoadRefusedError(
            f"The head of {checkpoint.root} gives {each} numbers for each of {count} objectives "
            f"({checkpoint.canonical[REGRESSION]}), and one was expected. If they are quantiles, pass --as qrm."
        )
    return reading(checkpoint, (*gate.names, SCALE, TRANSFORM, REGRESSION), count)


def reading(checkpoint: Checkpoint, names: tuple[str, ...], count: int) -> Reading:
    """The reading of a gated reward model."""
    _objectives.positive(checkpoint, "gating_temperature", TEMPERATURE)
    return Reading(
        head=require_head(checkpoint, names),
        pooling=POOLING,
        attributes=_objectives.named(checkpoint, count, _objectives.ARMO, _objectives.HELPSTEER),
        risks=_objectives.padding_risks(checkpoint),
    )


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    spec = gate_spec(checkpoint)

    def make_head(tensors: State, tokenizer: Any, config: Any) -> GatedHead:
        layers = torch_layers(spec.layers, tensors, tokenizer, checkpoint.root)
        return gated_head(checkpoint, detection, tensors, tokenizer, config, lambda hidden: apply_layers(hidden, layers))

    return load_gated(checkpoint, detection, source, options, make_head)


def load_gated(
    checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions, make_head: Any
) -> RewardModel:
    """Load a backbone and the head that `make_head` makes from the tensors that the reading names."""
    own = {tensor.name for tensor in detection.reading.head}
    names = tuple(name for name, tensor in checkpoint.canonical.items() if tensor.name in own)
    return load_decoder(
        checkpoint, detection, source, options, linear(names[-1]), make_head=make_head, head_names=names
    )


def gated_head(
    checkpoint: Checkpoint, detection: Detection, tensors: State, tokenizer: Any, config: Any, logits: Part
) -> GatedHead:
    """``sum(scale · softmax(logits / temperature) · mean over quantiles(regression) @ transform)``."""
    import torch

    temperature = _objectives.positive(checkpoint, "gating_temperature", TEMPERATURE)
    names = detection.reading.attributes
    regression, transform = tensors[REGRESSION].float(), tensors[TRANSFORM].float()
    scale = tensors[SCALE].float().flatten()[:1]

    def grades(hidden: torch.Tensor) -> torch.Tensor:
        raw = torch.nn.functional.linear(hidden, regression.to(hidden.device))
        return raw.unflatten(1, (len(names), -1)).mean(2) @ transform.to(hidden.device)

    def gate(hidden: torch.Tensor) -> torch.Tensor:
        return torch.softmax(logits(hidden) / temperature, dim=1) * scale.to(hidden.device)

    pad_id = config.get_text_config().pad_token_id
    return GatedHead(names, grades, gate, before_padding(pad_id), last_header(tokenizer, checkpoint.root))


FAMILY = Family(
    format="armorm",
    examples="RLHFlow ArmoRM-Llama3-8B-v0.1",
    recognised="architecture `…ForRewardModelWithGating`, `gating.*` or `reward_transform_matrix`, without quantiles",
    scalar="sum over the objectives of gate × (regression @ transform): the gate is "
    "`softmax(MLP / gating_temperature) × logit_scale` at the first token of the last assistant header, the "
    "objectives are read at the last token; a conversation without that header has no reward; each objective's share "
    "is reported",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=HEADS,
)
