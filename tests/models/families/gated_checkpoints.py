"""Tiny gated reward models, and what they say by numpy alone from the hidden states of the bare model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.models.rows import common as c

Array = NDArray[np.float64]
WIDTH, COUNT, INNER, QUANTILES = 16, 5, 12, 3
LLAMA3 = c.Words(
    template=c.LLAMA3,
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
    pad="<pad>",
    adds=("<|begin_of_text|> $A",),
    words=("assistant", "\n\n"),
)
PUBLISHED = replace(
    LLAMA3,
    ids=(
        ("<|eot_id|>", 128009),
        ("<|start_header_id|>", 128006),
        ("assistant", 78191),
        ("<|end_header_id|>", 128007),
        ("\n\n", 271),
    ),
)
"""The vocabulary numbers that the authors' code has."""
GEMMA_TURNS = (
    "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else 'user') + "
    "'\\n' + m['content'] + '<end_of_turn>\\n' }}{% endfor %}"
)
GEMMA = c.Words(template=GEMMA_TURNS, special=(*c.SPECIAL, "<start_of_turn>", "<end_of_turn>"), words=("model",))
TURNS: list[c.Talk] = [*c.SEVERAL, [*c.talk("Is that <assistant>?", "yes"), *c.talk("\n\n", "\n\nassistant")]]
GATED = {"num_objectives": COUNT, "gating_temperature": 4, "gating_hidden_dim": INNER, "gating_n_hidden": 3}


@dataclass(frozen=True)
class Gated:
    """One kind of gated model: its files, and its shares of the reward."""

    format: str
    arch: str
    head: Mapping[str, torch.Tensor]
    shares: Callable[[Array, Array, Mapping[str, Array]], Array]
    """From the states at the answer's and at the gate's position, and the head's tensors."""
    entries: Mapping[str, Any]
    words: c.Words = LLAMA3
    model_type: str = "llama"

    @property
    def config(self) -> dict[str, Any]:
        more = {"head_dim": 8, "query_pre_attn_scalar": 8} if self.model_type == "gemma2" else {}
        return c.llama(self.words, model_type=self.model_type, **more)

    def write(self, root: Path, **entries: Any) -> Path:
        self.words.write(root)
        c.write_json(root / "config.json", {**self.config, "architectures": [self.arch], **self.entries, **entries})
        prefix = "" if self.format == "ldl" else "model."
        main = c.state(c.base(self.config, self.format), prefix)
        if self.format != "ldl":
            main |= self.head
        c.save(root, main)
        for module in ("regression_layer", "gating_layer") if self.format == "ldl" else ():
            own = {n.removeprefix(f"{module}."): t for n, t in self.head.items() if n.startswith(f"{module}.")}
            c.save(root, own, f"{module}.pt")
        return root

    def expected(self, root: Path, talk: c.Talk) -> Array:
        ids = c.chat(root, talk)
        return self.shares_of(ids, answer=len(ids) - 1)

    def shares_of(self, ids: list[int], answer: int) -> Array:
        states = c.hidden(c.base(self.config, self.format), ids).double().numpy()
        gate = header(ids, self.words) if self.format in ("armorm", "qrm") else answer
        return self.shares(states[answer], states[gate], {n: t.double().numpy() for n, t in self.head.items()})


def header(ids: list[int], words: c.Words) -> int:
    vocab = words.vocabulary()
    names = ["<|eot_id|>", "<|start_header_id|>", "assistant", "<|end_header_id|>", "\n\n"]
    if "<end_of_turn>" in vocab:
        names = ["<end_of_turn>", "\n", "<start_of_turn>", "model", "\n"]
    pattern = [vocab[name] for name in names]
    return max(i for i in range(len(ids)) if ids[i : i + len(pattern)] == pattern)


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


# ---------------------------------------------------------------- ArmoRM and QRM


def _armo_shares(answer: Array, prompt: Array, t: Mapping[str, Array]) -> Array:
    x = prompt
    for i in range(4):
        x = t[f"gating.layers.{i}.weight"] @ x + t[f"gating.layers.{i}.bias"]
        x = np.maximum(x, 0) if i < 3 else x
    gate = softmax(x / 4) * t["gating.logit_scale"][0]
    return gate * ((t["regression_layer.weight"] @ answer) @ t["reward_transform_matrix"])


