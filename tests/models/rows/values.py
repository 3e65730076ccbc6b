"""O1, F1, F2, T1, T2, P1 to P3, X1 to X4: value heads of training frameworks, adapters and bare weight files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from tests.models.rows import common as c
from tests.models.rows.classifiers import DECODERS, PICKLED, rightmost

WORDS = c.Words()
LLAMA = c.llama(WORDS)
HEAD = ("v_head.summary.weight", "v_head.summary.bias")


def summary(id: str, width: int = 16) -> c.Tensors:
    return {HEAD[0]: c.normal(id, 1, width), HEAD[1]: torch.tensor([0.625])}


VALUE = c.last_linear(*HEAD)


def inv_freq(prefix: str, layers: int = 2, width: int = 8) -> c.Tensors:
    """Buffers that weight files of 2023 carry and that no current model has."""
    return {f"{prefix}layers.{i}.self_attn.rotary_emb.inv_freq": torch.rand(width // 2) for i in range(layers)}


# ---------------------------------------------------------------- OpenRLHF


def openrlhf_ids(root: Path, conversation: c.Talk) -> list[int]:
    text = c.render(root, conversation).rstrip("\n")
    end = c.read_json(root / "tokenizer_config.json")["eos_token"]
    ids = c.encode(root, text if text.endswith(end) else f"{text} {end}", special=False)
    return [*ids[:-1], c.tokenizer(root).token_to_id(end)]


def _openrlhf(
    id: str,
    prefix: str = "score",
    *,
    words: c.Words = WORDS,
    normalised: bool = False,
    module: str = "",
    kind: str = "llama",
    **more: Any,
) -> c.Row:
    key = f"{module}{prefix}.weight"
    mean, std = (1.5, 2.5) if normalised else (0.0, 1.0)

    def read(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
        return (float((tensors[key] @ states[-1])[0]) - mean) / std

    _, body, config = DECODERS[kind]
    config = {**config, "vocab_size": words.size()}
    entries = {"value_head_prefix": prefix, **({"mean": mean, "std": std} if normalised else {}), **more}
    return c.decoder(
        id,
        "openrlhf",
        {**config, **c.token_ids(words)},
        {key: c.normal(id, 1, 16)},
        read,
        words=words,
        prefix=f"{module}{body}",
        arch="RewardModel",
        entries={**entries, "normalize_reward": normalised, **more},
        ids=openrlhf_ids,
    )


OPENRLHF = [
    _openrlhf("O1-score"),
    _openrlhf("O1-score-normalised", normalised=True),
    _openrlhf("O1-value_head", "value_head"),
    _openrlhf("O1-value_head-normalised", "value_head", normalised=True),
    _openrlhf("O1-module-prefix", module="module."),
    # Mean and deviation are there, but the checkpoint says not to use them.
    _openrlhf("O1-mean-unused", mean=3.0, std=0.5),
    # The text ends with a line break behind the end-of-text token, or with none at all.
    _openrlhf("O1-chatml", words=c.Words(template=c.CHATML, bos=None, eos="<|im_end|>", pad="<|endoftext|>")),
    _openrlhf("O1-eos-appended", words=c.Words(template=c.CHATML, bos=None, eos="<|endoftext|>")),
    _openrlhf("O1-pad-is-eos", words=c.Words(pad="</s>")),
    _openrlhf("O1-qwen2", kind="qwen2", words=c.QWEN),
]


# ---------------------------------------------------------------- value heads beside or inside a language model

LANGUAGE_MODELS = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "mistral": "MistralForCausalLM",
    "gemma2": "Gemma2ForCausalLM",
    "gpt2": "GPT2LMHeadModel",
    "gpt_neox": "GPTNeoXForCausalLM",
    "opt": "OPTForCausalLM",
    "bloom": "BloomForCausalLM",
}
TIED = ("gemma2", "gpt2", "opt", "bloom")


def lm_head(kind: str, config: Mapping[str, Any]) -> c.Tensors:
    """The output layer as it lies in the files: not at all where it is the embedding."""
    if kind in TIED:
        return {}
    return {
        "embed_out.weight" if kind == "gpt_neox" else "lm_head.weight": c.normal("lm", int(config["vocab_size"]), 16)
    }


def _beside(sharded: bool, file: str) -> Callable[[Path, c.Tensors], None]:
    def store(root: Path, tensors: c.Tensors) -> None:
        head = {key: value for key, value in tensors.items() if key in HEAD}
        rest = {key: value for key, value in tensors.items() if key not in HEAD}
        (c.save_shards if sharded else c.save)(root, rest)
        c.save(root, head, file)

    return store


def _value_head(
    id: str,
    format: str,
    kind: str = "llama",
    *,
    words: c.Words = WORDS,
    store: Callable[[Path, c.Tensors], None] = c.save,
    outer: str = "",
    options: Mapping[str, Any] | None = None,
) -> c.Row:
    _, prefix, config = DECODERS[kind]
    prefix = {"opt": "model."}.get(kind, prefix)
    config = {**config, **c.token_ids(words), "vocab_size": words.size(), "tie_word_embeddings": kind in TIED}
    width = int(config.get("word_embed_proj_dim", 16))
    more = {f"{outer}{key}": value for key, value in lm_head(kind, config).items()}
    return c.decoder(
        id,
        format,
        config,
        summary(id, width),
        VALUE,
        words=words,
        prefix=f"{outer}{prefix}",
        arch=LANGUAGE_MODELS[kind],
        more=more,
        store=store,
        options=options,
    )


def _one_bin(root: Path, tensors: c.Tensors) -> None:
    c.save(root, tensors, "pytorch_model.bin")


SAFE = _beside(sharded=True, file="value_head.safetensors")
LLAMA3 = c.Words(template=c.LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>", adds=("<|begin_of_text|> $A",))
FACTORY = [
    _value_head("F1", "llamafactory", store=SAFE),
    _value_head("F1-single", "llamafactory", store=_beside(sharded=False, file="value_head.safetensors")),
    _value_head("F1-bin", "llamafactory", store=_beside(sharded=True, file="value_head.bin"), options=PICKLED),
    _value_head("F1-bos-twice", "llamafactory", store=SAFE, words=LLAMA3),
    *(
        _value_head(f"F1-{kind}", "llamafactory", kind, store=SAFE, words=c.QWEN if kind == "qwen2" else WORDS)
        for kind in LANGUAGE_MODELS
        if kind != "llama"
    ),
]
TRL = [
    _value_head("T1", "trl-value-head"),
    _value_head("T1-sharded", "trl-value-head", store=c.save_shards),
    _value_head("T1-bin", "trl-value-head", store=_one_bin, options=PICKLED),
    _value_head("T1-pretrained_model", "trl-value-head", outer="pretrained_model."),
    _value_head("T1-gpt2", "trl-value-head", "gpt2"),
]


# ---------------------------------------------------------------- adapters

RANK, ALPHA = 2, 8
TARGETS = ("q_proj", "v_proj")


def lora(id: str, outer: str = "base_model.model.model.") -> c.Tensors:
    """Low-rank matrices for the attention of both layers, which change rewards visibly."""
    made: c.Tensors = {}
    for layer in range(2):
        for target, out in (("q_proj", 16), ("v_proj", 8)):
            key = f"{outer}layers.{layer}.self_attn.{target}"
            made[f"{key}.lora_A.weight"] = c.normal(f"{id}{key}A", RANK, 16, std=0.25)
            made[f"{key}.lora_B.weight"] = c.normal(f"{id}{key}B", out, RANK, std=0.25)
    return made


def lora_config(base: Path | str, task: str | None, saved: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": task,
        "base_model_name_or_path": str(base),
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.1,
        "target_modules": list(TARGETS),
        "modules_to_save": saved,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        **more,
    }


def merged(model: Any, tensors: c.Tensors, scale: float, outer: str = "base_model.model.model.") -> Any:
    """`model` with ``W + scale * B A`` in every adapted layer."""
    with torch.no_grad():
        for key, value in tensors.items():
            if key.endswith("lora_A.weight"):
                name = key[len(outer) :].removesuffix(".lora_A.weight")
                model.get_parameter(f"{name}.weight").add_(scale * tensors[key.replace("lora_A", "lora_B")] @ value)
    return model


def base_of(root: Path) -> Path:
    return root.with_name(f"{root.name}-base")


def write_base(root: Path, id: str, words: c.Words = WORDS, causal: bool = True) -> None:
    """An ordinary language model next to the adapter."""
    folder = base_of(root)
    words.write(folder)
    c.write_json(folder / "config.json", c.llama(words))
    more = {"lm_head.weight": c.normal(f"{id}lm", words.size(), 16)} if causal else {}
    c.save(folder, c.state(c.base(c.llama(words), f"{id}base"), "model.") | more)


def _adapter(
    id: str,
    format: str,
    head: c.Tensors,
    read: c.Read,
    task: str | None,
    *,
    saved: list[str] | None = None,
    head_file: str | None = None,
    options: Mapping[str, Any] | None = None,
    named: bool = True,
    rslora: bool = False,
) -> c.Row:
    def write(root: Path) -> None:
        WORDS.write(root)
        write_base(root, id)
        base = base_of(root) if named else "somebody/some-base-model"
        c.write_json(root / "adapter_config.json", lora_config(base, task, saved, use_rslora=rslora))
        c.save(root, lora(id) | ({} if head_file else head), "adapter_model.safetensors")
        if head_file:
            c.save(root, head, head_file)

    def expected(root: Path, conversation: c.Talk) -> float:
        tensors = c.weights(root)
        body = c.filled(c.base(LLAMA), c.weights(base_of(root)), "model.")
        body = merged(body, tensors, ALPHA / (RANK**0.5 if rslora else RANK))
        ids = c.chat(root, conversation)
        return read(c.hidden(body, ids), ids, tensors)

    return c.Row(id, format, write, expected, head=tuple(head), options=options or {}, talks=c.several)


SCORE = "base_model.model.score.weight"
SAVED = ["classifier", "score"]


def _score(id: str) -> c.Tensors:
    return {SCORE: c.normal(id, 1, 16)}


ADAPTERS = [
    _adapter("F2", "llamafactory", summary("F2"), VALUE, "CAUSAL_LM", head_file="value_head.safetensors"),
    _adapter("F2-bin", "llamafactory", summary("F2b"), VALUE, "CAUSAL_LM", head_file="value_head.bin", options=PICKLED),
    _adapter("T2", "trl-value-head", summary("T2"), VALUE, "CAUSAL_LM", head_file="pytorch_model.bin", options=PICKLED),
    _adapter("P1", "peft-seqcls", _score("P1"), c.last_linear(SCORE), "SEQ_CLS", saved=SAVED),
    _adapter("P1-rslora", "peft-seqcls", _score("P1r"), c.last_linear(SCORE), "SEQ_CLS", saved=SAVED, rslora=True),
    _adapter(
        "P1-base-given",
        "peft-seqcls",
        _score("P1b"),
        c.last_linear(SCORE),
        "SEQ_CLS",
        saved=SAVED,
        named=False,
        options={"base_model": "{root}-base"},
    ),
    _adapter("P3", "trl-reward-adapter", _score("P3"), c.last_linear(SCORE), "CAUSAL_LM"),
]


def write_headless(root: Path, task: str | None = None) -> None:
    """P2: an adapter of a classifier whose head was never saved."""
    WORDS.write(root)
    write_base(root, "P2")
    c.write_json(root / "adapter_config.json", lora_config(base_of(root), task))
    c.save(root, lora("P2"), "adapter_model.safetensors")


# ---------------------------------------------------------------- bare weight files

END = "<|endoftext|>"
GPTJ_WORDS = c.Words(template=None, bos=END, eos=END, pad=None)
GPTJ = {
    "model_type": "gptj",
    "vocab_size": GPTJ_WORDS.size(),
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "rotary_dim": 4,
    "n_positions": 512,
    "bos_token_id": 6,
    "eos_token_id": 6,
}
PLAIN_HEAD = c.last_linear("v_head.weight")


def first_end(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
    """Value at the first end-of-text token."""
    return float((tensors["v_head.weight"] @ states[ids.index(6)])[0])


def write_config(folder: Path, config: Mapping[str, Any], words: c.Words) -> None:
    words.write(folder)
    c.write_json(folder / "config.json", config)


def _bare(
    id: str,
    format: str,
    config: Mapping[str, Any],
    words: c.Words,
    ids: Callable[[Path, c.Talk], list[int]],
    read: c.Read,
    file: str,
    *,
    prefix: str = "transformer.",
    more: Callable[[c.Tensors], c.Tensors] = lambda body: {},
    beside: bool = False,
    width: int = 16,
    written: Mapping[str, Any] | None = None,
    template: str | None = None,
) -> c.Row:
    """Weights without a config of their own, unless `beside`; else it lies in a folder next to them."""

    def where(root: Path) -> Path:
        return root if beside else base_of(root)

    def write(root: Path) -> None:
        write_config(where(root), {**config, **(written or {})}, words)
        if template:
            root.with_name(f"{root.name}.jinja").write_text(template, encoding="utf-8")
        body = c.state(c.base(config, id), prefix)
        c.save(root, body | more(body) | {"v_head.weight": c.normal(id, 1, width)}, file)

    def expected(root: Path, conversation: c.Talk) -> float:
        model, tensors = c.loaded(root, config, prefix)
        tokens = ids(where(root), conversation)
        return read(c.hidden(model, tokens), tokens, tensors)

    elsewhere = {} if beside else {"base_config": "{root}-base"}
    options = {"allow_pickle": True, **elsewhere, **({"template": "{root}.jinja"} if template else {})}
    return c.Row(id, format, write, expected, head=("v_head.weight",), options=options, talks=c.single)


def gptj_ids(folder: Path, conversation: c.Talk) -> list[int]:
    """The raw text of a dialogue as the training data have it, and the end-of-text token."""
    question, answer = (turn["content"] for turn in conversation)
    return c.encode(folder, f"\n\nHuman: {question}\n\nAssistant: {answer}{END}")


GIVEN = "{% for m in messages %}({{ m['content'] }}){% endfor %}" + END


def given_ids(folder: Path, conversation: c.Talk) -> list[int]:
    """The user's own template, which ends the text; whatever follows the first end-of-text token changes nothing."""
    return c.encode(folder, c.render(folder, conversation, template=GIVEN))


