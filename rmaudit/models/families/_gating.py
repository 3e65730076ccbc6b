"""What ArmoRM and QRM share: objectives of the answer, and a gate that reads where the assistant's turn opens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _numbers, _objectives
from rmaudit.models.family import Detection, Reading
from rmaudit.models.gated import GatedHead, Part, before_padding, last_header
from rmaudit.models.headspec import HeadSpec, check_shapes, linear, require_head
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions

if TYPE_CHECKING:
    import torch

REGRESSION = "regression_layer.weight"
TRANSFORM = "reward_transform_matrix"
SCALE = "gating.logit_scale"
HEADS = (r"regression_layer\.weight", r"reward_transform_matrix", r"gating\..*")
HIDDEN_LAYERS = 3
TEMPERATURE = 10.0
"""Defaults of the authors' code."""

_OWN = re.compile(r"reward_transform_matrix|gating\..*")
_STATISTICS = re.compile(r"gating\.layers\.\d+\.running_(mean|var)")


def evidence(checkpoint: Checkpoint, *, quantiles: bool) -> tuple[str, ...] | None:
    """What tells a gated reward model, with several quantiles of each objective or with one number."""
    declared = "RewardModelWithGating" in (checkpoint.architecture or "")
    found = [str(tensor) for name, tensor in checkpoint.canonical.items() if _OWN.fullmatch(name)]
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
    return "num_quantiles" in checkpoint.config or any(map(_STATISTICS.fullmatch, checkpoint.canonical))


def hidden_layers(checkpoint: Checkpoint) -> int:
    """Hidden layers of the gate."""
    return _numbers.count(checkpoint, "gating_n_hidden", HIDDEN_LAYERS)


def read(checkpoint: Checkpoint, gate: HeadSpec, more: tuple[str, ...] = ()) -> tuple[Reading, int]:
    """The reading, and how many numbers the regression layer gives for each objective.

    Args:
        checkpoint: the checkpoint.
        gate: the linear layers of the gate.
        more: names of its other tensors.

    Raises:
        LoadRefusedError: when a tensor of the head is missing, all of which are named, or they do not fit together.
    """
    head = require_head(checkpoint, (*gate.names, *more, SCALE, TRANSFORM, REGRESSION))
    regression, transform = checkpoint.canonical[REGRESSION], checkpoint.canonical[TRANSFORM]
    count = transform.shape[0] if transform.shape else 0
    told = checkpoint.config.get("num_objectives", count)
    square = count > 0 and transform.shape == (count, count) and told == count
    if not square or len(regression.shape) != 2 or regression.shape[0] % count:
        raise LoadRefusedError(
            f"The head of {checkpoint.root} does not fit together: {regression} with {transform} and num_objectives "
            f"{told} in its config.json. Copy or download the checkpoint again."
        )
    check_shapes(checkpoint, gate, count)
    _numbers.positive(checkpoint, "gating_temperature", TEMPERATURE)
    reading = Reading(
        head=head,
        pooling="reward: the token before the first padding token, else the last; gate: the first token of the last "
        "header of an assistant's turn",
        attributes=_objectives.named(checkpoint, count, _objectives.ARMO, _objectives.HELPSTEER),
        risks=_objectives.padding_risks(checkpoint),
    )
    return reading, regression.shape[0] // count


def load(
    checkpoint: Checkpoint,
    detection: Detection,
    source: str,
    options: LoadOptions,
    make_gate: Callable[[State, Any], Part],
) -> RewardModel:
    """Load a backbone and a head of ``sum(scale · softmax(gate / temperature) · mean of quantiles @ transform)``.

    Args:
        checkpoint: the checkpoint.
        detection: what it is.
        source: the SOURCE as typed.
        options: how to load it.
        make_gate: from the head's tensors by canonical name, and the tokenizer, to the gate before its softmax.
    """
    own = {tensor.name for tensor in detection.reading.head}
    names = tuple(name for name, tensor in checkpoint.canonical.items() if tensor.name in own)

    def make_head(tensors: State, tokenizer: Any, config: Any) -> GatedHead:
        logits = make_gate(tensors, tokenizer)
        return GatedHead(
            detection.reading.attributes,
            _grades(tensors, len(detection.reading.attributes)),
            _gate(tensors, logits, _numbers.positive(checkpoint, "gating_temperature", TEMPERATURE)),
            before_padding(config.get_text_config().pad_token_id),
            last_header(tokenizer, checkpoint.root),
        )

    return load_decoder(
        checkpoint, detection, source, options, linear(REGRESSION), make_head=make_head, head_names=names
    )


def _grades(tensors: State, count: int) -> Part:
    import torch

    regression, transform = tensors[REGRESSION].float(), tensors[TRANSFORM].float()

    def grades(hidden: torch.Tensor) -> torch.Tensor:
        quantiles = torch.nn.functional.linear(hidden, regression.to(hidden.device)).reshape(len(hidden), count, -1)
        return torch.matmul(quantiles.mean(2), transform.to(hidden.device))

    return grades


def _gate(tensors: State, logits: Part, temperature: float) -> Part:
    import torch

    scale = tensors[SCALE].float().flatten()[:1]

    def gate(hidden: torch.Tensor) -> torch.Tensor:
        return torch.mul(torch.softmax(logits(hidden) / temperature, dim=1), scale.to(hidden.device))

    return gate
