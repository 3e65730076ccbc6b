"""S1 to S5: sequence and token classifiers of the library."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from tests.models.rows import common as c

WORDS = c.Words()
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def _decoder(model_type: str, **more: Any) -> dict[str, Any]:
    return {"model_type": model_type, "vocab_size": WORDS.size(), **c.token_ids(WORDS), **more}


DECODERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("LlamaForSequenceClassification", "model.", c.llama(WORDS)),
    "qwen2": ("Qwen2ForSequenceClassification", "model.", c.llama(WORDS, model_type="qwen2")),
    "qwen3": ("Qwen3ForSequenceClassification", "model.", c.llama(WORDS, model_type="qwen3", head_dim=8)),
    "mistral": (
        "MistralForSequenceClassification",
        "model.",
        c.llama(WORDS, model_type="mistral", sliding_window=None),
    ),
    "gemma2": (
        "Gemma2ForSequenceClassification",
        "model.",
        c.llama(
            WORDS,
            model_type="gemma2",
            head_dim=8,
            query_pre_attn_scalar=8,
            sliding_window=16,
            hidden_act="gelu_pytorch_tanh",
            attn_logit_softcapping=1.0,  # so low that an attention kernel that leaves it out is seen
        ),
    ),
    "gpt2": ("GPT2ForSequenceClassification", "transformer.", _decoder("gpt2", n_embd=16, n_layer=2, n_head=2)),
    "bloom": ("BloomForSequenceClassification", "transformer.", _decoder("bloom", hidden_size=16, n_layer=2, n_head=2)),
    "falcon": ("FalconForSequenceClassification", "transformer.", _decoder("falcon", **SMALL)),
    "gpt_neox": ("GPTNeoXForSequenceClassification", "gpt_neox.", _decoder("gpt_neox", **SMALL)),
    "opt": (
        "OPTForSequenceClassification",
        "model.",
        _decoder("opt", ffn_dim=32, word_embed_proj_dim=8, max_position_embeddings=512, **SMALL),
    ),
}


def rightmost(config: dict[str, Any], row: int = 0) -> c.Read:
    """Logit `row` at the rightmost token that is not the padding token."""

    def read(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
        pad = config.get("pad_token_id")
        at = max(i for i, token in enumerate(ids) if token != pad)
        return float(tensors["score.weight"][row].float() @ states[at])

    return read


def _width(config: dict[str, Any]) -> int:
    return int(config.get("word_embed_proj_dim", 16))


def _plain(
    id: str,
    kind: str = "llama",
    *,
    words: c.Words = WORDS,
    store: Callable[[Path, c.Tensors], None] = c.save,
    options: dict[str, Any] | None = None,
    **more: Any,
) -> c.Row:
    arch, prefix, config = DECODERS[kind]
    config = {**config, **c.token_ids(words), "vocab_size": words.size(), **more}
    return c.decoder(
        id,
        "seqcls",
        config,
        {"score.weight": c.normal(id, 1, _width(config))},
        rightmost(config),
        words=words,
        prefix=prefix,
        arch=arch,
        entries=c.ONE_LABEL,
        store=store,
        options=options,
    )


def _bin(root: Path, tensors: c.Tensors) -> None:
    c.save(root, tensors, "pytorch_model.bin")


def _half(root: Path, tensors: c.Tensors) -> None:
    c.save(root, {key: value.bfloat16() for key, value in tensors.items()})


def _bin_shards(root: Path, tensors: c.Tensors) -> None:
    c.save_shards(root, tensors, 3, "bin")


PICKLED = {"allow_pickle": True}
LLAMA3 = c.Words(template=c.LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>", adds=("<|begin_of_text|> $A",))
# A template without the begin-of-text token, where the tokenizer writes it (Skywork-Reward v0.1).
SKYWORK = c.Words(template=c.CHATML, bos="<s>", eos="<|im_end|>", adds=("<s> $A",))

SCALARS = [
    *(_plain(f"S1-{kind}", kind, words=c.QWEN if kind == "qwen2" else WORDS) for kind in DECODERS),
    # The tokenizer is the one in the files, whatever the library thinks that a Qwen2 model should have.
    _plain("S1-qwen2-words", "qwen2"),
    _plain("S1-sharded", store=c.save_shards),
    _plain("S1-bin", store=_bin, options=PICKLED),
    _plain("S1-bin-sharded", store=_bin_shards, options=PICKLED),
    _plain("S1-bfloat16-weights", store=_half, torch_dtype="bfloat16"),
    _plain("S1-llama3-bos-twice", words=LLAMA3),
    _plain("S1-bos-by-tokenizer", words=SKYWORK),
    _plain("S1-no-pad", words=c.Words(pad=None)),
    # With pad == eos the rightmost token other than the padding token is the one before the end-of-text token.
    _plain("S1-pad-is-eos", words=c.Words(pad="</s>")),
]


# ---------------------------------------------------------------- encoders

ENCODERS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "bert": (
        "BertForSequenceClassification",
        {**SMALL, "type_vocab_size": 2},
        ("bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"),
    ),
    "roberta": (
        "RobertaForSequenceClassification",
        {**SMALL, "type_vocab_size": 1},
        ("classifier.dense.weight", "classifier.dense.bias", "classifier.out_proj.weight", "classifier.out_proj.bias"),
    ),
    "xlm-roberta": (
        "XLMRobertaForSequenceClassification",
        {**SMALL, "type_vocab_size": 1},
        ("classifier.dense.weight", "classifier.dense.bias", "classifier.out_proj.weight", "classifier.out_proj.bias"),
    ),
    "distilbert": (
        "DistilBertForSequenceClassification",
        {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2},
        ("pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias"),
    ),
    "deberta-v2": (
        "DebertaV2ForSequenceClassification",
        {
            **SMALL,
            "type_vocab_size": 0,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 8,
        }
        | {"norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False},
        ("pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias"),
    ),
    "modernbert": (
        "ModernBertForSequenceClassification",
        {**SMALL, "local_attention": 16, "cls_token_id": 4, "sep_token_id": 5, "bos_token_id": 4, "eos_token_id": 5},
        ("head.dense.weight", "head.norm.weight", "classifier.weight", "classifier.bias"),
    ),
    "t5": (
        "T5ForSequenceClassification",
        {"d_model": 16, "d_ff": 32, "d_kv": 8, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0},
        (
            "classification_head.dense.weight",
            "classification_head.dense.bias",
            "classification_head.out_proj.weight",
            "classification_head.out_proj.bias",
        ),
    ),
}
SIDES = ("encoder", "decoder")
TURNS = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"


def _encoder_words(kind: str, template: str | None) -> c.Words:
    if kind == "t5":
        return c.Words(template, bos=None, adds=("$A </s>", "$A </s> $B </s>"))
    return c.Words(template, bos=None, eos=None, adds=c.SEGMENTS, classes=kind in ("bert", "deberta-v2"))


def _encoder_model(kind: str, words: c.Words, name: str = "") -> Any:
    made = AutoModelForSequenceClassification.from_config(
        c.library_config(_encoder_config(kind, words)), dtype=torch.float32, attn_implementation="eager"
    )
    return c.shake(made, name)


def _encoder_config(kind: str, words: c.Words) -> dict[str, Any]:
    arch, sizes, _ = ENCODERS[kind]
    config = {"architectures": [arch], "model_type": kind, "vocab_size": words.size(), "max_position_embeddings": 514}
    return {**config, **c.ONE_LABEL, **{k: v for k, v in c.token_ids(words).items() if v is not None}, **sizes}


@lru_cache(maxsize=2)
def _encoder_loaded(root: Path, kind: str, words: c.Words) -> Any:
    tensors = c.weights(root)
    shared = tensors.get("transformer.shared.weight")
    tied = {} if shared is None else {f"transformer.{side}.embed_tokens.weight": shared for side in SIDES}
    return c.filled(_encoder_model(kind, words), tied | tensors)


def _encoder(kind: str, pair: bool) -> c.Row:
    words = _encoder_words(kind, None if pair else TURNS)
    id = f"S1e-{kind}" if pair else f"S1-{kind}"

    def write(root: Path) -> None:
        words.write(root)
        c.write_json(root / "config.json", _encoder_config(kind, words))
        tensors = c.state(_encoder_model(kind, words, id))
        c.save(root, {key: value for key, value in tensors.items() if not key.endswith("coder.embed_tokens.weight")})

    def expected(root: Path, conversation: c.Talk) -> float:
        model = _encoder_loaded(root, kind, words)
        if pair:
            found = c.tokenizer(root).encode(conversation[0]["content"], conversation[1]["content"])
        else:
            found = c.tokenizer(root).encode(c.render(root, conversation))
        classes = {"token_type_ids": torch.tensor([found.type_ids])} if words.classes else {}
        with torch.no_grad():
            return float(model(input_ids=torch.tensor([found.ids]), **classes).logits[0, 0])

    format = "seqcls-pair" if pair else "seqcls"
    talks = c.single if pair else c.several
    return c.Row(id, format, write, expected, head=ENCODERS[kind][2], talks=talks)


ENCODED = [
    *(_encoder(kind, pair=False) for kind in ENCODERS),
    *(_encoder(kind, pair=True) for kind in ("deberta-v2", "bert", "roberta", "modernbert")),
]


# ---------------------------------------------------------------- several labels


def _labels(id: str, format: str, names: list[str], read: c.Read, options: dict[str, Any] | None = None) -> c.Row:
    labels = {"id2label": {str(i): n for i, n in enumerate(names)}, "label2id": {n: i for i, n in enumerate(names)}}
    return c.decoder(
        id,
        format,
        c.llama(WORDS),
        {"score.weight": c.normal(id, len(names), 16)},
        read,
        words=WORDS,
        arch="LlamaForSequenceClassification",
        entries=labels,
        options=options,
    )


def _weighted(factors: list[float]) -> c.Read:
    def read(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
        return float(torch.tensor(factors) @ (tensors["score.weight"] @ states[-1]))

    return read


ATTRIBUTES = ["helpfulness", "correctness", "coherence", "verbosity"]
FACTORS = [1.0, 0.5, 0.25, -0.75]
GIVEN = tuple(f"{name}={factor}" for name, factor in zip(ATTRIBUTES, FACTORS, strict=True))
NAMELESS = ["LABEL_0", "LABEL_1"]
# ODIN's own script takes the begin-of-text token out of the text, and the tokenizer writes one again.
ODIN = c.decoder(
    "S3",
    "odin",
    c.llama(LLAMA3),
    {"score.weight": c.normal("S3", 2, 16)},
    _weighted([0.0, 1.0]),
    words=LLAMA3,
    arch="LlamaForSequenceClassification",
    entries={"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}},
    options={"format": "odin"},
)
LABELLED = [
    _labels("S2", "two-label", ["rejected", "chosen"], _weighted([-1.0, 1.0])),
    _labels("S2-reversed", "two-label", ["good", "bad"], _weighted([1.0, -1.0])),
    ODIN,
    _labels("S4", "multi-attribute", ATTRIBUTES, _weighted(FACTORS), {"attributes": GIVEN}),
    _labels("S4-mean", "multi-attribute", ATTRIBUTES, _weighted([0.25] * 4), {"attributes": ("mean",)}),
]
REFUSED = [
    (
        "S2 without names",
        _labels("S2-nameless", "two-label", NAMELESS, _weighted([0.0, 0.0])),
        ("score.weight", "odin"),
    ),
    (
        "S4 without weights",
        _labels("S4-plain", "multi-attribute", ATTRIBUTES, _weighted(FACTORS)),
        ("verbosity", "attribute"),
    ),
]

TOKENS = [
    c.decoder(
        id,
        "token-classification",
        c.llama(WORDS, model_type=kind),
        {"score.weight": c.normal(id, 1, 16), "score.bias": torch.tensor([1.75])},
        c.last_linear("score.weight", "score.bias"),
        words=WORDS,
        arch=arch,
        entries=c.ONE_LABEL,
    )
    for id, kind, arch in (
        ("S5", "llama", "LlamaForTokenClassification"),
        ("S5-qwen3", "qwen3", "Qwen3ForTokenClassification"),
    )
]

ROWS = [*SCALARS, *ENCODED, *LABELLED, *TOKENS]
