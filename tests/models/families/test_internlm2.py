"""InternLM2 reward models, against an implementation of InternLM2 of its own that knows nothing of Llama."""

from __future__ import annotations

import math
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

WORDS = c.Words(template="{{ bos_token }}" + c.CHATML, adds=("<s> $A",), pad="</s>")
REWARD = WORDS.vocabulary()["[UNUSED_TOKEN_130]"]
SIZE, INNER, LAYERS = 24, 32, 2
CONFIG = {
    "architectures": ["InternLM2ForRewardModel"],
    "auto_map": {"AutoConfig": "configuration_internlm2.InternLM2Config", "AutoModel": "modeling_internlm2.Model"},
    "attn_implementation": "flash_attention_2",
    "bias": False,
    "hidden_act": "silu",
    "hidden_size": SIZE,
    "intermediate_size": INNER,
    "max_position_embeddings": 256,
    "model_type": "internlm2",
    "num_attention_heads": 6,
    "num_hidden_layers": LAYERS,
    "num_key_value_heads": 2,
    "pad_token_id": 2,
    "reward_token_id": REWARD,
    "rms_norm_eps": 1e-5,
    "rope_scaling": {"type": "dynamic", "factor": 3.0},
    "rope_theta": 1000,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "vocab_size": WORDS.size(),
}
OTHERS = {
    "groups of three": {},
    "no groups": {"num_key_value_heads": None},
    "one key": {"num_key_value_heads": 1, "rope_scaling": None},
    "bias": {"bias": True},
    "linear": {"rope_scaling": {"type": "linear", "factor": 4.0}},
}


def weights(config: dict[str, Any]) -> c.Tensors:
    heads, keys = config["num_attention_heads"], config.get("num_key_value_heads") or config["num_attention_heads"]
    made: c.Tensors = {
        "model.tok_embeddings.weight": c.normal("embeddings", config["vocab_size"], SIZE, std=1.0),
        "model.norm.weight": 1 + c.normal("norm", SIZE, std=0.1),
        "v_head.weight": c.normal("head", 1, SIZE),
    }
    for layer in range(LAYERS):
        place = f"model.layers.{layer}."
        shapes = {
            "attention.wqkv": ((heads + 2 * keys) * SIZE // heads, SIZE),
            "attention.wo": (SIZE, SIZE),
            "feed_forward.w1": (INNER, SIZE),
            "feed_forward.w2": (SIZE, INNER),
            "feed_forward.w3": (INNER, SIZE),
        }
        for name, shape in shapes.items():
            made[f"{place}{name}.weight"] = c.normal(place + name, *shape, std=0.3)
            if config["bias"] and name.startswith("attention"):
                made[f"{place}{name}.bias"] = c.normal(place + name + "b", shape[0], std=0.3)
        for name in ("attention_norm", "ffn_norm"):
            made[f"{place}{name}.weight"] = 1 + c.normal(place + name, SIZE, std=0.1)
    return made


def write(root: Path, store: Any = c.save, drop: str = "", **entries: Any) -> Path:
    WORDS.write(root)
    config = {**CONFIG, **entries}
    c.write_json(root / "config.json", {key: value for key, value in config.items() if value is not None})
    tensors = weights(config)
    del tensors[drop or "v_head.weight"]
    if drop != "v_head.weight":
        tensors["v_head.weight"] = c.normal("head", 1, SIZE)
    store(root, tensors)
    return root


# ---------------------------------------------------------------- InternLM2 by hand


def rotated(rows: torch.Tensor, theta: float, scale: float) -> torch.Tensor:
    """One head's vectors, turned pair by pair: the i-th number goes with the one half a head further."""
    half = rows.shape[1] // 2
    angles = torch.arange(len(rows)).double()[:, None] / scale * theta ** (-torch.arange(half).double() / half)
    first, second = rows[:, :half], rows[:, half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], 1)


def attention(x: torch.Tensor, t: c.Tensors, place: str, config: dict[str, Any]) -> torch.Tensor:
    heads, keys = config["num_attention_heads"], config.get("num_key_value_heads") or config["num_attention_heads"]
    width, each = SIZE // heads, heads // keys
    scaling = config.get("rope_scaling") or {"type": "none"}
    scale = scaling["factor"] if scaling["type"] == "linear" else 1.0
    fused = x @ t[f"{place}wqkv.weight"].double().T + t.get(f"{place}wqkv.bias", torch.zeros(1)).double()
    mixed = torch.zeros(len(x), heads * width, dtype=torch.float64)
    for head in range(heads):
        start = head // each * (each + 2) * width  # a group is its queries, then a key, then a value
        query, key, value = (
            fused[:, start + part * width : start + (part + 1) * width] for part in (head % each, each, each + 1)
        )
        query, key = (rotated(rows, config["rope_theta"], scale) for rows in (query, key))
        scores = (query @ key.T / math.sqrt(width)).masked_fill(torch.ones(len(x), len(x)).triu(1).bool(), -math.inf)
        mixed[:, head * width : (head + 1) * width] = scores.softmax(1) @ value
    return mixed @ t[f"{place}wo.weight"].double().T + t.get(f"{place}wo.bias", torch.zeros(1)).double()


def normed(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-5) * weight.double()


def reward(root: Path, talk: c.Talk, **entries: Any) -> float:
    config = {**CONFIG, **entries}
    t = weights(config)
    ids = c.encode(root, c.render(root, talk), special=False)
    ids += [] if ids[-1] == REWARD else [REWARD]
    x = t["model.tok_embeddings.weight"][ids].double()
    for layer in range(LAYERS):
        place = f"model.layers.{layer}."
        x = x + attention(normed(x, t[f"{place}attention_norm.weight"]), t, f"{place}attention.", config)
        y = normed(x, t[f"{place}ffn_norm.weight"])
        gate, up, down = (t[f"{place}feed_forward.{name}.weight"].double() for name in ("w1", "w3", "w2"))
        x = x + (torch.nn.functional.silu(y @ gate.T) * (y @ up.T)) @ down.T
    return float((normed(x, t["model.norm.weight"])[-1] @ t["v_head.weight"].double().T)[0])


