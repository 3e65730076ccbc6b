"""Open Assistant's reward models on Pythia: pooling, text, the bias of the head."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmaudit.errors import LoadRefusedError
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.native import NativeModel
from rmaudit.models.options import LoadOptions
from tests.models.rows import common as c

WORDS = c.Words(
    template=c.CHATML,  # the published text wins over it
    bos="<|endoftext|>",
    eos="<|endoftext|>",
    special=(*c.SPECIAL, "<|system|>"),
)
NEOX = {
    "vocab_size": WORDS.size(),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "rotary_pct": 0.25,
    "rotary_emb_base": 1000,
    "use_parallel_residual": True,
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "hidden_act": "gelu",
}
HEAD = {"out_proj.weight": c.normal("oasst", 1, 16), "out_proj.bias": torch.tensor([0.7])}


def body() -> Any:
    return c.base({"model_type": "gpt_neox", **NEOX}, "oasst")


def write(root: Path, drop: str = "", **entries: Any) -> Path:
    WORDS.write(root)
    config = {"model_type": "gpt_neox_reward_model", "architectures": ["GPTNeoXRewardModel"], "pooling": "last"}
    config = {**NEOX, **config, **entries}
    c.write_json(root / "config.json", {key: value for key, value in config.items() if value is not None})
    head = {name: tensor for name, tensor in HEAD.items() if name != drop}
    c.save(root, c.state(body(), "gpt_neox.") | head)
    return root


def reward(root: Path, text: str, pooling: str) -> float:
    states = c.hidden(body(), c.encode(root, text)).double()
    pooled = states.mean(0) if pooling == "mean" else states[-1]
    return float((pooled @ HEAD["out_proj.weight"].double().T)[0]) + 0.7


MARKS = {"user": "<|prompter|>", "assistant": "<|assistant|>", "system": "<|system|>"}


def written(talk: c.Talk) -> str:
    return "".join(MARKS[turn["role"]] + turn["content"] + "<|endoftext|>" for turn in talk)


def loaded(root: Path, **options: Any) -> NativeModel:
    model = load(str(root), LoadOptions(offline=True, device="cpu", **options))
    assert isinstance(model, NativeModel)
    return model


@pytest.mark.parametrize("pooling", ["last", "mean", None])
def test_rewards_are_those_of_the_published_text_and_pooling(pooling: str | None, tmp_path: Path) -> None:
    root = write(tmp_path, pooling=pooling)
    wanted = [reward(root, written(talk), pooling or "last") for talk in c.SEVERAL]
    assert np.std(wanted) > 1e-2
    for batch in (1, 8):
        model = loaded(root, batch_size=batch)
        np.testing.assert_allclose(model.score(c.SEVERAL), wanted, rtol=0, atol=1e-5)
        for side in ("left", "right"):
            np.testing.assert_allclose(model.padded_rewards(c.SEVERAL, side) or (), wanted, rtol=0, atol=1e-5)
    assert "Open Assistant's own text" in (model.facts.template or "")


@pytest.mark.parametrize("name", HEAD)
def test_each_tensor_of_the_head_is_needed_and_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match=re.escape(f"lack {name}.")):
        detect(open_checkpoint(str(write(tmp_path, drop=name))))


def test_it_is_told_by_its_tensors_where_the_config_is_silent(tmp_path: Path) -> None:
    root = write(tmp_path, model_type="gpt_neox", architectures=["GPTNeoXModel"])
    assert detect(open_checkpoint(str(root))).format == "oasst-pythia"


def test_another_pooling_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match=r"pooling .* is 'max'"):
        detect(open_checkpoint(str(write(tmp_path, pooling="max"))))


def test_a_config_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match=r"does not describe a GPT-NeoX model|makes no sense"):
        loaded(write(tmp_path, layer_norm_eps="small", rotary_pct="half"))


def test_a_missing_tensor_of_the_body_is_named(tmp_path: Path) -> None:
    root = write(tmp_path)
    c.remove(root, "gpt_neox.layers.1.attention.dense.bias")
    with pytest.raises(LoadRefusedError, match=r"layers\.1\.attention\.dense\.bias"):
        loaded(root)
