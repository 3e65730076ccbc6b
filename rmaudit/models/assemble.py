"""Puts a loaded model together from its parts: backbone, head, way of writing, facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rmaudit.models import safety
from rmaudit.models.backbone import State, load_backbone, load_tokenizer, longest, read_state
from rmaudit.models.card import read_card
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection
from rmaudit.models.headspec import HeadSpec, InputSpec
from rmaudit.models.interface import Identity, ModelFacts, RewardModel
from rmaudit.models.native import HiddenStateNetwork, LibraryReward, NativeModel, Network
from rmaudit.models.options import LoadOptions
from rmaudit.models.pickles import scanned
from rmaudit.models.placement import Placement, placement
from rmaudit.models.readout import Head, LinearHead, Named, locator, torch_layers
from rmaudit.models.text import ConversationInput, PairInput, TemplateInput, chosen_template
from rmaudit.models.training_files import read_training

"""From the head's tensors by canonical name, and the tokenizer, to the head."""


def load_described(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    """Load a format whose head is described as data (`Reading.spec`).

    Raises:
        LoadRefusedError: when the weights do not fit, or the conversations cannot be written out.
    """
    spec = detection.reading.spec
    assert spec is not None, "only formats with a head spec are loaded this way"
    return load_decoder(checkpoint, detection, source, options, spec)


def load_decoder(
    checkpoint: Checkpoint,
    detection: Detection,
    source: str,
    options: LoadOptions,
    spec: HeadSpec,
    *,
    make_head: Callable[[State, Any, Any], Head] | None = None,
    head_names: tuple[str, ...] | None = None,
    rename: Callable[[State], State] | None = None,
    config: Any = None,
    conversation_input: Callable[[Any], ConversationInput] | None = None,
    prompts: bool = False,
    head_from: Checkpoint | None = None,
    library: Callable[[Any, State], LibraryReward] | None = None,
) -> RewardModel:
    """Load a bare model and a head that reads its hidden states.

    Args:
        checkpoint: the checkpoint.
        detection: what it is.
        source: the SOURCE as typed.
        options: how to load it.
        spec: head, position and way of writing; where `make_head` is given only the way of writing counts.
        make_head: makes the head from its tensors (by canonical name), the tokenizer and the backbone's config.
        head_names: canonical names of the head's tensors; those of the spec when not given.
        rename: from the checkpoint's tensors to the library model's.
        config: of the library, where the checkpoint's own model type is unknown to it.
        conversation_input: makes another way of writing than the spec's from the tokenizer.
        prompts: whether the head must know where the answer begins.
        head_from: whose files hold the head's tensors; the checkpoint's own when not given.
        library: from the backbone and the head's tensors to the reward by the library's own class, for the self-test.

    Raises:
        LoadRefusedError: when the weights do not fit, or the conversations cannot be written out.
    """
    place = placement(checkpoint, options)
    names = head_names if head_names is not None else spec.names
    tokenizer = load_tokenizer(checkpoint)
    kept = {layer.weight for layer in spec.layers if layer.rows is not None}
    backbone = load_backbone(
        checkpoint,
        "base",
        place,
        head=[name for name in names if name not in kept],
        rename=rename or (renamed(spec.backbone) if spec.backbone else None),
        config=config,
    )
    tensors = {name: tensor.to(place.device) for name, tensor in read_state(head_from or checkpoint, names).items()}
    if make_head is not None:
        head = make_head(tensors, tokenizer, backbone.config)
    else:
        pad_id = backbone.config.get_text_config().pad_token_id
        locate = locator(spec, tokenizer, pad_id, checkpoint.root)
        head = LinearHead(spec, torch_layers(spec.layers, tensors, tokenizer, checkpoint.root), locate)
    prompts = prompts or spec.position in ("before-token", "every-token", "before-every-token")
    if conversation_input is not None:
        written = conversation_input(tokenizer)
    else:
        written = way_of_writing(checkpoint, tokenizer, spec.input, options, prompts=prompts)
    network = HiddenStateNetwork(backbone, head, library(backbone, tensors) if library is not None else None)
    return assemble(network, written, checkpoint, detection, source, options, place, tokenizer, head=head)


def way_of_writing(
    checkpoint: Checkpoint, tokenizer: Any, spec: InputSpec, options: LoadOptions, *, prompts: bool = False
) -> ConversationInput:
    """How a format's conversations become tokens.

    Raises:
        LoadRefusedError: when there is no template, or it does not work.
        UsageError: when the user's template does not exist.
    """
    if spec.pair and options.template is None:
        return PairInput(tokenizer)
    found, spec = chosen_template(checkpoint, tokenizer, spec, options.template)
    return TemplateInput(tokenizer, found, spec, checkpoint.root, prompts=prompts)


def assemble(
    network: Network,
    written: ConversationInput,
    checkpoint: Checkpoint,
    detection: Detection,
    source: str,
    options: LoadOptions,
    place: Placement,
    tokenizer: Any,
    *,
    head: Named | None = None,
    decoder: bool = True,
    others: Mapping[str, Checkpoint] | None = None,
    max_length: int | None = None,
) -> NativeModel:
    """A model from its parts.

    Args:
        network: the network with its head.
        written: how conversations become tokens.
        checkpoint: the checkpoint.
        detection: what it is.
        source: the SOURCE as typed.
        options: how it was loaded.
        place: where its weights are.
        tokenizer: its tokenizer.
        head: names the attributes that come with each reward.
        decoder: whether only its positions limit the length.
        others: further checkpoints that take part, such as a reference model, by name.
        max_length: most tokens, where the format says so and not the config.
    """
    config = network.model.config
    pad_id = next((i for i in (tokenizer.pad_token_id, config.get_text_config().pad_token_id) if i is not None), 0)
    return NativeModel(
        network,
        written,
        facts_of(
            network.model,
            checkpoint,
            detection,
            source,
            place,
            template=written.description,
            max_length=max_length or longest(config, tokenizer, decoder, options.max_length),
            head=head,
            others=others,
        ),
        int(pad_id),
        options.batch_size,
        lambda dtype: detection.family.load(
            checkpoint, detection, source, replace(options, dtype=dtype or options.dtype)
        ),
    )


def facts_of(
    model: Any,
    checkpoint: Checkpoint,
    detection: Detection,
    source: str,
    place: Placement,
    *,
    template: str | None,
    max_length: int | None,
    head: Named | None = None,
    others: Mapping[str, Checkpoint] | None = None,
) -> ModelFacts:
    """What is printed of a loaded model."""
    reading, files = detection.reading, checkpoint.digests()
    for name, other in (others or {}).items():
        files |= {f"{name}/{file}": digest for file, digest in other.digests().items()}
    kernel = getattr(model.config, "_attn_implementation", None)
    return ModelFacts(
        identity=Identity(safety.identity_digest(files), source, checkpoint.revision, files),
        format=detection.format,
        evidence=(*detection.evidence, *scanned(checkpoint.root, checkpoint.weights)),
        head=", ".join(map(str, reading.head)) or None,
        pooling=reading.pooling,
        dtype=str(place.dtype).removeprefix("torch."),
        device=str(model.device),
        template=template,
        max_length=max_length,
        architecture=type(model).__name__,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        card=read_card(checkpoint.root),
        training=read_training(checkpoint.root, files),
        sign=reading.sign,
        normalisation=reading.normalisation,
        attention=str(kernel) if kernel else None,
        quantization=place.quantize,
        attributes=head.attributes if head is not None else (),
        additive=head.additive if head is not None else False,
        risks=(*reading.risks, *_loading_risks(checkpoint, model, place)),
    )


def _loading_risks(checkpoint: Checkpoint, model: Any, place: Placement) -> tuple[str, ...]:
    from rmaudit.models.risks import risks_of

    found = list(risks_of(checkpoint))
    if place.quantize:
        found.append(f"the weights were rounded to {place.quantize}, and the rewards with them")
    if model.config.model_type == "gemma2" and getattr(model.config, "_attn_implementation", "") == "sdpa":
        found.append("Gemma 2 caps its attention scores, which the sdpa kernel leaves out")
    return tuple(found)


def renamed(beginnings: Mapping[str, str]) -> Callable[[State], State]:
    """A renaming of tensors by the beginnings of their names."""

    def rename(state: State) -> State:
        result: State = {}
        for name, tensor in state.items():
            start = next((start for start in beginnings if name.startswith(start)), "")
            result[beginnings.get(start, "") + name.removeprefix(start)] = tensor
        return result

    return rename
