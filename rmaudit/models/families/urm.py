"""`urm`: means of several attributes, weighed by a gate that reads the same token."""

from __future__ import annotations

from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _objectives
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.gated import GatedHead, last
from rmaudit.models.headspec import HeadSpec, Layer, check_shapes, linear, require_head
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.readout import apply_layers, torch_layers

SCORE = "score.weight"
GATE = HeadSpec(
    layers=tuple(
        Layer(weight=f"weights.fc.{i}.weight", bias=f"weights.fc.{i}.bias", activation="none" if i == 4 else "selu")
        for i in (0, 2, 4)
    )
)
NAMES = (*GATE.names, SCORE)


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    declared = (checkpoint.architecture or "").endswith("ForSequenceClassificationWithNormal_Weights")
    found = [checkpoint.canonical[name] for name in NAMES if name in checkpoint.canonical]
    if checkpoint.adapter is not None or not (declared or checkpoint.has(r"weights\.fc\.\d+\.weight")):
        return None
    return (f"config.json: architecture {checkpoint.architecture}", *(f"weights: {tensor}" for tensor in found[-2:]))


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    head = require_head(checkpoint, NAMES)
    score = checkpoint.canonical[SCORE]
    if len(score.shape) != 2 or score.shape[0] % 2:
        raise LoadRefusedError(
            f"The head of {checkpoint.root} does not give a mean and a variance for each attribute: {score}."
        )
    count = score.shape[0] // 2
    check_shapes(checkpoint, GATE, count)
    return Reading(
        head=head,
        pooling="last token",
        attributes=_objectives.named(checkpoint, count),
        risks=("the authors compute the weights of the attributes in float16, and here it is float32",),
    )


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    names = detection.reading.attributes
    # Means and variances take turns; the variances play no part in the reward.
    means = Layer(weight=SCORE, rows=tuple(range(0, 2 * len(names), 2)))

    def make_head(tensors: State, tokenizer: Any, config: Any) -> GatedHead:
        del config
        score, gate = (torch_layers(layers, tensors, tokenizer, checkpoint.root) for layers in ((means,), GATE.layers))
        return GatedHead(
            names, lambda hidden: apply_layers(hidden, score), lambda hidden: apply_layers(hidden, gate), last, last
        )

    return load_decoder(checkpoint, detection, source, options, linear(SCORE), make_head=make_head, head_names=NAMES)


FAMILY = Family(
    format="urm",
    examples="LxzGordon URM-LLaMa-3-8B, URM-LLaMa-3.1-8B",
    recognised="architecture `…ForSequenceClassificationWithNormal_Weights`; `score.weight [2k, h]` and "
    "`weights.fc.{0,2,4}`",
    scalar="at the last token, the sum of the k means (every other output of `score`, from the first) times the k "
    "outputs of an MLP with SELU; each attribute's share is reported",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=(r"weights\.fc\.\d+\.(weight|bias)", r"score\.weight"),
)
