"""B1 to A5 and L1: heads that one project invented, each under its own architecture name."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from tests.models.rows import common as c
from tests.models.rows.classifiers import PICKLED
from tests.models.rows.values import inv_freq

LLAMA2 = c.Words(template=None, adds=("<s> $A",), special=c.LLAMA2_SPECIAL, pad="<unk>")


def _texts(form: str) -> Callable[[Path, c.Talk], list[int]]:
    def ids(root: Path, conversation: c.Talk) -> list[int]:
        question, answer = (turn["content"] for turn in conversation)
        return c.encode(root, form.format(q=question, a=answer))

    return ids


# ---------------------------------------------------------------- Beaver


def _beaver(id: str, kind: str, normalise: bool, bias: bool = False, template: str | None = None) -> c.Row:
    words = replace(LLAMA2, template=template)
    mean, variance = 1.25, 6.25
    head = {"score_head.weight": c.normal(id, 1, 16)} | ({"score_head.bias": torch.tensor([0.75])} if bias else {})
    buffers = {
        "normalizer.mean": torch.tensor([mean]),
        "normalizer.var": torch.tensor([variance]),
        "normalizer.count": torch.tensor([1000]),
    }

    def read(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
        score = float((head["score_head.weight"] @ states[-1])[0]) + (0.75 if bias else 0.0)
        deviation = variance**0.5 + 1e-8
        if kind == "cost":
            return -(score / deviation if normalise else score)
        return (score - mean) / deviation if normalise else score

    entries: dict[str, Any] = {
        "score_dim": 1,
        "score_type": kind,
        "bias": bias,
        "do_normalize": normalise,
        "momentum": None,
        "normalizer_type": "RunningMeanStd" if kind == "reward" else "RMS",
        "mean": [mean],
        "var": [variance],
    }
    return c.decoder(
        id,
        f"beaver-{kind}",
        c.llama(LLAMA2),
        head,
        read,
        words=words,
        arch="LlamaForScore",
        entries=entries,
        more=buffers | inv_freq("model."),
        ids=_texts("BEGINNING OF CONVERSATION: USER: {q} ASSISTANT:{a}"),
        talks=c.single,
    )


BEAVER = [
    _beaver("B1", "reward", normalise=False),
    _beaver("B1-normalised", "reward", normalise=True),
    _beaver("B1-bias", "reward", normalise=False, bias=True),
    # The text is the model's own, whatever chat template its tokenizer has.
    _beaver("B1-chat-template", "reward", normalise=False, template=c.PLAIN),
    _beaver("B2", "cost", normalise=False),
    _beaver("B2-normalised", "cost", normalise=True),
]


# ---------------------------------------------------------------- UltraRM and Eurus


def _two_bins(root: Path, tensors: c.Tensors) -> None:
    c.save_shards(root, tensors, 2, "bin")


REGRESSION = c.last_linear("regression_head.weight")
ULTRA = [
    c.decoder(
        "U1",
        "ultrarm",
        c.llama(LLAMA2),
        {"regression_head.weight": c.normal("U1", 1, 16)},
        REGRESSION,
        words=LLAMA2,
        arch="LlamaRewardModel",
        more=inv_freq("model."),
        store=_two_bins,
        options=PICKLED,
        ids=_texts("Human: {q}\n\nAssistant: {a}"),
        talks=c.single,
    ),
    c.decoder(
        "U2",
        "eurus",
        c.llama(LLAMA2, model_type="mistral", sliding_window=4096),
        {"regression_head.weight": c.normal("U2", 1, 16)},
        REGRESSION,
        words=LLAMA2,
        arch="EurusRewardModel",
        entries={"auto_map": {"AutoModel": "modeling_eurus_rm.EurusRewardModel"}},
        ids=_texts("[INST] {q} [/INST] {a}"),
        talks=c.single,
    ),
]


# ---------------------------------------------------------------- InternLM2

INTERN = c.Words(template="{{ bos_token }}" + c.CHATML, adds=("<s> $A",), eos="</s>", pad="</s>")
GROUPS, KV, WIDTH = 2, 2, 4
INTERN_LLAMA = c.llama(INTERN, num_attention_heads=GROUPS * KV, num_key_value_heads=KV, rope_theta=1000000.0)
REWARD_TOKEN = INTERN.vocabulary()["[UNUSED_TOKEN_130]"]


def _intern_names(plain: c.Tensors) -> c.Tensors:
    """Llama's tensors under InternLM2's names: query, key and value lie in one, head group by head group."""
    made: c.Tensors = {}
    for layer in range(2):
        old, new = f"layers.{layer}.", f"model.layers.{layer}."
        q, k, v = (plain[f"{old}self_attn.{name}_proj.weight"] for name in "qkv")
        blocks = []
        for group in range(KV):
            rows = slice(group * GROUPS * WIDTH, (group + 1) * GROUPS * WIDTH)
            one = slice(group * WIDTH, (group + 1) * WIDTH)
            blocks += [q[rows], k[one], v[one]]
        made[f"{new}attention.wqkv.weight"] = torch.cat(blocks)
        for theirs, ours in (
            ("attention.wo", "self_attn.o_proj"),
            ("feed_forward.w1", "mlp.gate_proj"),
            ("feed_forward.w3", "mlp.up_proj"),
            ("feed_forward.w2", "mlp.down_proj"),
            ("attention_norm", "input_layernorm"),
            ("ffn_norm", "post_attention_layernorm"),
        ):
            made[f"{new}{theirs}.weight"] = plain[f"{old}{ours}.weight"]
    return made | {
        "model.tok_embeddings.weight": plain["embed_tokens.weight"],
        "model.norm.weight": plain["norm.weight"],
    }


def _write_intern(root: Path) -> None:
    INTERN.write(root)
    fresh = ("architectures", "model_type", "hidden_act", "tie_word_embeddings")
    sizes = {key: value for key, value in INTERN_LLAMA.items() if key not in fresh}
    names = ("AutoConfig", "configuration_internlm2.InternLM2Config"), ("AutoModel", "m.InternLM2ForRewardModel")
    c.write_json(
        root / "config.json",
        {
            "architectures": ["InternLM2ForRewardModel"],
            "auto_map": dict(names),
            "model_type": "internlm2",
            "bias": False,
            "hidden_act": "silu",
            "attn_implementation": "eager",
            "initializer_range": 0.02,
            "rope_scaling": {"factor": 1.0, "type": "dynamic"},
            "reward_token_id": REWARD_TOKEN,
            **sizes,
        },
    )
    head = {"v_head.weight": c.normal("I1", 1, 16)}
    c.save(root, _intern_names(c.state(c.base(INTERN_LLAMA, "I1"))) | head)


def _intern_reward(root: Path, conversation: c.Talk) -> float:
    body = c.base(INTERN_LLAMA, "I1")
    ids = c.chat(root, conversation)
    if ids[-1] != REWARD_TOKEN:
        ids = [*ids, REWARD_TOKEN]
    return float((c.weights(root)["v_head.weight"] @ c.hidden(body, ids)[-1])[0])


INTERNLM2 = [c.Row("I1", "internlm2", _write_intern, _intern_reward, head=("v_head.weight",), talks=c.several)]


# ---------------------------------------------------------------- two-layer heads

QWEN = c.QWEN
LLAMA3 = c.Words(template=c.LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>", adds=("<|begin_of_text|> $A",))


def two_layers(id: str, out: int) -> c.Tensors:
    return {
        "score.0.weight": c.normal(f"{id}0", 16, 16),
        "score.0.bias": c.normal(f"{id}0b", 16),
        "score.2.weight": c.normal(f"{id}2", out, 16),
        "score.2.bias": c.normal(f"{id}2b", out),
    }


def through_two(states: torch.Tensor, tensors: c.Tensors) -> torch.Tensor:
    inner = torch.relu(states @ tensors["score.0.weight"].T + tensors["score.0.bias"])
    return inner @ tensors["score.2.weight"].T + tensors["score.2.bias"]


def _mlp(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
    return float(through_two(states, tensors)[-1, 0])


MLPS = [
    c.decoder(
        "Q1",
        "qwen2-rm",
        c.llama(QWEN, model_type="qwen2"),
        two_layers("Q1", 1),
        _mlp,
        words=QWEN,
        arch="Qwen2ForRewardModel",
        entries={"auto_map": {"AutoModel": "modeling_qwen2_rm.Qwen2ForRewardModel"}, "num_labels": 1},
        store=c.save_shards,
    ),
    c.decoder(
        "N1",
        "inf-orm",
        c.llama(LLAMA3, pad_token_id=None),
        two_layers("N1", 1),
        _mlp,
        words=LLAMA3,
        arch="INFORMForSequenceClassification",
        entries=c.ONE_LABEL,
    ),
]


# ---------------------------------------------------------------- gated objectives

# Llama-3's own ids, which the published code has as numbers; and a small vocabulary where the same tokens have others.
REAL_IDS = (
    ("<|begin_of_text|>", 128000),
    ("<|start_header_id|>", 128006),
    ("<|end_header_id|>", 128007),
    ("<|eot_id|>", 128009),
    ("assistant", 78191),
    ("\n\n", 271),
)
GATE_WORDS = c.Words(
    template=c.LLAMA3,
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
    pad="<pad>",
    adds=("<|begin_of_text|> $A",),
    words=("assistant", "\n\n"),
    ids=REAL_IDS,
)
SMALL_GATE_WORDS = replace(GATE_WORDS, ids=())
PATTERN = ("<|eot_id|>", "<|start_header_id|>", "assistant", "<|end_header_id|>", "\n\n")
OBJECTIVES, GATE_WIDTH = 5, 12
GATED = {"num_objectives": OBJECTIVES, "gating_temperature": 10, "gating_hidden_dim": GATE_WIDTH, "gating_n_hidden": 3}


def _prompt_end(words: c.Words) -> Callable[[list[int]], int]:
    vocab = words.vocabulary()
    pattern = [vocab[token] for token in PATTERN]

    def find(ids: list[int]) -> int:
        return max(i for i in range(len(ids)) if ids[i : i + len(pattern)] == pattern)

    return find


def _transform(id: str) -> torch.Tensor:
    return torch.eye(OBJECTIVES) + 0.2 * c.normal(f"{id}T", OBJECTIVES, OBJECTIVES)


def armo_head(id: str) -> c.Tensors:
    widths = [16, GATE_WIDTH, GATE_WIDTH, GATE_WIDTH, OBJECTIVES]
    head = {"regression_layer.weight": c.normal(id, OBJECTIVES, 16)}
    for layer, (before, after) in enumerate(itertools.pairwise(widths)):
        # Values large enough that the temperature of 10 leaves an uneven gate.
        head[f"gating.layers.{layer}.weight"] = c.normal(f"{id}{layer}", after, before, std=1.0)
        head[f"gating.layers.{layer}.bias"] = c.normal(f"{id}{layer}b", after)
    return head | {"gating.logit_scale": torch.tensor([1.5]), "reward_transform_matrix": _transform(id)}


def _armo(words: c.Words) -> c.Read:
    where = _prompt_end(words)

    def read(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
        gate = states[where(ids)]
        for layer in range(4):
            gate = tensors[f"gating.layers.{layer}.weight"] @ gate + tensors[f"gating.layers.{layer}.bias"]
            gate = torch.relu(gate) if layer < 3 else gate
        gate = torch.softmax(gate / 10, 0) * tensors["gating.logit_scale"]
        rewards = tensors["regression_layer.weight"] @ states[-1]
        return float((gate * (rewards @ tensors["reward_transform_matrix"])).sum())

    return read


QUANTILES = 3


def _qrm_head(id: str) -> c.Tensors:
    head = {"regression_layer.weight": c.normal(id, OBJECTIVES * QUANTILES, 16)}
    for step, before in ((0, 16), (3, GATE_WIDTH), (6, GATE_WIDTH)):
        head[f"gating.layers.{step}.weight"] = c.normal(f"{id}{step}", GATE_WIDTH, before, std=1.0)
        norm = f"gating.layers.{step + 2}."
        head[f"{norm}weight"] = 1 + c.normal(f"{id}{step}g", GATE_WIDTH, std=0.2)
        head[f"{norm}bias"] = c.normal(f"{id}{step}c", GATE_WIDTH, std=0.2)
        head[f"{norm}running_mean"] = c.normal(f"{id}{step}m", GATE_WIDTH).abs()
        head[f"{norm}running_var"] = 0.5 + c.normal(f"{id}{step}v", GATE_WIDTH).abs()
    head["gating.layers.9.weight"] = c.normal(f"{id}9", OBJECTIVES, GATE_WIDTH, std=2.0)
    head["gating.layers.9.bias"] = c.normal(f"{id}9b", OBJECTIVES)
    return head | {"gating.logit_scale": torch.tensor([1.5]), "reward_transform_matrix": _transform(id)}


def _qrm(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
    gate = states[_prompt_end(GATE_WORDS)(ids)]
    for step in (0, 3, 6):
        gate = torch.relu(tensors[f"gating.layers.{step}.weight"] @ gate)
        weight, bias, mean, variance = (
            tensors[f"gating.layers.{step + 2}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        gate = (gate - mean) / torch.sqrt(variance + 1e-5) * weight + bias
    gate = tensors["gating.layers.9.weight"] @ gate + tensors["gating.layers.9.bias"]
    gate = torch.softmax(gate / 10, 0) * tensors["gating.logit_scale"]
    rewards = (tensors["regression_layer.weight"] @ states[-1]).view(OBJECTIVES, QUANTILES).mean(1)
    return float((gate * (rewards @ tensors["reward_transform_matrix"])).sum())


COUNTS = {f"gating.layers.{step}.num_batches_tracked": torch.tensor(10) for step in (2, 5, 8)}
ATTRIBUTES = {"id2label": {str(i): f"attribute {i}" for i in range(OBJECTIVES)}}
GATES = [
    c.decoder(
        id,
        "armorm",
        c.llama(words),
        armo_head(id),
        _armo(words),
        words=words,
        arch="LlamaForRewardModelWithGating",
        entries={
            **GATED,
            **ATTRIBUTES,
            "auto_map": {"AutoModelForSequenceClassification": "m.LlamaForRewardModelWithGating"},
        },
    )
    for id, words in (("A1", GATE_WORDS), ("A1-small-vocabulary", SMALL_GATE_WORDS))
] + [
    c.decoder(
        "A2",
        "qrm",
        c.llama(GATE_WORDS),
        _qrm_head("A2"),
        _qrm,
        words=GATE_WORDS,
        arch="LlamaForRewardModelWithGating31",
        entries={
            **GATED,
            **ATTRIBUTES,
            "num_quantiles": QUANTILES,
            "auto_map": {"AutoModel": "m.LlamaForRewardModelWithGating31"},
        },
        more=COUNTS,
    )
]


# ---------------------------------------------------------------- URM, GRM, LDL

K = 3


def _urm_head(id: str) -> c.Tensors:
    head = {"score.weight": c.normal(id, 2 * K, 16, std=0.15)}
    for layer, out in ((0, 16), (2, 16), (4, K)):
        head[f"weights.fc.{layer}.weight"] = c.normal(f"{id}{layer}", out, 16).half()
        head[f"weights.fc.{layer}.bias"] = c.normal(f"{id}{layer}b", out).half()
    return head


def _urm(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
    factors = states[-1]
    for layer in (0, 2, 4):
        factors = tensors[f"weights.fc.{layer}.weight"].float() @ factors + tensors[f"weights.fc.{layer}.bias"].float()
        factors = F.selu(factors) if layer < 4 else factors
    means = (tensors["score.weight"] @ states[-1]).view(K, 2)[:, 0]
    return float((means * factors).sum())


URM = [
    c.decoder(
        "A3",
        "urm",
        c.llama(LLAMA3),
        _urm_head("A3"),
        _urm,
        words=LLAMA3,
        arch="LlamaForSequenceClassificationWithNormal_Weights",
        entries={"id2label": {str(i): f"LABEL_{i}" for i in range(2 * K)}},
    )
]
NEURONS = 24


def _grm_mlp(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
    inner = torch.relu(tensors["v_head.summary.0.weight"] @ states[-1] + tensors["v_head.summary.0.bias"])
    return float((tensors["v_head.summary.2.weight"] @ inner + tensors["v_head.summary.2.bias"])[0])


def _grm(id: str, head: c.Tensors, read: c.Read, kind: str) -> c.Row:
    words = c.Words(template=c.LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>")
    return c.decoder(
        id,
        "grm",
        c.llama(words),
        head,
        read,
        words=words,
        arch="GRewardModel",
        entries={"vhead_layer_type": kind, "vhead_num_neurons": NEURONS, "vhead_num_layers": 1}
        | {"auto_map": {"AutoModelForSequenceClassification": "modeling_grm.GRewardModel"}},
        more={"lm_head.weight": c.normal("lm", words.size(), 16)},
    )


GRM_MLP = {
    "v_head.summary.0.weight": c.normal("A4", NEURONS, 16),
    "v_head.summary.0.bias": c.normal("A4b", NEURONS),
    "v_head.summary.2.weight": c.normal("A4c", 1, NEURONS),
    "v_head.summary.2.bias": c.normal("A4d", 1),
}
GRM_LINEAR = {"v_head.summary.weight": c.normal("A4e", 1, 16), "v_head.summary.bias": c.normal("A4f", 1)}
GRM = [
    _grm("A4", GRM_MLP, _grm_mlp, "mlp"),
    _grm("A4-linear", GRM_LINEAR, c.last_linear("v_head.summary.weight", "v_head.summary.bias"), "linear"),
]

GEMMA_WORDS = c.Words(template="{{ bos_token }}" + c.CHATML, adds=("<s> $A",))
GEMMA = c.llama(
    GEMMA_WORDS,
    model_type="gemma2",
    head_dim=8,
    query_pre_attn_scalar=8,
    sliding_window=16,
    hidden_act="gelu_pytorch_tanh",
    attn_logit_softcapping=1.0,
)
DIMENSIONS, BINS, INNER = 4, 10, 12


def _network(id: str, steps: tuple[int, ...], out: int) -> c.Tensors:
    widths = [16, INNER, INNER, out]
    made: c.Tensors = {}
    for step, before, after in zip(steps, widths, widths[1:], strict=False):
        made[f"network.{step}.weight"] = c.normal(f"{id}{step}", after, before)
        made[f"network.{step}.bias"] = c.normal(f"{id}{step}b", after)
    return made


def _apply(network: c.Tensors, steps: tuple[int, ...], value: torch.Tensor) -> torch.Tensor:
    for step in steps:
        value = network[f"network.{step}.weight"] @ value + network[f"network.{step}.bias"]
        value = F.leaky_relu(value) if step != steps[-1] else value
    return value


def _ldl(id: str, softmax: bool | None) -> c.Row:
    def write(root: Path) -> None:
        GEMMA_WORDS.write(root)
        entries = {"softmax": True, "temperature": 2.0} if softmax else {}
        sizes = {"num_objectives": DIMENSIONS * BINS}
        c.write_json(root / "config.json", {**GEMMA, "architectures": ["Gemma2Model"], **sizes, **entries})
        c.save_shards(root, c.state(c.base(GEMMA, id)))
        c.save(root, _network(f"{id}r", (0, 2, 4), DIMENSIONS * BINS), "regression_layer.pt")
        c.save(root, _network(f"{id}g", (0, 3, 6), DIMENSIONS), "gating_layer.pt")

    def expected(root: Path, conversation: c.Talk) -> float:
        last = c.hidden(c.base(GEMMA, id), c.chat(root, conversation))[-1]
        found = _apply(c.read_weights(root / "regression_layer.pt"), (0, 2, 4), last).view(DIMENSIONS, BINS)
        gate = _apply(c.read_weights(root / "gating_layer.pt"), (0, 3, 6), last)
        gate = torch.softmax(gate / 2.0, 0) if softmax else gate
        return float((gate @ torch.softmax(found, -1)) @ torch.linspace(0, 1, BINS))

    # The names of the inner layers are the same in both files but for the first, so each is looked for on its own.
    head = ("network.2.weight", "network.4.bias", "network.3.weight", "network.6.bias")
    return c.Row(id, "ldl", write, expected, head=head, options=PICKLED, talks=c.several)


LDL = [_ldl("A5", None), _ldl("A5-softmax", True)]


# ---------------------------------------------------------------- Open Assistant

OASST_WORDS = c.Words(template=None, bos="<|endoftext|>", eos="<|endoftext|>", pad="<pad>")


def _oasst_ids(root: Path, conversation: c.Talk) -> list[int]:
    marks = {"user": "<|prompter|>", "assistant": "<|assistant|>"}
    text = "".join(f"{marks[turn['role']]}{turn['content']}<|endoftext|>" for turn in conversation)
    return c.encode(root, text)


def _oasst(id: str, pooling: str) -> c.Row:
    config = {
        "model_type": "gpt_neox",
        "vocab_size": OASST_WORDS.size(),
        **c.token_ids(OASST_WORDS),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "rotary_pct": 0.5,
        "rotary_emb_base": 10000,
        "use_parallel_residual": True,
        "max_position_embeddings": 512,
    }

    def read(states: torch.Tensor, ids: list[int], tensors: c.Tensors) -> float:
        pooled = states.mean(0) if pooling == "mean" else states[-1]
        return float((tensors["out_proj.weight"] @ pooled + tensors["out_proj.bias"])[0])

    buffers: c.Tensors = {}
    for layer in range(2):
        place = f"gpt_neox.layers.{layer}.attention."
        buffers[f"{place}bias"] = torch.ones(1, 1, 8, 8, dtype=torch.bool).tril()
        buffers[f"{place}masked_bias"] = torch.tensor(-1e9)
        buffers[f"{place}rotary_emb.inv_freq"] = torch.rand(2)
    return c.decoder(
        id,
        "oasst-pythia",
        config,
        {"out_proj.weight": c.normal(id, 1, 16), "out_proj.bias": torch.tensor([0.5])},
        read,
        words=OASST_WORDS,
        prefix="gpt_neox.",
        arch="GPTNeoXRewardModel",
        entries={"model_type": "gpt_neox_reward_model", "pooling": pooling},
        more=buffers,
        ids=_oasst_ids,
        talks=c.single,
    )


OASST = [_oasst("L1-last", "last"), _oasst("L1-mean", "mean")]

ROWS = [*BEAVER, *ULTRA, *INTERNLM2, *MLPS, *GATES, *URM, *GRM, *LDL, *OASST]
