"""`two-label`: a sequence classifier that tells chosen from rejected; the reward is the log-odds."""

from __future__ import annotations

from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _classifier, _heads
from rmaudit.models.family import Family, Reading
from rmaudit.models.headspec import Output
from rmaudit.models.options import LoadOptions

POSITIVE = frozenset(("chosen", "good", "1", "positive", "pos", "yes", "true", "accepted", "preferred", "better"))
"""Label names that mean the better class."""


def positive_label(checkpoint: Checkpoint) -> int | None:
    """Index of the label that means the better class, when there are two labels and exactly one means it."""
    names = _heads.labels(checkpoint)
    if names is None or len(names) != 2:
        return None
    found = [i for i, name in enumerate(names) if name.strip().lower() in POSITIVE]
    return found[0] if len(found) == 1 else None


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    output = _heads.decoder_output(checkpoint) or _heads.encoder_output(checkpoint)
    if checkpoint.adapter is not None or output is None or not _heads.classifies(checkpoint):
        return None
    positive = positive_label(checkpoint)
    if output.shape[0] != 2 or positive is None or "score.bias" in checkpoint.canonical:
        return None
    names = _heads.labels(checkpoint) or []
    return (
        f"config.json: architecture {checkpoint.architecture}",
        f"weights: {output}",
        f"config.json: id2label names the outputs {names[0]!r} and {names[1]!r}",
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    _heads.classifier_head(checkpoint)
    positive = positive_label(checkpoint)
    if positive is None:
        raise LoadRefusedError(
            f"Which label of {checkpoint.root} is the better one is not known: id2label in its config.json names "
            f"{_heads.labels(checkpoint) or 'none'}. Write the names there ('rejected', 'chosen'), pass --as odin if "
            "the second output is an ODIN quality head, or describe the head with --head-spec FILE."
        )
    outputs = tuple(Output(weight=1.0 if i == positive else -1.0) for i in range(2))
    return _classifier.classifier_reading(checkpoint, _classifier.classifier_spec(checkpoint, outputs))


FAMILY = Family(
    format="two-label",
    examples="classifiers trained on chosen and rejected answers",
    recognised="a sequence classifier with two outputs, one of which `id2label` names chosen, good, positive, yes or 1",
    scalar="the better label's logit minus the other's (log-odds)",
    recognise=_recognise,
    read=_read,
    load=_classifier.load_classifier,
)
