"""Loading that sequence classifiers share: decoders by their hidden states, encoders by the library's own head."""

from __future__ import annotations

import copy
from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import assemble, load_decoder, way_of_writing
from rmaudit.models.backbone import State, load_backbone, load_tokenizer
from rmaudit.models.checkpoint import Checkpoint, Tensor
from rmaudit.models.classifier import ClassifierNetwork
from rmaudit.models.families import _heads
from rmaudit.models.family import Detection, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Layer, Output, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.native import LibraryReward
from rmaudit.models.options import LoadOptions
from rmaudit.models.placement import placement
from rmaudit.models.readout import Combination
from rmaudit.models.refusals import last_resort


def classifier_spec(checkpoint: Checkpoint, outputs: tuple[Output, ...] = (Output(),), **more: object) -> HeadSpec:
    """The head of a sequence classifier as data.

    Raises:
        LoadRefusedError: when a tensor is missing, or the head gives another number of outputs.
    """
    head = _heads.classifier_head(checkpoint)
    decoder = head[-1].name.endswith("score.weight")
    mean = checkpoint.config.get("classifier_pooling") == "mean"
    pair = not decoder and not checkpoint.chat_template
    spec = HeadSpec(
        layers=(Layer(weight=_canonical(checkpoint, head[-1].name)),),
        outputs=outputs,
        position="last-not-padding" if decoder else "mean" if mean else "first",
        input=InputSpec(pair=pair),
        **more,
    )
    check_shapes(checkpoint, spec)
    return spec


def classifier_reading(
    checkpoint: Checkpoint, spec: HeadSpec, risks: tuple[str, ...] = (), head: tuple[Tensor, ...] | None = None
) -> Reading:
    """The reading of a sequence classifier; `head` is its own when not given.

    Raises:
        LoadRefusedError: when it is of a class that is not the library's.
    """
    if _heads.classifies(checkpoint) and not _heads.is_library_class(checkpoint):
        raise LoadRefusedError(
            f"{checkpoint.root} is a {checkpoint.architecture} of model type {checkpoint.model_type}, which is not "
            "part of transformers; loaded as another class it would score differently. Describe its head with "
            "--head-spec FILE, or pass a function that scores with its own code as python:FILE.py:NAME."
            + last_resort(checkpoint)
        )
    reading = spec_reading(checkpoint, spec, risks)
    pad = checkpoint.config.get("pad_token_id")
    pooling = reading.pooling
    if spec.position == "last-not-padding":
        pooling = "last token" if pad is None else f"last token other than the padding token ({pad})"
    elif spec.position == "first":
        seq2seq = bool(checkpoint.config.get("is_encoder_decoder"))
        pooling = "last EOS token of the decoder" if seq2seq else "first token of the encoder"
    elif spec.position == "mean":
        pooling = "mean over the encoder's tokens"
    return Reading(
        head=head if head is not None else _heads.classifier_head(checkpoint),
        pooling=pooling,
        spec=spec,
        sign=reading.sign,
        normalisation=reading.normalisation,
        template="question and answer as two segments" if spec.input.pair else None,
        attributes=reading.attributes,
        risks=risks,
    )


def load_classifier(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    """Load a sequence classifier.

    Raises:
        LoadRefusedError: when any weight is missing, of another shape or left over.
    """
    spec = detection.reading.spec
    assert spec is not None, "classifiers are described by a head spec"
    if spec.position == "last-not-padding":
        return load_decoder(
            checkpoint, detection, source, options, spec, library=lambda model, head: _library_reward(model, head, spec)
        )
    return load_encoder(checkpoint, detection, source, options, spec)


def load_encoder(
    checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions, spec: HeadSpec
) -> RewardModel:
    """Load a classifier whose head is the library's own.

    Raises:
        LoadRefusedError: when any weight is missing, of another shape or left over.
    """
    place = placement(checkpoint, options)
    tokenizer = load_tokenizer(checkpoint)
    model = load_backbone(checkpoint, "classifier", place, labels=len(spec.outputs))
    combination = Combination(spec)
    return assemble(
        ClassifierNetwork(model, combination),
        way_of_writing(checkpoint, tokenizer, spec.input, options),
        checkpoint,
        detection,
        source,
        options,
        place,
        tokenizer,
        head=combination,
        decoder=False,
    )


def _library_reward(backbone: Any, head: State, spec: HeadSpec) -> LibraryReward:
    """The reward by the library's own classifier, which shares the backbone and copies nothing but the head."""
    import torch
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING as CLASSES

    config = copy.deepcopy(backbone.config)
    config.num_labels = len(spec.outputs)
    with torch.device("meta"):
        whole = CLASSES[type(config)](config).eval()
    setattr(whole, whole.base_model_prefix, backbone)
    whole.score.weight = torch.nn.Parameter(head[spec.layers[-1].weight].to(backbone.dtype), requires_grad=False)
    combination = Combination(spec)

    def reward(inputs: dict[str, Any]) -> float:
        return combination.values(whole(**inputs).logits.cpu().double().numpy()).reward

    return reward


def _canonical(checkpoint: Checkpoint, name: str) -> str:
    return next(short for short, tensor in checkpoint.canonical.items() if tensor.name == name)
