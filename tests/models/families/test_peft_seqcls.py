"""Adapters on tiny base models, compared with what the PEFT library computes of the same files."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from rmaudit.errors import LoadRefusedError
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from tests.models import tiny

WORDS = len(tiny.SPECIAL) + len(tiny.LETTERS)
SIZE = {"vocab_size": WORDS, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.25, "pad_token_id": 0}
SCORE = "base_model.model.score.weight"
Q_PROJ = "base_model.model.model.layers.0.self_attn.q_proj"


def write_llama(root: Path, **more: Any) -> None:
    config = LlamaConfig(**SIZE, **(HEADS | more), bos_token_id=1, eos_token_id=2)
    LlamaForCausalLM(config).save_pretrained(root)


def write_gpt2(root: Path) -> None:
    config = GPT2Config(vocab_size=WORDS, n_embd=16, n_layer=2, n_head=2, n_positions=256, initializer_range=0.25)
    config.pad_token_id = 0
    GPT2LMHeadModel(config).save_pretrained(root)


def write_bert(root: Path) -> None:
    model = BertForMaskedLM(BertConfig(**SIZE, **HEADS, type_vocab_size=2))
    model.save_pretrained(root)
    state = load_file(root / "model.safetensors")  # published BERTs hold the pooler, which the class leaves out
    state |= {"bert.pooler.dense.weight": torch.randn(16, 16), "bert.pooler.dense.bias": torch.randn(16)}
    save_file(state, root / "model.safetensors", {"format": "pt"})


def write_roberta(root: Path) -> None:
    RobertaForMaskedLM(RobertaConfig(**SIZE, **HEADS, type_vocab_size=2)).save_pretrained(root)


def train(
    root: Path, write: Callable[[Path], None] = write_llama, task: str | None = "SEQ_CLS", **lora: Any
) -> tuple[Path, Any]:
    """A base, and beside it an adapter as the library writes it, with no tensor left at zero; and the model itself."""
    torch.manual_seed(3)
    base, adapter = root / "b", root / "a"
    write(base)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    targets = ["c_attn"] if write is write_gpt2 else ["query", "value"]
    targets = ["q_proj", "v_proj"] if write is write_llama else targets
    config = peft.LoraConfig(**{"task_type": task, "r": 2, "lora_alpha": 7, "target_modules": targets} | lora)
    model = peft.get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name or parameter.requires_grad or "modules_to_save" in name:
                parameter.copy_(parameter + 0.25 * torch.randn_like(parameter))
    model.eval().save_pretrained(adapter)
    pair = write in (write_bert, write_roberta)
    made = tiny.tokenizer(pair=True, segments=True, template=None) if pair else tiny.tokenizer()
    made.save_pretrained(adapter)
    return adapter, model


def ids_of(root: Path, conversation: list[dict[str, str]]) -> dict[str, torch.Tensor]:
    made = tiny.PreTrainedTokenizerFast.from_pretrained(root)
    if made.chat_template:
        text = made.apply_chat_template(conversation, tokenize=False)
        return dict(made(text, return_tensors="pt", add_special_tokens=False))
    return dict(made(conversation[0]["content"], conversation[1]["content"], return_tensors="pt"))


def expected(root: Path, model: Any, talks: list[list[dict[str, str]]]) -> list[float]:
    with torch.no_grad():
        return [float(model(**ids_of(root, talk)).logits[0, 0]) for talk in talks]


def talks(pair: bool = False) -> list[list[dict[str, str]]]:
    made = tiny.conversations()
    return [talk for talk in made if len(talk) == 2] if pair else made


def edit(root: Path, **entries: Any) -> None:
    tiny.edit_json(root / "adapter_config.json", **entries)


def change(root: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    state = load_file(root / "adapter_model.safetensors")
    change(state)
    save_file(state, root / "adapter_model.safetensors", {"format": "pt"})


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(LoadRefusedError) as refused:
        load(str(root), LoadOptions(offline=True, **options))
    return str(refused.value)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, _ = train(tmp_path_factory.mktemp("trained"))
    edit(root, base_model_name_or_path=str(root.parent / "b"))
    return root


@pytest.fixture
def adapter(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "adapter"))


FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "dora_rslora": {"use_dora": True, "use_rslora": True},
    "bias": {"lora_bias": True},
    "patterns": {
        "rank_pattern": {"layers.1.self_attn.v_proj": 3, "q_proj": 4},
        "alpha_pattern": {r"^model\.layers\.0\.self_attn\.q_proj": 20, "layers.1.self_attn.v_proj": 1},
    },
    "all_linear": {"target_modules": "all-linear"},
    "by_expression": {"target_modules": r".*layers\.1\.(self_attn|mlp)\.(up|q)_proj"},
    "embeddings": {"modules_to_save": ["score", "embed_tokens"]},
    "embedding_lora": {"target_modules": ["embed_tokens", "q_proj"]},
    "gpt2": {"write": write_gpt2},
    "gpt2_fan_in": {"write": write_gpt2, "fan_in_fan_out": True},
    "gpt2_dora": {"write": write_gpt2, "use_dora": True, "fan_in_fan_out": True},
    "gpt2_bias": {"write": write_gpt2, "bias": "all"},
    "gpt2_own_bias": {"write": write_gpt2, "bias": "lora_only"},
    "bert": {"write": write_bert},
    "roberta": {"write": write_roberta},
}


@pytest.mark.parametrize("form", FORMS)
def test_the_reward_is_the_librarys(form: str, tmp_path: Path) -> None:
    root, model = train(tmp_path, **FORMS[form])
    said = talks("bert" in form)
    wanted = expected(root, model, said)
    assert max(wanted) - min(wanted) > 0.1
    checkpoint = open_checkpoint(str(root))
    assert detect(checkpoint).format == "peft-seqcls"
    for size in (1, 8):
        made = load(str(root), LoadOptions(batch_size=size))
        assert made.score(said) == pytest.approx(wanted, abs=1e-5)
    for side in ("left", "right"):
        padded = made.padded_rewards(said, side)  # type: ignore[attr-defined]
        assert padded is None or padded == pytest.approx(wanted, abs=1e-5)


def test_the_reward_by_hand(trained: Path) -> None:
    state = load_file(trained / "adapter_model.safetensors")
    base = load_file(trained.parent / "b" / "model.safetensors")
    for key in [key for key in state if "lora_A" in key]:
        name = key.removeprefix("base_model.model.").replace("lora_A.", "")
        base[name] += 7 / 2 * state[key.replace("lora_A", "lora_B")] @ state[key]
    model = LlamaForCausalLM.from_pretrained(trained.parent / "b", state_dict=None).eval()
    model.load_state_dict(base)
    for talk, reward in zip(talks(), load(str(trained)).score(talks()), strict=True):
        with torch.no_grad():
            hidden = model.model(**ids_of(trained, talk)).last_hidden_state
        assert reward == pytest.approx(float(state[SCORE][0] @ hidden[0, -1]), abs=1e-5)


def test_two_loads_agree_and_dropout_is_off(adapter: Path) -> None:
    edit(adapter, lora_dropout=0.9, inference_mode=False)
    first, second = (load(str(adapter)).score(talks()) for _ in range(2))
    assert first.tolist() == second.tolist()


def test_every_file_counts_for_the_identity(adapter: Path) -> None:
    before = load(str(adapter)).identity
    assert {"adapter_model.safetensors", "adapter_config.json", "base/model.safetensors"} <= set(before.files)
    edit(adapter, lora_alpha=8)
    assert load(str(adapter)).identity.sha256 != before.sha256


# ---------------------------------------------------------------- nothing random, nothing left over


def test_a_head_that_is_missing_is_refused_by_name(adapter: Path) -> None:
    """P2: the library would read a new random head at each load."""
    change(adapter, lambda state: state.pop(SCORE))
    assert "score.weight" in refusal(adapter)
    edit(adapter, task_type=None, modules_to_save=None)
    assert "score.weight" in refusal(adapter)


@pytest.mark.parametrize("write", [write_bert, write_roberta])
def test_each_head_tensor_of_an_encoder_is_missed(write: Callable[[Path], None], tmp_path: Path) -> None:
    root, _ = train(tmp_path, write)
    names = [name for name in load_file(root / "adapter_model.safetensors") if "classifier" in name]
    assert len(names) == (2 if write is write_bert else 4)
    for name in names:
        copy = Path(shutil.copytree(root, tmp_path / name))
        change(copy, lambda state, name=name: state.pop(name))  # type: ignore[misc]
        assert name.removeprefix("base_model.model.") in refusal(copy)


def test_a_frozen_random_part_of_the_head_is_missed(tmp_path: Path) -> None:
    """DeBERTa and some BERTs have no pooler before training, and PEFT does not save the one it made up."""
    root, _ = train(tmp_path, write_bert)
    state = load_file(tmp_path / "b" / "model.safetensors")
    kept = {name: tensor for name, tensor in state.items() if "pooler" not in name}
    save_file(kept, tmp_path / "b" / "model.safetensors", {"format": "pt"})
    assert "bert.pooler.dense.weight" in refusal(root)


@pytest.mark.parametrize("part", ["lora_A", "lora_B"])
def test_a_missing_low_rank_tensor_is_refused_by_name(adapter: Path, part: str) -> None:
    change(adapter, lambda state: state.pop(f"{Q_PROJ}.{part}.weight"))
    assert "layers.0.self_attn.q_proj" in refusal(adapter)


@pytest.mark.parametrize(
    "name",
    [
        "base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_C.weight",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
        "base_model.model.score.lora_A.weight",
        "base_model.model.something.weight",
    ],
)
def test_a_tensor_without_a_place_is_refused_by_name(adapter: Path, name: str) -> None:
    change(adapter, lambda state: state.update({name: torch.zeros(2, 16)}))
    assert name.removeprefix("base_model.model.").removesuffix(".weight") in refusal(adapter)


def test_a_tensor_of_another_shape_is_refused_by_name(adapter: Path) -> None:
    change(adapter, lambda state: state.update({f"{Q_PROJ}.lora_B.weight": torch.zeros(15, 2)}))
    assert "q_proj.lora_B" in refusal(adapter)


def test_a_rank_that_the_config_does_not_give_is_refused(adapter: Path) -> None:
    edit(adapter, r=4)
    assert "rank 4" in refusal(adapter)


def test_an_adapter_of_another_base_is_refused(adapter: Path, tmp_path: Path) -> None:
    write_gpt2(tmp_path / "other")
    assert "no place" in refusal(adapter, base_model=str(tmp_path / "other"))


def test_two_numbers_are_refused(adapter: Path) -> None:
    change(adapter, lambda state: state.update({SCORE: torch.zeros(2, 16)}))
    assert "2 numbers" in refusal(adapter)


def test_an_adapter_beside_a_whole_model_is_refused(adapter: Path) -> None:
    shutil.copy(adapter.parent / "adapter" / "adapter_model.safetensors", adapter / "keep")
    (adapter / "keep").unlink()
    base = json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    shutil.copy(Path(base) / "model.safetensors", adapter / "model.safetensors")
    assert "both an adapter" in refusal(adapter)


def test_pickled_adapters_need_the_users_word(adapter: Path) -> None:
    before = load(str(adapter)).score(talks())
    torch.save(load_file(adapter / "adapter_model.safetensors"), adapter / "adapter_model.bin")
    (adapter / "adapter_model.safetensors").unlink()
    assert "--allow-pickle" in refusal(adapter)
    assert load(str(adapter), LoadOptions(allow_pickle=True)).score(talks()).tolist() == before.tolist()


def test_a_head_that_is_the_bases_own_is_used(tmp_path: Path) -> None:
    """An adapter trained on a reward model without a task: PEFT leaves the head as it is in the base."""
    base = tiny.llama(tmp_path / "rm")
    root, model = train(
        tmp_path, lambda place: shutil.copytree(base, place) and None, task=None, target_modules=["q_proj"]
    )
    checkpoint = open_checkpoint(str(root))
    found = detect(checkpoint)
    assert found.format == "peft-seqcls"
    assert any("base model's" in risk for risk in found.reading.risks)
    assert load(str(root)).score(talks()) == pytest.approx(expected(root, model, talks()), abs=1e-5)


def test_the_padding_token_is_the_tokenizers_where_the_base_has_none(tmp_path: Path) -> None:
    """Training code sets it in memory, and an adapter keeps no config: the text's own EOS is then not read."""
    root, model = train(tmp_path, lambda place: write_llama(place, pad_token_id=None), target_modules=["q_proj"])
    tiny.tokenizer(pad="</s>").save_pretrained(root)
    model.config.pad_token_id = model.base_model.model.config.pad_token_id = 2
    assert "(</s>)" in detect(open_checkpoint(str(root))).reading.pooling
    assert load(str(root)).score(talks()) == pytest.approx(expected(root, model, talks()), abs=1e-5)


