"""Adapters on language models whose score head lies in the adapter's file, and value heads beside adapters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from rmaudit.errors import LoadRefusedError
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from tests.models import tiny

SCORE, BIAS = "base_model.model.score.weight", "base_model.model.score.bias"
VALUE = ("v_head.summary.weight", "v_head.summary.bias")


def write(root: Path, head: dict[str, torch.Tensor], file: str = "adapter_model.safetensors") -> Path:
    torch.manual_seed(8)
    size = {"vocab_size": len(tiny.SPECIAL) + len(tiny.LETTERS), "hidden_size": 16, "intermediate_size": 32}
    config = LlamaConfig(**size, num_hidden_layers=2, num_attention_heads=2, initializer_range=0.3, pad_token_id=0)
    LlamaForCausalLM(config).save_pretrained(root / "base")
    lora = {}
    for layer in range(2):
        key = f"base_model.model.model.layers.{layer}.mlp.up_proj"
        lora |= {f"{key}.lora_A.weight": torch.randn(3, 16), f"{key}.lora_B.weight": torch.randn(32, 3) / 4}
    lora |= {  # of no consequence for hidden states
        "base_model.model.lm_head.lora_A.weight": torch.randn(3, 16),
        "base_model.model.lm_head.lora_B.weight": torch.randn(size["vocab_size"], 3),
    }
    adapter = root / "n0"
    adapter.mkdir()
    told = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 3, "lora_alpha": 6, "target_modules": ["up_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps(told | {"base_model_name_or_path": str(root / "base")}))
    beside = file != "adapter_model.safetensors"
    save_file(lora if beside else lora | head, adapter / "adapter_model.safetensors")
    if beside:
        torch.save(head, adapter / file) if file.endswith(".bin") else save_file(head, adapter / file)
    tiny.tokenizer().save_pretrained(adapter)
    return adapter


def expected(adapter: Path, talk: list[dict[str, str]], weight: torch.Tensor, bias: float) -> float:
    model = LlamaForCausalLM.from_pretrained(adapter.parent / "base").eval()
    for key, a in load_file(adapter / "adapter_model.safetensors").items():
        if key.endswith("up_proj.lora_A.weight"):
            b = load_file(adapter / "adapter_model.safetensors")[key.replace("lora_A", "lora_B")]
            name = key.removeprefix("base_model.model.").replace("lora_A.", "")
            model.get_parameter(name).data += 6 / 3 * b @ a
    made = tiny.PreTrainedTokenizerFast.from_pretrained(adapter)
    ids = made(made.apply_chat_template(talk, tokenize=False), return_tensors="pt", add_special_tokens=False).input_ids
    with torch.no_grad():
        return float(weight[0] @ model.model(input_ids=ids).last_hidden_state[0, -1]) + bias


CASES = {
    "score": ("trl-reward-adapter", {SCORE: torch.ones(1, 16)}, "adapter_model.safetensors"),
    "score and bias": (
        "trl-reward-adapter",
        {SCORE: torch.ones(1, 16), BIAS: torch.tensor([0.75])},
        "adapter_model.safetensors",
    ),
    "factory": (
        "llamafactory",
        {VALUE[0]: torch.ones(1, 16), VALUE[1]: torch.tensor([0.5])},
        "value_head.safetensors",
    ),
    "trl value head": (
        "trl-value-head",
        {VALUE[0]: torch.ones(1, 16), VALUE[1]: torch.tensor([0.5])},
        "pytorch_model.bin",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_reward_is_the_heads_at_the_last_token(case: str, tmp_path: Path) -> None:
    format, head, file = CASES[case]
    root = write(tmp_path, head, file)
    assert detect(open_checkpoint(str(root))).format == format
    weight, *bias = head.values()
    talks = tiny.conversations()
    wanted = [expected(root, talk, weight, float(bias[0]) if bias else 0.0) for talk in talks]
    for size in (1, 8):
        model = load(str(root), LoadOptions(batch_size=size, allow_pickle=True))
        assert model.score(talks) == pytest.approx(wanted, abs=1e-5)
    for side in ("left", "right"):
        assert model.padded_rewards(talks, side) == pytest.approx(wanted, abs=1e-5)  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", ["factory", "trl value head"])
@pytest.mark.parametrize("name", VALUE)
def test_each_tensor_of_a_value_head_is_missed(case: str, name: str, tmp_path: Path) -> None:
    _, head, file = CASES[case]
    root = write(tmp_path, {key: tensor for key, tensor in head.items() if key != name}, file)
    with pytest.raises(LoadRefusedError, match=name):
        load(str(root), LoadOptions(allow_pickle=True))


def test_the_score_is_missed(tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match=r"score\.weight"):
        load(str(write(tmp_path, {})))
    with pytest.raises(LoadRefusedError, match=r"score\.weight"):
        load(str(write(tmp_path / "bias", {BIAS: torch.ones(1)})))


def test_two_heads_are_refused_with_both(tmp_path: Path) -> None:
    root = write(tmp_path, CASES["score"][1])
    save_file(CASES["factory"][1], root / "value_head.safetensors")
    with pytest.raises(LoadRefusedError) as refused:
        load(str(root))
    assert all(f"--as {name}" in str(refused.value) for name in ("trl-reward-adapter", "llamafactory"))
