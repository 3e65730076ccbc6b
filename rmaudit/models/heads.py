"""Which tensors are the head of a sequence classifier, told by name."""

from __future__ import annotations

from rmaudit.models.checkpoint import Checkpoint, Tensor

_OUTPUT = ("classifier.weight", "classifier.bias")
_DENSE_AND_OUTPUT = (
    "classifier.dense.weight",
    "classifier.dense.bias",
    "classifier.out_proj.weight",
    "classifier.out_proj.bias",
)

ENCODER_HEADS: dict[str, tuple[str, ...]] = {
    "albert": _OUTPUT,
    "bert": ("bert.pooler.dense.weight", "bert.pooler.dense.bias", *_OUTPUT),
    "deberta": ("pooler.dense.weight", "pooler.dense.bias", *_OUTPUT),
    "deberta-v2": ("pooler.dense.weight", "pooler.dense.bias", *_OUTPUT),
    "distilbert": ("pre_classifier.weight", "pre_classifier.bias", *_OUTPUT),
    "modernbert": ("head.dense.weight", "head.norm.weight", *_OUTPUT),
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert", "electra"), _DENSE_AND_OUTPUT),
}
"""Head of encoders by ``model_type``; other encoders are told by their output alone."""

DECODER_HEAD = ("score.weight",)
"""Head of every decoder classifier: a linear map without bias on one position's hidden state."""

_ENCODER_OUTPUTS = ("classifier.weight", "classifier.out_proj.weight")


def is_sequence_classifier(checkpoint: Checkpoint) -> bool:
    """Whether the config declares a sequence classifier of the transformers library."""
    return (checkpoint.architecture or "").endswith("ForSequenceClassification")


def expected_head(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Names of the head tensors that a sequence classifier of this model type must bring."""
    if checkpoint.model_type in ENCODER_HEADS:
        return ENCODER_HEADS[checkpoint.model_type]
    output = encoder_output(checkpoint)
    if output is None:
        return DECODER_HEAD
    return _OUTPUT if output.name in _OUTPUT else _DENSE_AND_OUTPUT


def missing_head(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Those of the expected head tensors that are in no weight file."""
    return tuple(name for name in expected_head(checkpoint) if name not in checkpoint.tensors)


def decoder_output(checkpoint: Checkpoint) -> Tensor | None:
    """The score tensor of a decoder classifier, ``(labels, hidden)``, when nothing else belongs to it."""
    others = {name for name in checkpoint.tensors if name.startswith(("score.", "weights.fc."))}
    return checkpoint.tensors["score.weight"] if others == set(DECODER_HEAD) else None


def encoder_output(checkpoint: Checkpoint) -> Tensor | None:
    """The last weight of an encoder classifier's head, ``(labels, hidden)``."""
    return next((checkpoint.tensors[name] for name in _ENCODER_OUTPUTS if name in checkpoint.tensors), None)
