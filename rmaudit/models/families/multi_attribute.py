"""`multi-attribute`: a sequence classifier that grades several attributes; the reward is their weighted sum."""

from __future__ import annotations

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.checkpoint import Checkpoint, some
from rmaudit.models.families import _classifier, _heads
from rmaudit.models.families.two_label import positive_label
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.headspec import Output
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    output = _heads.decoder_output(checkpoint) or _heads.encoder_output(checkpoint)
    if checkpoint.adapter is not None or output is None or not _heads.classifies(checkpoint):
        return None
    names = _heads.labels(checkpoint)
    if output.shape[0] < 2 or names is None or positive_label(checkpoint) is not None:
        return None
    return (
        f"config.json: architecture {checkpoint.architecture}",
        f"weights: {output}",
        f"config.json: id2label names {len(names)} attributes ({some(names)})",
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    head = _heads.classifier_head(checkpoint)
    names = _names(checkpoint, head[-1].shape[0])
    weights = attribute_weights(names, options.attributes)
    outputs = tuple(Output(name=name, weight=weights.get(name, 0.0)) for name in names)
    if options.attributes:
        return _classifier.classifier_reading(checkpoint, _classifier.classifier_spec(checkpoint, outputs))
    spec = _classifier.classifier_spec(checkpoint, tuple(Output(name=name, weight=0.0) for name in names))
    missing = f"how the {len(names)} attributes make one reward is not in the files: pass --attribute NAME=WEIGHT"
    return _classifier.classifier_reading(checkpoint, spec, (missing,))


def _names(checkpoint: Checkpoint, count: int) -> list[str]:
    names = _heads.labels(checkpoint) or [str(i) for i in range(count)]
    if len(names) != count or len(set(names)) != count:
        raise LoadRefusedError(
            f"id2label in the config.json of {checkpoint.root} does not name its {count} outputs, each once. "
            "Correct it, or describe the head with --head-spec FILE."
        )
    return names


def attribute_weights(names: list[str], told: tuple[str, ...]) -> dict[str, float]:
    """Weight of each attribute from ``NAME=WEIGHT`` entries, or equal ones from ``mean``."""
    if told == ("mean",):
        return dict.fromkeys(names, 1.0 / len(names))
    weights: dict[str, float] = {}
    for entry in told:
        name, separator, number = entry.rpartition("=")
        try:
            weights[name] = float(number)
        except ValueError as error:
            raise UsageError(f"--attribute {entry} is not NAME=WEIGHT with a number, nor the word mean.") from error
        if not separator or name not in names:
            raise UsageError(f"There is no attribute {name!r}. The model has: {', '.join(names)}.")
    return weights


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    if not options.attributes:
        names = ", ".join(detection.reading.attributes)
        raise LoadRefusedError(
            f"{checkpoint.root} grades {len(detection.reading.attributes)} attributes ({names}), and how they make one "
            "reward is not for us to guess. Pass --attribute NAME=WEIGHT for each that counts, or --attribute mean."
        )
    return _classifier.load_classifier(checkpoint, detection, source, options)


FAMILY = Family(
    format="multi-attribute",
    examples="RLHFlow's DPA Mistral, SteerLM-like classifiers",
    recognised="a sequence classifier with several outputs that `id2label` names",
    scalar="weighted sum of the logits, weights by `--attribute NAME=WEIGHT` (or `--attribute mean`); each "
    "attribute's share is reported",
    recognise=_recognise,
    read=_read,
    load=_load,
    needs="--attribute",
)