# ---------------------------------------------------------------- tests


def loaded(root: Path, **options: Any) -> NativeModel:
    model = load(str(root), LoadOptions(offline=True, device="cpu", **options))
    assert isinstance(model, NativeModel)
    return model


def shards(root: Path, tensors: c.Tensors) -> None:
    c.save_shards(root, tensors)


@pytest.mark.parametrize("case", OTHERS)
def test_the_reward_is_that_of_the_authors_model(case: str, tmp_path: Path) -> None:
    root = write(tmp_path, shards if case == "bias" else c.save, **OTHERS[case])
    wanted = [reward(root, talk, **OTHERS[case]) for talk in c.SEVERAL]
    assert np.std(wanted) > 1e-2
    for batch in (1, 8):
        model = loaded(root, batch_size=batch)
        np.testing.assert_allclose(model.score(c.SEVERAL), wanted, rtol=0, atol=1e-5)
        for side in ("left", "right"):
            np.testing.assert_allclose(model.padded_rewards(c.SEVERAL, side) or (), wanted, rtol=0, atol=1e-5)


def test_the_cases_differ(tmp_path: Path) -> None:
    root = write(tmp_path)
    found = [reward(root, c.SEVERAL[0], **OTHERS[case]) for case in OTHERS]
    assert min(abs(a - b) for i, a in enumerate(found) for b in found[:i]) > 1e-3


def test_the_format_is_told_by_the_model_and_not_by_the_name_of_the_head(tmp_path: Path) -> None:
    found = detect(open_checkpoint(str(write(tmp_path / "a"))))
    assert (found.format, [str(tensor) for tensor in found.reading.head]) == ("internlm2", ["v_head.weight [1, 24]"])
    assert detect(open_checkpoint(str(write(tmp_path / "b", architectures=["Model"])))).format == "internlm2"


@pytest.mark.parametrize("name", weights(CONFIG))
def test_each_tensor_is_needed_and_named_as_in_the_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match=rf"lack {re.escape(name)}[.,]"):
        detect(open_checkpoint(str(write(tmp_path, drop=name))))


def test_a_missing_bias_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match=r"model\.layers\.1\.attention\.wo\.bias"):
        detect(open_checkpoint(str(write(tmp_path, drop="model.layers.1.attention.wo.bias", bias=True))))


def test_the_reward_token_is_added_once(tmp_path: Path) -> None:
    root = write(tmp_path)
    template = c.read_json(root / "tokenizer_config.json")
    before = loaded(root).lengths(c.SEVERAL)
    ending = template["chat_template"] + "[UNUSED_TOKEN_130]"
    c.write_json(root / "tokenizer_config.json", template | {"chat_template": ending})
    model = loaded(root)
    assert model.lengths(c.SEVERAL) == before
    np.testing.assert_allclose(model.score(c.SEVERAL), [reward(root, talk) for talk in c.SEVERAL], rtol=0, atol=1e-5)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no reward token": ({"reward_token_id": None}, "reward_token_id in its config.json is None"),
    "a reward token that is none": ({"reward_token_id": 10**6}, "reward_token_id in its config.json is 1000000"),
    "uneven groups": ({"num_key_value_heads": 4}, "num_key_value_heads 4"),
    "other groups": ({"num_key_value_heads": 3}, "does not hold 6 heads of queries, 3 of keys"),
    "other positions": ({"rope_scaling": {"type": "yarn", "factor": 2.0}}, "of type 'yarn'"),
    "no factor": ({"rope_scaling": {"type": "linear"}}, "factor of rope_scaling"),
    "positions by a word": ({"rope_scaling": "linear-ish"}, "of type 'linear-ish'"),
    "no size": ({"hidden_size": "wide"}, "hidden_size .* is 'wide'"),
    "another activation": ({"hidden_act": 3}, "does not describe an InternLM2 model"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_config_that_makes_no_sense_is_refused(case: str, tmp_path: Path) -> None:
    entries, message = WRONG[case]
    root = write(tmp_path)
    config = c.read_json(root / "config.json") | entries
    c.write_json(root / "config.json", {key: value for key, value in config.items() if value is not None})
    with pytest.raises(LoadRefusedError, match=message):
        detect(open_checkpoint(str(root)))


def test_a_conversation_beyond_the_positions_has_no_reward(tmp_path: Path) -> None:
    """There the dynamic encoding of positions would begin to differ."""
    long = c.talk("Say hi", "hi " * 100)
    (scored,) = loaded(write(tmp_path)).score_batch([long])
    assert scored.truncated
    assert scored.reward is None


def test_a_language_model_of_the_same_kind_is_not_taken_for_one(tmp_path: Path) -> None:
    root = write(tmp_path, architectures=["InternLM2ForCausalLM"])
    c.remove(root, "v_head.weight")
    with pytest.raises(LoadRefusedError, match="language model"):
        detect(open_checkpoint(str(root)))


def test_the_output_of_a_language_model_beside_the_head_does_not_matter(tmp_path: Path) -> None:
    output = {"output.weight": c.normal("output", WORDS.size(), SIZE)}
    root = write(tmp_path, store=lambda root, tensors: c.save(root, tensors | output))
    np.testing.assert_allclose(loaded(root).score(c.SEVERAL[:2]), [reward(root, t) for t in c.SEVERAL[:2]], atol=1e-5)