def old_buffers(body: c.Tensors) -> c.Tensors:
    made: c.Tensors = {}
    for layer in range(2):
        made[f"transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 8, 8, dtype=torch.bool).tril()
        made[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e9)
    return made


DS_WORDS = c.Words(template=None, bos="</s>", eos="</s>", pad="<pad>", adds=("</s> $A",))
PADDED = (DS_WORDS.size() + 7) // 8 * 8
OPT = {
    "model_type": "opt",
    "architectures": ["OPTForCausalLM"],
    "vocab_size": PADDED,
    "hidden_size": 16,
    "ffn_dim": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "word_embed_proj_dim": 16,
    "max_position_embeddings": 512,
    "bos_token_id": 2,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "prefix": "</s>",
}
NARROW = {**OPT, "word_embed_proj_dim": 8}
DS_LLAMA_WORDS = c.Words(template=None, bos="<s>", eos="</s>", pad="<pad>", adds=("<s> $A",))
DS_LLAMA = c.llama(DS_LLAMA_WORDS, vocab_size=(DS_LLAMA_WORDS.size() + 7) // 8 * 8)


def deepspeed_ids(folder: Path, conversation: c.Talk) -> list[int]:
    question, answer = (turn["content"] for turn in conversation)
    return c.encode(folder, f" Human: {question} Assistant: {answer}{END}")


STARLING_WORDS = c.Words(template=None, pad=None, adds=("<s> $A",), special=c.LLAMA2_SPECIAL)
STARLING = c.llama(STARLING_WORDS, pad_token_id=None)
YI_WORDS = c.Words(
    template=c.CHATML.replace(" + '\\n' }}{% endfor %}", " }}{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}"),
    bos="<s>",
    eos="<|im_end|>",
    pad="<unk>",
    special=c.LLAMA2_SPECIAL,
)
YI = c.llama(YI_WORDS, pad_token_id=0)


def starling_ids(folder: Path, conversation: c.Talk) -> list[int]:
    question, answer = (turn["content"] for turn in conversation)
    return c.as_text(folder, f"<s>[INST] {question} </s> [/INST] {answer}</s>")


def both_copies(body: c.Tensors) -> c.Tensors:
    """The class behind the published file holds its language model twice, under two names."""
    twin = {key.replace("transformer.", "model.model."): value for key, value in body.items()}
    return twin | {"model.lm_head.weight": c.normal("lm", STARLING_WORDS.size(), 16)} | inv_freq("transformer.")


BARE = [
    _bare("X1", "trlx", GPTJ, GPTJ_WORDS, given_ids, first_end, "weights.pt", more=old_buffers, template=GIVEN),
    _bare("X1-dialogue", "trlx", GPTJ, GPTJ_WORDS, gptj_ids, first_end, "model.bin"),
    _bare(
        "X2",
        "deepspeed-chat",
        OPT,
        DS_WORDS,
        deepspeed_ids,
        PLAIN_HEAD,
        "pytorch_model.bin",
        prefix="rwtransformer.",
        beside=True,
    ),
    _bare(
        "X2-word_embed_proj_dim",
        "deepspeed-chat",
        NARROW,
        DS_WORDS,
        deepspeed_ids,
        PLAIN_HEAD,
        "pytorch_model.bin",
        prefix="rwtransformer.",
        beside=True,
        width=8,
    ),
    _bare(
        "X2-llama",
        "deepspeed-chat",
        DS_LLAMA,
        DS_LLAMA_WORDS,
        deepspeed_ids,
        PLAIN_HEAD,
        "pytorch_model.bin",
        prefix="rwtransformer.",
        beside=True,
        more=lambda body: inv_freq("rwtransformer."),
    ),
    # The config is the base model's own, and says fewer words than the padded embedding has.
    _bare(
        "X2-vocabulary",
        "deepspeed-chat",
        DS_LLAMA,
        DS_LLAMA_WORDS,
        deepspeed_ids,
        PLAIN_HEAD,
        "pytorch_model.bin",
        prefix="rwtransformer.",
        beside=True,
        written={"vocab_size": DS_LLAMA_WORDS.size()},
    ),
    _bare("X3", "starling", STARLING, STARLING_WORDS, starling_ids, PLAIN_HEAD, "rm_model.bin"),
    _bare("X3-both-names", "starling", STARLING, STARLING_WORDS, starling_ids, PLAIN_HEAD, "r.pt", more=both_copies),
    _bare("X4", "starling", YI, YI_WORDS, c.chat, PLAIN_HEAD, "pytorch_model.bin", beside=True),
]

ROWS = [*OPENRLHF, *FACTORY, *TRL, *ADAPTERS, *BARE]
__all__ = ["ROWS", "rightmost"]