# ---------------------------------------------------------------- configs by a stranger


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 8}, "PROMPT_TUNING.*scores:FILE"),
        ({"peft_type": "PREFIX_TUNING"}, "before the text"),
        ({"peft_type": "P_TUNING"}, "before the text"),
        ({"peft_type": "IA3"}, "IA3.*merge_and_unload"),
        ({"peft_type": "XLORA", "adapters": {"0": "owner/name"}}, "XLORA"),
        ({"peft_type": ["LORA"]}, "LORA"),
        ({"layer_replication": [[0, 1]] * 100_000}, "layer_replication"),
        ({"megatron_config": {"a": 1}, "megatron_core": "evil"}, "megatron_config"),
        ({"alora_invocation_tokens": [1]}, "alora_invocation_tokens"),
        ({"trainable_token_indices": [1, 2]}, "trainable_token_indices"),
        ({"target_parameters": ["experts.gate"]}, "target_parameters"),
        ({"something_new": True}, "something_new"),
        ({"init_lora_weights": "pissa_niter_16"}, "pissa"),
        ({"init_lora_weights": "olora"}, "olora"),
        ({"r": 1 << 40}, "r:"),
        ({"r": 1 << 20}, "rank 1048576"),
        ({"lora_alpha": "many"}, "lora_alpha"),
        ({"lora_alpha": float("inf")}, "lora_alpha"),
        ({"alpha_pattern": {"(a|a)*(a|aa)+$": 3}}, "not the name of a module"),
        ({"rank_pattern": {".*.*.*.*q_proj": 3}}, "not the name of a module"),
        ({"bias": "some"}, "bias"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_config_may_not_ask_for(adapter: Path, entries: dict[str, Any], says: str) -> None:
    import re

    edit(adapter, **entries)
    assert re.search(says, refusal(adapter))


def test_expressions_in_a_config_are_not_matched(adapter: Path) -> None:
    """They would take for ever; the tensors say which modules are adapted."""
    before = load(str(adapter)).score(talks())
    edit(adapter, target_modules=r"(.*.*.*.*.*.*.*)*(a|b|ab)*$", exclude_modules=r"(\w+\.?)*x", layers_pattern="(a*)*b")
    assert load(str(adapter)).score(talks()).tolist() == before.tolist()


def test_no_module_that_a_config_names_is_imported(adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (adapter / "evil_library.py").write_text(f"open({str(adapter / 'marker')!r}, 'w')")
    monkeypatch.syspath_prepend(adapter)
    auto = {"base_model_class": "LlamaForSequenceClassification", "parent_library": "evil_library"}
    edit(adapter, auto_mapping=auto, megatron_core="evil_library")
    load(str(adapter))
    assert "evil_library" not in sys.modules
    assert not (adapter / "marker").exists()


# ---------------------------------------------------------------- which base


def test_an_adapter_on_itself_is_refused(adapter: Path) -> None:
    edit(adapter, base_model_name_or_path=str(adapter))
    assert "names itself" in refusal(adapter)
    edit(adapter, base_model_name_or_path="./a")
    (adapter / "a").symlink_to(adapter)
    assert "names itself" in refusal(adapter)


def test_adapters_on_each_other_are_refused(adapter: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(adapter, tmp_path / "other"))
    edit(adapter, base_model_name_or_path=str(other))
    edit(other, base_model_name_or_path=str(adapter))
    assert "names itself" in refusal(adapter)


def test_an_adapter_on_an_adapter_is_refused(adapter: Path, trained: Path) -> None:
    edit(adapter, base_model_name_or_path=str(trained))
    assert "adapter on an adapter" in refusal(adapter)


@pytest.mark.parametrize("name", ["../base", "base/../../base", "~/base", "", None, 3, "a\0b"])
def test_a_base_whose_place_is_not_sure_is_refused(adapter: Path, name: object) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": name}))
    assert "--base-model" in refusal(adapter)


@pytest.mark.parametrize(
    "name", ["python:x.py:f", "scores:x.jsonl", "http://somewhere/x", "no-such-folder", "/nowhere"]
)
def test_a_base_that_is_no_checkpoint_is_refused(adapter: Path, name: str) -> None:
    edit(adapter, base_model_name_or_path=name)
    assert "--base-model" in refusal(adapter)


def test_a_relative_base_is_found_beside_or_below(
    adapter: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(str(adapter)).score(talks()).tolist()
    base = trained.parent / "b"
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    edit(adapter, base_model_name_or_path="my/base")
    shutil.copytree(base, adapter / "my" / "base")
    assert load(str(adapter)).score(talks()).tolist() == before
    shutil.copytree(base, work / "my" / "base")
    assert "two such folders" in refusal(adapter)
    shutil.rmtree(adapter / "my")
    assert load(str(adapter)).score(talks()).tolist() == before
    assert load(str(adapter), LoadOptions(base_model=str(base))).score(talks()).tolist() == before
