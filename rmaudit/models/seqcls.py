"""`seqcls`: a sequence classifier with one output, fed a conversation in its chat template.

Decoders are read at the last token, encoders at their classification token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmaudit.errors import LoadRefusedError
from rmaudit.models import heads
from rmaudit.models.checkpoint import Checkpoint, Tensor
from rmaudit.models.options import LoadOptions

if TYPE_CHECKING:
    from rmaudit.models.family import Detection
    from rmaudit.models.transformers_model import TransformersModel

FORMAT = "seqcls"


def recognise(checkpoint: Checkpoint) -> tuple[str, ...] | None:
    """Why the files are of this format, or ``None``."""
    if not heads.is_sequence_classifier(checkpoint):
        return None
    decoder = heads.decoder_output(checkpoint)
    if decoder is not None:
        return _evidence(checkpoint, decoder)
    encoder = heads.encoder_output(checkpoint)
    if encoder is not None and checkpoint.chat_template:
        return _evidence(checkpoint, encoder)
    return None


def head(checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    """The head's tensors, the one giving the scalar last.

    Raises:
        LoadRefusedError: when they are not all there, give more than one number, or there is no template.
    """
    tensors = classifier_head(checkpoint)
    if not checkpoint.chat_template:
        raise LoadRefusedError(
            f"{checkpoint.root} has no chat template, so it is not known how its conversations are to be "
            "written out, and a guess would shift every score. Put the template it was trained with into the "
            "folder as chat_template.jinja."
        )
    return tensors


def classifier_head(checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    """Head of a sequence classifier, checked to be whole and to give one number.

    Raises:
        LoadRefusedError: when a tensor is missing, or the head gives more than one number.
    """
    missing = heads.missing_head(checkpoint)
    if missing:
        raise LoadRefusedError(
            f"{checkpoint.root} has no whole score head: its weights lack {', '.join(missing)}. Loading it "
            "would fill them with random numbers. Save the trained head with the checkpoint (with PEFT, name "
            "it in modules_to_save), and load again."
        )
    output = heads.decoder_output(checkpoint) or heads.encoder_output(checkpoint)
    assert output is not None, "a whole head has an output"
    labels = output.shape[0]
    if labels != 1:
        named = checkpoint.config.get("id2label") or {}
        names = ", ".join(str(name) for name in named.values()) if isinstance(named, dict) else ""
        raise LoadRefusedError(
            f"{checkpoint.root} gives {labels} numbers a conversation ({output}"
            f"{', labelled ' + names if names else ''}), and which of them is the reward is not for us to "
            "guess. Heads of several outputs are not supported yet; pass a function that picks or combines "
            "them as python:FILE.py:NAME."
        )
    whole = [checkpoint.tensors[name] for name in heads.expected_head(checkpoint) if name != output.name]
    return (*whole, output)


def load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> TransformersModel:
    """Load the weights.

    Raises:
        LoadRefusedError: when any weight is missing, of another shape or left over.
    """
    from rmaudit.models.conversation_input import TemplateInput
    from rmaudit.models.transformers_load import load_classifier

    return load_classifier(checkpoint, detection, source, options, TemplateInput)


def _evidence(checkpoint: Checkpoint, output: Tensor) -> tuple[str, ...]:
    template = "the tokenizer brings a chat template" if checkpoint.chat_template else "there is no chat template"
    return (f"config.json: architecture {checkpoint.architecture}", f"weights: {output}", template)
