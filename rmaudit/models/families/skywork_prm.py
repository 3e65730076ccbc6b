"""`skywork-prm`: a value head read at the line break after each step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rmaudit.models.assemble import load_decoder
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Layer, Steps, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.readout import Head, LinearHead, torch_layers
from rmaudit.models.steps import PieceInput, chosen_aggregate, require_own_text, step_risks

_HEAD = ("v_head.summary.weight", "v_head.summary.bias")
_SEPARATOR = "\n"
_TEXT = "Skywork's own text: the BOS token, the question, a line break, then each line of the answer and a line break"


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    found = [checkpoint.canonical[name] for name in _HEAD if name in checkpoint.canonical]
    # The same tensors as TRL's value head, so only the config can tell.
    if not found or "Prm" not in (checkpoint.architecture or ""):
        return None
    return (f"config.json: architecture {checkpoint.architecture}", *(f"weights: {tensor}" for tensor in found))


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    require_own_text(options, "skywork-prm")
    aggregate = chosen_aggregate(options, "mean")
    spec = HeadSpec(
        layers=(Layer(weight=_HEAD[0], bias=_HEAD[1]),),
        transform="sigmoid",
        position="every-token",
        token=_SEPARATOR,
        steps=Steps(aggregate=aggregate),
        input=InputSpec(origin=_TEXT),
    )
    check_shapes(checkpoint, spec)
    reading = spec_reading(checkpoint, spec, step_risks("line breaks, a blank line being a step as well", aggregate))
    return replace(reading, pooling="the line break after each step")


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    spec = detection.reading.spec
    assert spec is not None, "the head is described as data"

    def written(tokenizer: Any) -> PieceInput:
        begin = str(tokenizer.bos_token or "")
        return PieceInput(tokenizer, lambda question: f"{begin}{question}\n", _lines, _SEPARATOR, _TEXT)

    def head(tensors: dict[str, Any], tokenizer: Any, config: Any) -> Head:
        del config
        layers = torch_layers(spec.layers, tensors, tokenizer, checkpoint.root)
        return LinearHead(spec, layers, lambda encoded: encoded.marks)

    return load_decoder(checkpoint, detection, source, options, spec, make_head=head, conversation_input=written)


def _lines(answer: str) -> list[str]:
    """Every line, blank ones too, as the authors' own code has it."""
    return answer.split(_SEPARATOR)


FAMILY = Family(
    format="skywork-prm",
    examples="Skywork-o1-Open-PRM",
    recognised="`v_head.summary.weight [1, h]` with an architecture `…Prm…`, else `--as skywork-prm`",
    scalar="sigmoid of the value head (with bias) at the line break after each step; mean over the steps",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=(r"v_head\.summary\.(weight|bias)",),
)
