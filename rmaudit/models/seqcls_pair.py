"""`seqcls-pair`: an encoder classifier with one output that reads question and answer as two segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmaudit.errors import LoadRefusedError
from rmaudit.models import heads
from rmaudit.models.checkpoint import Checkpoint, Tensor
from rmaudit.models.options import LoadOptions
from rmaudit.models.seqcls import classifier_head

if TYPE_CHECKING:
    from rmaudit.models.family import Detection
    from rmaudit.models.transformers_model import TransformersModel

FORMAT = "seqcls-pair"


def recognise(checkpoint: Checkpoint) -> tuple[str, ...] | None:
    """Why the files are of this format, or ``None``."""
    output = heads.encoder_output(checkpoint)
    if output is None or checkpoint.chat_template or not heads.is_sequence_classifier(checkpoint):
        return None
    return (
        f"config.json: architecture {checkpoint.architecture}",
        f"weights: {output}",
        "there is no chat template, so question and answer go in as two segments",
    )


def head(checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    """The head's tensors, the one giving the scalar last.

    Raises:
        LoadRefusedError: when they are not all there, give more than one number, or it is a decoder.
    """
    if heads.decoder_output(checkpoint) is not None:
        raise LoadRefusedError(
            f"{checkpoint.root} is a decoder ({checkpoint.architecture}), which reads one text and not a "
            "pair of segments. Leave --as out, or pass --as seqcls."
        )
    return classifier_head(checkpoint)


def load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> TransformersModel:
    """Load the weights.

    Raises:
        LoadRefusedError: when any weight is missing, of another shape or left over.
    """
    from rmaudit.models.conversation_input import PairInput
    from rmaudit.models.transformers_load import load_classifier

    return load_classifier(checkpoint, detection, source, options, PairInput)
