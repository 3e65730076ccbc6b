"""`seqcls`: a sequence classifier with one output, fed a conversation in its chat template."""

from __future__ import annotations

from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _classifier, _heads
from rmaudit.models.family import Family, Reading
from rmaudit.models.options import LoadOptions


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    if checkpoint.adapter is not None or not _heads.classifies(checkpoint):
        return None
    output = _heads.decoder_output(checkpoint)
    if output is None:
        output = _heads.encoder_output(checkpoint) if checkpoint.chat_template else None
    if output is None or output.shape[0] != 1 or "score.bias" in checkpoint.canonical:
        return None
    template = "the tokenizer brings a chat template" if checkpoint.chat_template else "there is no chat template"
    return (f"config.json: architecture {checkpoint.architecture}", f"weights: {output}", template)


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = _classifier.classifier_spec(checkpoint)
    if spec.input.pair:
        spec = spec.model_copy(update={"input": spec.input.model_copy(update={"pair": False})})
    return _classifier.classifier_reading(checkpoint, spec)


FAMILY = Family(
    format="seqcls",
    examples="TRL RewardTrainer, Skywork-Reward and V2, RM-Gemma, FsfairX, Tulu RM, OffsetBias, NeMo-RL bradley_terry",
    recognised="architecture `…ForSequenceClassification`; `score.weight [1, h]` (decoders) or `classifier…` with a "
    "chat template (encoders)",
    scalar="the one logit, raw; decoders at the last token that is not the padding token, encoders at their first",
    recognise=_recognise,
    read=_read,
    load=_classifier.load_classifier,
    heads=(r"score\.weight", r"classifier\.(out_proj\.)?weight", r"classification_head\.out_proj\.weight"),
)
