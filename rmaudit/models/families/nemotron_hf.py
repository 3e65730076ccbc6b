"""`nemotron-hf`: a language model whose reward is the logit of token 0."""

from __future__ import annotations

from typing import Any

from rmaudit.models.assemble import way_of_writing
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.language import UNTOLD, load_language, output_layer
from rmaudit.models.options import LoadOptions
from rmaudit.models.text import ConversationInput

_TOKEN = 0
"""The row of the output layer that was trained as the reward."""


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = HeadSpec(layers=(output_layer(checkpoint, rows=(_TOKEN,)),), position="last")
    whole = checkpoint.whole
    check_shapes(whole, spec)
    return spec_reading(whole, spec, (UNTOLD,))


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    spec = detection.reading.spec
    assert spec is not None, "what is read of the output layer is described as data"

    def prepare(tokenizer: Any) -> tuple[ConversationInput, tuple[int, ...]]:
        return way_of_writing(checkpoint, tokenizer, spec.input, options), (_TOKEN,)

    return load_language(checkpoint, detection, source, options, prepare)


FAMILY = Family(
    format="nemotron-hf",
    examples="Llama-3.1-Nemotron-70B-Reward-HF",
    recognised="`--as nemotron-hf` only: a plain language model",
    scalar="the logit of token 0 at the last token of the conversation, without generation prompt",
    recognise=lambda checkpoint, options: None,
    read=_read,
    load=_load,
    needs="--as nemotron-hf",
)
