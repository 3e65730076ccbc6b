"""`odin`: a sequence classifier with a length head and a quality head; the reward is the quality."""

from __future__ import annotations

from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _classifier
from rmaudit.models.family import Family, Reading
from rmaudit.models.headspec import Output
from rmaudit.models.options import LoadOptions


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    """Never by itself: its files look like those of any classifier with two outputs without names."""
    del checkpoint, options
    return None


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = _classifier.classifier_spec(checkpoint, (Output(weight=0.0), Output(weight=1.0)))
    spec = spec.model_copy(update={"input": spec.input.model_copy(update={"drop_bos": True})})
    return _classifier.classifier_reading(checkpoint, spec)


FAMILY = Family(
    format="odin",
    examples="RLHFlow's ODIN reward models",
    recognised="`--as odin` only: the files are those of any classifier with two outputs",
    scalar="the second logit (quality); the first is the length head",
    recognise=_recognise,
    read=_read,
    load=_classifier.load_classifier,
    needs="--as odin",
)
