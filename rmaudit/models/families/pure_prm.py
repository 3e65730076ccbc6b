"""`pure-prm`: a token classifier with two labels, read at the line break after each step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rmaudit.models.assemble import load_decoder
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _heads
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Layer, Output, Steps, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.readout import Head, LinearHead, torch_layers
from rmaudit.models.steps import PieceInput, chosen_aggregate, parted, require_own_text, step_risks

_HEAD = ("score.weight", "score.bias")
_SEPARATOR = "\n"
_TEXT = "PURE's own text: the question, then each step and a line break, without anything else"


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    found = [checkpoint.canonical[name] for name in _HEAD if name in checkpoint.canonical]
    if checkpoint.adapter is not None or not found or not _heads.classifies(checkpoint, "ForTokenClassification"):
        return None
    # Labels with names of their own may mean anything, entities of a text for one.
    if found[0].shape[0] != 2 or _heads.labels(checkpoint) is not None:
        return None
    return (f"config.json: architecture {checkpoint.architecture}", *(f"weights: {tensor}" for tensor in found))


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    require_own_text(options, "pure-prm")
    aggregate = chosen_aggregate(options, "softmin")
    spec = HeadSpec(
        layers=(Layer(weight=_HEAD[0], bias=_HEAD[1]),),
        outputs=(Output(weight=-1), Output(weight=1)),
        transform="softmax",
        position="every-token",
        token=_SEPARATOR,
        steps=Steps(aggregate=aggregate),
        input=InputSpec(origin=_TEXT),
    )
    check_shapes(checkpoint, spec)
    risks = (
        *step_risks("line breaks", aggregate),
        "that label 1 is a right step and that a line break ends one is the custom of PURE; the files do not tell",
    )
    return replace(spec_reading(checkpoint, spec, risks), pooling="the line break after each step")


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    spec = detection.reading.spec
    assert spec is not None, "the head is described as data"

    def written(tokenizer: Any) -> PieceInput:
        return PieceInput(tokenizer, str, lambda answer: parted(answer, _SEPARATOR), _SEPARATOR, _TEXT)

    def head(tensors: dict[str, Any], tokenizer: Any, config: Any) -> Head:
        del config
        layers = torch_layers(spec.layers, tensors, tokenizer, checkpoint.root)
        return LinearHead(spec, layers, lambda encoded: encoded.marks)

    return load_decoder(checkpoint, detection, source, options, spec, make_head=head, conversation_input=written)


FAMILY = Family(
    format="pure-prm",
    examples="PURE-PRM-7B",
    recognised="architecture `…ForTokenClassification`, `score.weight [2, h]` and `score.bias`, labels without names",
    scalar="softmax, second output minus first at the line break after each step; over the steps their mean, each "
    "weighed by softmax(-value / 0.1)",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=(r"score\.bias",),
)