def _qrm_shares(answer: Array, prompt: Array, t: Mapping[str, Array]) -> Array:
    x = prompt
    for i in (0, 3, 6):
        x = np.maximum(t[f"gating.layers.{i}.weight"] @ x, 0)
        norm = {part: t[f"gating.layers.{i + 2}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")}
        x = (x - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm["bias"]
    x = t["gating.layers.9.weight"] @ x + t["gating.layers.9.bias"]
    means = np.array([row.mean() for row in np.split(t["regression_layer.weight"] @ answer, COUNT)])
    return softmax(x / 4) * t["gating.logit_scale"][0] * (means @ t["reward_transform_matrix"])


def _shared(rows: int) -> dict[str, torch.Tensor]:
    return {
        "regression_layer.weight": c.normal("regression", rows, WIDTH, std=0.1),
        "gating.logit_scale": torch.tensor([1.7]),
        "reward_transform_matrix": torch.eye(COUNT) + 0.3 * c.normal("transform", COUNT, COUNT),
    }


def _armo_head() -> dict[str, torch.Tensor]:
    head = _shared(COUNT)
    for i, (before, after) in enumerate(itertools.pairwise([WIDTH, INNER, INNER, INNER, COUNT])):
        head[f"gating.layers.{i}.weight"] = c.normal(f"armo{i}", after, before, std=0.6)
        head[f"gating.layers.{i}.bias"] = c.normal(f"armo{i}b", after)
    return head


def _qrm_head() -> dict[str, torch.Tensor]:
    head = _shared(COUNT * QUANTILES)
    for i, before in ((0, WIDTH), (3, INNER), (6, INNER)):
        head[f"gating.layers.{i}.weight"] = c.normal(f"qrm{i}", INNER, before, std=0.6)
        for part, middle in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.5), ("running_var", 1.5)):
            head[f"gating.layers.{i + 2}.{part}"] = middle + c.normal(f"qrm{i}{part}", INNER, std=0.2)
    head["gating.layers.9.weight"] = c.normal("qrm9", COUNT, INNER, std=2.0)
    head["gating.layers.9.bias"] = c.normal("qrm9b", COUNT)
    return head


# ---------------------------------------------------------------- URM and LDL


def _urm_shares(answer: Array, prompt: Array, t: Mapping[str, Array]) -> Array:
    x = prompt
    for i in (0, 2, 4):
        x = t[f"weights.fc.{i}.weight"] @ x + t[f"weights.fc.{i}.bias"]
        if i < 4:
            x = 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(np.minimum(x, 0)) - 1))
    return (t["score.weight"] @ answer)[0::2] * x


def _urm_head() -> dict[str, torch.Tensor]:
    head = {"score.weight": c.normal("urm", 2 * COUNT, WIDTH, std=0.1)}
    for i, after in ((0, WIDTH), (2, WIDTH), (4, COUNT)):
        head[f"weights.fc.{i}.weight"] = c.normal(f"urm{i}", after, WIDTH, std=0.2).half()
        head[f"weights.fc.{i}.bias"] = c.normal(f"urm{i}b", after).half()
    return head


def _ldl_shares(answer: Array, prompt: Array, t: Mapping[str, Array], temperature: float | None = None) -> Array:
    def network(module: str, places: tuple[int, ...], x: Array) -> Array:
        for place in places:
            x = t[f"{module}.network.{place}.weight"] @ x + t[f"{module}.network.{place}.bias"]
            x = np.where(x > 0, x, 0.01 * x) if place != places[-1] else x
        return x

    chances = softmax(network("regression_layer", (0, 2, 4), answer).reshape(COUNT, 10))
    gate = network("gating_layer", (0, 3, 6), prompt)
    gate = gate if temperature is None else softmax(gate / temperature)
    return gate * (chances @ (np.arange(10) / 9))


def _ldl_head() -> dict[str, torch.Tensor]:
    head: dict[str, torch.Tensor] = {}
    for module, places, out in (("regression_layer", (0, 2, 4), 10 * COUNT), ("gating_layer", (0, 3, 6), COUNT)):
        for place, before, after in zip(places, (WIDTH, INNER, INNER), (INNER, INNER, out), strict=True):
            head[f"{module}.network.{place}.weight"] = c.normal(f"{module}{place}", after, before, std=0.3)
            head[f"{module}.network.{place}.bias"] = c.normal(f"{module}{place}b", after)
    return head


AUTO = {"auto_map": {"AutoModelForSequenceClassification": "modeling_custom.Model"}}
ARMORM = Gated("armorm", "LlamaForRewardModelWithGating", _armo_head(), _armo_shares, GATED | AUTO)
QRM = Gated("qrm", "LlamaForRewardModelWithGating31", _qrm_head(), _qrm_shares, GATED | {"num_quantiles": QUANTILES})
URM = Gated("urm", "LlamaForSequenceClassificationWithNormal_Weights", _urm_head(), _urm_shares, AUTO)
LDL = Gated("ldl", "Gemma2Model", _ldl_head(), _ldl_shares, {}, GEMMA, "gemma2")
LDL_SOFTMAX = replace(
    LDL,
    shares=lambda answer, prompt, t: _ldl_shares(answer, prompt, t, 2.5),
    entries={"softmax": True, "temperature": 2.5, "num_objectives": 10 * COUNT},
)
KINDS: dict[str, Gated] = {
    "armorm": ARMORM,
    "armorm-published-ids": replace(ARMORM, words=PUBLISHED),
    "qrm": QRM,
    "qrm-gemma": replace(QRM, words=GEMMA, model_type="gemma2", arch="Gemma2ForRewardModelWithGating"),
    "urm": URM,
    "ldl": LDL,
    "ldl-softmax": LDL_SOFTMAX,
}
