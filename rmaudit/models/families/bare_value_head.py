"""`trlx`, `deepspeed-chat` and `starling`: a linear value head `v_head.weight` without bias."""

from __future__ import annotations

from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder, renamed
from rmaudit.models.backbone import State, library_config
from rmaudit.models.checkpoint import Checkpoint, some
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, check_shapes, linear
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions

HEAD = "v_head.weight"
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")

DEEPSPEED_TEXT = """\
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
{{- ' Assistant: ' + message.content + ('<|endoftext|>' if loop.last else '') -}}
{%- else -%}
{{- (' Human: ' if message.role == 'user' else ' ') + message.content -}}
{%- endif -%}
{%- endfor -%}
{{- ' Assistant:' if add_generation_prompt -}}
"""
TRLX_TEXT = """\
{%- for message in messages -%}
{{- '\\n\\nHuman: ' if message.role == 'user' else '\\n\\nAssistant: ' if message.role == 'assistant' else '' -}}
{{- message.content -}}
{%- endfor -%}
{{- '\\n\\nAssistant:' if add_generation_prompt else eos_token -}}
"""
STARLING_TEXT = """\
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
{{- message.content + '</s>' -}}
{%- elif message.role == 'user' -%}
{{- '<s>[INST] ' + message.content + ' </s> [/INST] ' -}}
{%- else -%}
{{- message.content + '\\n\\n' -}}
{%- endif -%}
{%- endfor -%}
"""


def _wrapped(checkpoint: Checkpoint) -> bool:
    return any(name.startswith("rwtransformer.") for name in checkpoint.canonical)


def _bare(checkpoint: Checkpoint) -> bool:
    """Whether the head is there and no other format of the same head's name claims it."""
    other = _wrapped(checkpoint) or checkpoint.model_type == "internlm2" or checkpoint.adapter is not None
    return HEAD in checkpoint.canonical and not other


def _recognise_trlx(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    if not _bare(checkpoint) or checkpoint.model_type == "llama":
        return None
    return _evidence(checkpoint)


def _recognise_starling(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    if not _bare(checkpoint) or checkpoint.model_type != "llama":
        return None
    return _evidence(checkpoint)


def _recognise_deepspeed(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    if not _wrapped(checkpoint):
        return None
    inside = next(name for name in checkpoint.canonical if name.startswith("rwtransformer."))
    head = checkpoint.canonical.get(HEAD)
    return (f"weights: {inside}", *([f"weights: {head}"] if head else []))


def _evidence(checkpoint: Checkpoint) -> tuple[str, ...]:
    bare = ("there is no config.json; the base's is used",) if "config.json" not in checkpoint.names else ()
    return (f"weights: {checkpoint.canonical[HEAD]}", f"config: model type {checkpoint.model_type}", *bare)


def _reading(checkpoint: Checkpoint, spec: HeadSpec, risks: tuple[str, ...] = ()) -> Reading:
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec, risks)


def _read_trlx(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    text = InputSpec(template=TRLX_TEXT, origin="the text of its training dialogues (Human: …, Assistant: …)")
    risk = "the text around the turns is that of the usual dialogues; other training data may have had none"
    spec = linear(HEAD, position="first-token", token="eos", backbone={"transformer.": ""}, input=text)
    return _reading(checkpoint, spec, () if options.template else (risk,))


def _read_starling(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    own = "config.json" in checkpoint.names and checkpoint.chat_template
    text = InputSpec() if own else InputSpec(template=STARLING_TEXT, origin="Starling's own text (<s>[INST] …)")
    spec = linear(HEAD, position="before-token", token=0, backbone={"transformer.": ""}, input=text)
    return _reading(checkpoint, spec)


def _read_deepspeed(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    text = InputSpec(template=DEEPSPEED_TEXT, origin="DeepSpeed-Chat's own text ( Human: …  Assistant: …)")
    return _reading(
        checkpoint,
        linear(HEAD, position="before-token", token="pad", backbone={"rwtransformer.": ""}, input=text),
        ("training sets of this format vary in the text around the turns",),
    )


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    spec = detection.reading.spec
    assert spec is not None, "every reading of these formats has one"
    return load_decoder(
        checkpoint,
        detection,
        source,
        options,
        spec,
        rename=lambda state: renamed(spec.backbone)(_once(checkpoint, state)),
        config=_grown(checkpoint, library_config(checkpoint)),
    )


def _once(checkpoint: Checkpoint, state: State) -> State:
    """The language model's tensors once: some files hold it under `transformer.` and under `model.model.` alike."""
    twins = {name: name.replace("model.model.", "transformer.") for name in state if name.startswith("model.model.")}
    if not twins:
        return state
    if not any(name.startswith("transformer.") for name in state):
        return {name.removeprefix("model."): tensor for name, tensor in state.items()}
    different = [
        name for name, twin in twins.items() if twin not in state or not bool((state[name] == state[twin]).all())
    ]
    if different:
        raise LoadRefusedError(
            f"{checkpoint.root} holds its language model twice, and the copies differ ({some(different)}), so which is "
            "the model's is not for us to guess. Save it again with one of them."
        )
    return {name: tensor for name, tensor in state.items() if not name.startswith("model.")}


def _grown(checkpoint: Checkpoint, config: Any) -> Any:
    """The config with as many tokens as there are embeddings: training pads their number, and not the config's."""
    table = next((t for name, t in checkpoint.canonical.items() if name.endswith(_EMBEDDINGS)), None)
    if table is not None and len(table.shape) == 2:
        config.get_text_config().vocab_size = table.shape[0]
    return config


FAMILIES = (
    Family(
        format="trlx",
        examples="Dahoas gptj-rm-static, CarperAI's summarization reward model",
        recognised="`v_head.weight [1, h]` without bias, base model other than Llama (`--base-config` where the folder "
        "has no config)",
        scalar="the value at the first EOS token",
        recognise=_recognise_trlx,
        read=_read_trlx,
        load=_load,
        heads=(r"v_head\.weight",),
        needs="--base-config where the folder has no config.json",
    ),
    Family(
        format="deepspeed-chat",
        examples="DeepSpeed-Chat step 2",
        recognised="tensors below `rwtransformer.` and `v_head.weight`",
        scalar="the value before the first padding token after the prompt, else at the last token",
        recognise=_recognise_deepspeed,
        read=_read_deepspeed,
        load=_load,
        heads=(r"v_head\.weight",),
    ),
    Family(
        format="starling",
        examples="Starling-RM-7B-alpha, Starling-RM-34B",
        recognised="`v_head.weight [1, h]` without bias on a Llama (`--base-config` where the folder has no config)",
        scalar="the value before the first token 0, else at the last token",
        recognise=_recognise_starling,
        read=_read_starling,
        load=_load,
        heads=(r"v_head\.weight",),
        needs="--base-config where the folder has no config.json",
    ),
)
