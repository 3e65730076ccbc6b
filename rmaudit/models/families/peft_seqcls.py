"""`peft-seqcls`: a PEFT adapter that makes a sequence classifier, head included, of its base model."""

from __future__ import annotations

from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import Checkpoint, Tensor
from rmaudit.models.families import _classifier, _heads
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Layer, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.readout import Head, LinearHead, locator, torch_layers

_SCORE = "score.weight"


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    if checkpoint.adapter is None or checkpoint.base is None:
        return None
    task = checkpoint.adapter.get("task_type")
    output = _output(checkpoint)
    if task == "SEQ_CLS":
        return ("adapter_config.json: task SEQ_CLS", f"weights: {output}" if output else "weights: no score head")
    if output is not None and not output.name.endswith(_SCORE):
        return (f"weights: {output} in the adapter",)
    if output is None and task is None and _heads.classifies(checkpoint.base) and _output(checkpoint.base) is not None:
        return ("adapter_config.json: no task, and no head of the adapter's own", f"base: {_output(checkpoint.base)}")
    return None


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    home = _home(checkpoint)
    output = _output(home)
    if output is None or output.name.endswith(_SCORE):
        return _read_decoder(checkpoint, home)
    return _read_encoder(checkpoint, home)


def _read_decoder(checkpoint: Checkpoint, home: Checkpoint) -> Reading:
    spec = HeadSpec(layers=(Layer(weight=_SCORE),), position="last-not-padding")
    check_shapes(home, spec)
    pad = padding_token(checkpoint)
    return Reading(
        head=(home.canonical[_SCORE],),
        pooling="last token" if pad is None else f"last token other than the padding token ({pad})",
        spec=spec,
        risks=_risks(checkpoint, home),
    )


def _read_encoder(checkpoint: Checkpoint, home: Checkpoint) -> Reading:
    head = _encoder_head(checkpoint)
    pair, mean = not checkpoint.chat_template, checkpoint.config.get("classifier_pooling") == "mean"
    spec = HeadSpec(
        layers=(Layer(weight=_short(home, head[-1])),),
        position="mean" if mean else "first",
        input=InputSpec(pair=pair),
    )
    check_shapes(home, spec)
    return _classifier.classifier_reading(home, spec, _risks(checkpoint, home), head)


def _home(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint that holds the head: the adapter, or a base that is a reward model already.

    Raises:
        LoadRefusedError: when the adapter was to bring the head, and does not.
    """
    assert checkpoint.adapter is not None, "only adapters are read here"
    if _output(checkpoint) is not None:
        return checkpoint
    promised = checkpoint.adapter.get("modules_to_save") or checkpoint.adapter.get("task_type") == "SEQ_CLS"
    base = checkpoint.base
    if base is not None and not promised and _heads.classifies(base) and _output(base) is not None:
        return base
    wanted = _heads.head_names(checkpoint)[-2 if "classifier" in _heads.head_names(checkpoint)[-1] else -1]
    raise LoadRefusedError(
        f"{checkpoint.root} has no score head: its adapter holds no {wanted}, so loading it would read scores from "
        "random numbers, other ones each time. Train again with the head named in modules_to_save."
    )


def _output(checkpoint: Checkpoint) -> Tensor | None:
    return _heads.decoder_output(checkpoint) or _heads.encoder_output(checkpoint)


def _encoder_head(checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    """The head's tensors, each from the adapter or else from the base; the output comes last.

    Raises:
        LoadRefusedError: when one is in neither.
    """
    places = [place for place in (checkpoint, checkpoint.base) if place is not None]
    found: dict[str, Tensor] = {}
    names = _heads.head_names(checkpoint if checkpoint.model_type in _heads.ENCODER_HEADS else _home(checkpoint))
    for name in names:
        short = name.removeprefix(f"{checkpoint.model_type}.")
        tensors = [place.canonical[n] for place in places for n in (name, short) if n in place.canonical]
        if tensors:
            found[name] = tensors[0]
    missing = [name for name in names if name not in found]
    if missing:
        raise LoadRefusedError(
            f"{checkpoint.root} has no whole score head: neither the adapter nor its base model holds "
            f"{', '.join(missing)}. Loading it would fill the gap with random numbers. Train again with the whole head "
            "named in modules_to_save."
        )
    return tuple(sorted(found.values(), key=lambda tensor: tensor is _output(_home(checkpoint))))


def _short(home: Checkpoint, tensor: Tensor) -> str:
    return next(short for short, other in home.canonical.items() if other is tensor)


def _risks(checkpoint: Checkpoint, home: Checkpoint) -> tuple[str, ...]:
    found = [] if home is checkpoint else ["the head is the base model's, since the adapter brings none"]
    own, told = checkpoint.tokenizer_config.get("pad_token"), checkpoint.config.get("pad_token_id")
    if own is None and told is None and home.canonical.get(_SCORE) is not None:
        found.append("neither config nor tokenizer names a padding token, so the last token is read")
    return tuple(found)


def padding_token(checkpoint: Checkpoint) -> str | int | None:
    """The padding token that training left out: the config's, or else the tokenizer's, which training code then sets.

    An adapter has no config of its own to say so.
    """
    told = checkpoint.config.get("pad_token_id")
    if isinstance(told, int):
        return told
    own = checkpoint.tokenizer_config.get("pad_token")
    return str(own.get("content")) if isinstance(own, dict) else str(own) if own else None


def load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    """Load the base model, put the adapter on it and the head behind it.

    Raises:
        LoadRefusedError: when a tensor is missing, left over or of another shape.
    """
    spec = detection.reading.spec
    assert spec is not None, "adapters are described by a head spec"
    if spec.position != "last-not-padding":
        return _classifier.load_encoder(checkpoint, detection, source, options, spec)

    def make_head(tensors: State, tokenizer: Any, config: Any) -> Head:
        pad = config.get_text_config().pad_token_id
        locate = locator(spec, tokenizer, tokenizer.pad_token_id if pad is None else pad, checkpoint.root)
        return LinearHead(spec, torch_layers(spec.layers, tensors, tokenizer, checkpoint.root), locate)

    return load_decoder(checkpoint, detection, source, options, spec, make_head=make_head, head_from=_home(checkpoint))


FAMILY = Family(
    format="peft-seqcls",
    examples="TRL RewardTrainer with a peft_config",
    recognised="`adapter_config.json` with task SEQ_CLS; `score.weight` or `classifier…` in the adapter's own file",
    scalar="the one logit of base and adapter with the adapter's head, at the position of `seqcls`; nothing is merged",
    recognise=_recognise,
    read=_read,
    load=load,
)
