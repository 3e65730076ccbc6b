"""`seqcls-pair`: an encoder classifier with one output that reads question and answer as two segments."""

from __future__ import annotations

from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _classifier, _heads
from rmaudit.models.family import Family, Reading
from rmaudit.models.options import LoadOptions


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    output = _heads.encoder_output(checkpoint)
    if output is None or checkpoint.chat_template or not _heads.classifies(checkpoint) or output.shape[0] != 1:
        return None
    return (
        f"config.json: architecture {checkpoint.architecture}",
        f"weights: {output}",
        "there is no chat template, so question and answer go in as two segments",
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    if _heads.decoder_output(checkpoint) is not None:
        raise LoadRefusedError(
            f"{checkpoint.root} is a decoder ({checkpoint.architecture}), which reads one text and not a "
            "pair of segments. Leave --as out, or pass --as seqcls."
        )
    spec = _classifier.classifier_spec(checkpoint)
    spec = spec.model_copy(update={"input": spec.input.model_copy(update={"pair": True})})
    return _classifier.classifier_reading(checkpoint, spec)


FAMILY = Family(
    format="seqcls-pair",
    examples="OpenAssistant reward-model-deberta-v3-base and -large(-v2), reward-model-electra",
    recognised="an encoder `…ForSequenceClassification` with one output and no chat template",
    scalar="the one logit of `[CLS] question [SEP] answer [SEP]` with segment ids",
    recognise=_recognise,
    read=_read,
    load=_classifier.load_classifier,
    heads=(r"classifier\.(out_proj\.)?weight",),
)
