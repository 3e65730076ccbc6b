"""Which tensors are the head of a sequence classifier of the transformers library, told by name."""

from __future__ import annotations

from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint, Tensor

_OUTPUT = ("classifier.weight", "classifier.bias")
_DENSE_AND_OUTPUT = (
    "classifier.dense.weight",
    "classifier.dense.bias",
    "classifier.out_proj.weight",
    "classifier.out_proj.bias",
)
_SEQ2SEQ = tuple(f"classification_head.{part}.{kind}" for part in ("dense", "out_proj") for kind in ("weight", "bias"))

ENCODER_HEADS: dict[str, tuple[str, ...]] = {
    "albert": _OUTPUT,
    "bert": ("bert.pooler.dense.weight", "bert.pooler.dense.bias", *_OUTPUT),
    "deberta": ("pooler.dense.weight", "pooler.dense.bias", *_OUTPUT),
    "deberta-v2": ("pooler.dense.weight", "pooler.dense.bias", *_OUTPUT),
    "distilbert": ("pre_classifier.weight", "pre_classifier.bias", *_OUTPUT),
    "modernbert": ("head.dense.weight", "head.norm.weight", *_OUTPUT),
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert", "electra"), _DENSE_AND_OUTPUT),
    **dict.fromkeys(("t5", "bart", "mt5", "umt5", "mbart"), _SEQ2SEQ),
}
"""Head of encoders by ``model_type``; other encoders are told by their output alone."""

_OUTPUTS = ("classifier.weight", "classifier.out_proj.weight", "classification_head.out_proj.weight")


def classifies(checkpoint: Checkpoint, what: str = "ForSequenceClassification") -> bool:
    """Whether the config declares a classifier of the transformers library.

    One of a class of its own, whose code the user allows to run, is none.
    """
    own = bool(checkpoint.code) and what == "ForSequenceClassification" and not is_library_class(checkpoint)
    return (checkpoint.architecture or "").endswith(what) and not own


def is_library_class(checkpoint: Checkpoint) -> bool:
    """Whether the declared classifier is the library's own for this model type, and not one of the same ending."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES

    known = CLASSES.get(checkpoint.model_type or "")
    names = (known,) if isinstance(known, str) else tuple(known or ())
    return checkpoint.architecture in names


def encoder_output(checkpoint: Checkpoint) -> Tensor | None:
    """The last weight of an encoder classifier's head, ``(labels, hidden)``."""
    return next((checkpoint.canonical[name] for name in _OUTPUTS if name in checkpoint.canonical), None)


def decoder_output(checkpoint: Checkpoint) -> Tensor | None:
    """The score tensor of a decoder classifier, ``(labels, hidden)``."""
    return checkpoint.canonical.get("score.weight")


def head_names(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Names of the head tensors that a sequence classifier of this model type must bring."""
    if checkpoint.model_type in ENCODER_HEADS:
        return ENCODER_HEADS[checkpoint.model_type]
    output = encoder_output(checkpoint)
    if output is None:
        return ("score.weight",)
    return next(names for names in (_OUTPUT, _DENSE_AND_OUTPUT, _SEQ2SEQ) if output.name.endswith(names[-2]))


def classifier_head(checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    """Head of a sequence classifier, checked to be whole; the output comes last.

    Raises:
        LoadRefusedError: when a tensor is missing; all that are missing are named.
    """
    names = head_names(checkpoint)
    missing = [name for name in names if name not in checkpoint.canonical]
    if missing:
        raise LoadRefusedError(
            f"{checkpoint.root} has no whole score head: its weights lack {', '.join(missing)}. Loading it would "
            "fill the gap with random numbers. Save the trained head with the checkpoint (with PEFT, name it in "
            "modules_to_save), and load again."
        )
    weights = sorted(names, key=lambda name: name.endswith("bias"))
    output = next((n for n in reversed(names) if n in _OUTPUTS or n == "score.weight"), weights[0])
    return tuple(checkpoint.canonical[name] for name in (*(n for n in names if n != output), output))


def labels(checkpoint: Checkpoint) -> list[str] | None:
    """Names of the outputs in order, where the config gives them names of their own."""
    told = checkpoint.config.get("id2label")
    if not isinstance(told, dict):
        return None
    try:
        ordered = [str(told[key]) for key in sorted(told, key=int)]
    except ValueError:
        return None
    return None if all(name.upper() == f"LABEL_{i}" for i, name in enumerate(ordered)) else ordered
