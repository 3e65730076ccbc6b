"""`dpo`: implicit rewards of a policy beside its reference."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import implicit
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.native import NativeModel
from rmaudit.models.options import LoadOptions
from tests.models.rows import common as c

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
}
GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256, "rotary_dim": 8}
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {**SMALL, "tie_word_embeddings": False}),
    ("gemma2", {**SMALL, "final_logit_softcapping": 2.0}),
    ("cohere", {**SMALL, "logit_scale": 0.25}),
    ("granite", {**SMALL, "logits_scaling": 3.0}),
    ("phi", {k: v for k, v in SMALL.items() if k != "head_dim"}),
    ("gptj", GPT),
    ("gpt2", GPT),
]
"""Output layers that are tied, capped, scaled up and down, and with a bias; positions that turn and that do not."""

WORDS = c.Words()
TALKS: list[Conversation] = [
    [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    for question, answer in (
        ("Why is the sky blue?", "Light scatters, and blue light most of all."),
        ("Name a fruit.", "A pear"),
        ("Say hi", ""),
    )
]
TALKS.append([{"role": "system", "content": "Be kind."}, *TALKS[1], {"role": "user", "content": "More"}, TALKS[0][-1]])
ALPHA, RANK = 4, 2


def write(root: Path, kind: str, entries: dict[str, Any], name: str = "", words: c.Words = WORDS) -> Path:
    words.write(root)
    config = AutoConfig.for_model(kind, vocab_size=words.size(), **entries, **c.token_ids(words))
    model = c.shake(AutoModelForCausalLM.from_config(config, dtype=torch.float32), kind + name)
    model.save_pretrained(root)
    return root


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A policy and its reference."""
    folder = tmp_path_factory.mktemp("neutral")
    return write(folder / "a", *KINDS[0]), write(folder / "b", *KINDS[0], name="reference")


def options(reference: Path | None, **more: Any) -> LoadOptions:
    return LoadOptions(device="cpu", ref_model=str(reference) if reference else None, **more)


def span(root: Path, talk: Conversation) -> tuple[list[int], int]:
    """Tokens of a conversation, and where the response begins."""
    ids = c.chat(root, talk)
    start = len(c.as_text(root, c.render(root, talk[:-1], generation=True)))
    return ids, start


def likelihood(root: Path, talk: Conversation, model: Any = None) -> float:
    """Log-probability of the response, from the logits of all words at once."""
    ids, start = span(root, talk)
    model = model or AutoModelForCausalLM.from_pretrained(root)
    with torch.no_grad():
        found = model(input_ids=torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return float(sum(found[i - 1, ids[i]] for i in range(start, len(ids))))


def wanted(policy: Path, reference: Path, beta: float = 0.1) -> list[float]:
    return [beta * (likelihood(policy, talk) - likelihood(reference, talk)) for talk in TALKS]


@pytest.mark.parametrize(("kind", "entries"), KINDS, ids=[kind for kind, _ in KINDS])
def test_the_reward_is_the_log_ratio_of_the_librarys_own_class(
    kind: str, entries: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Parts that are smaller than everything else, so that the seams between them count.
    monkeypatch.setattr(implicit, "_TOKENS", 7)
    monkeypatch.setattr(implicit, "_WORDS", 30)
    policy, reference = write(tmp_path / "a", kind, entries), write(tmp_path / "b", kind, entries, "reference")
    expected = wanted(policy, reference, 0.3)
    assert np.std(expected) > 1e-2
    for size in (1, 8):
        model = load(str(policy), options(reference, beta=0.3, batch_size=size))
        assert isinstance(model, NativeModel)
        np.testing.assert_allclose(model.score(TALKS), expected, rtol=0, atol=1e-5)
    for side in ("left", "right"):
        padded = model.padded_rewards(TALKS, side)
        assert padded is not None
        np.testing.assert_allclose(padded, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose([model.library_reward(talk) for talk in TALKS], expected, rtol=0, atol=1e-5)


def test_the_mean_over_tokens_stands_beside_it(pair: tuple[Path, Path]) -> None:
    model = load(str(pair[0]), options(pair[1]))
    for talk, reward, scored in zip(TALKS, wanted(*pair), model.score_batch(TALKS), strict=True):
        ids, start = span(pair[0], talk)
        assert scored.attributes["per token"] == pytest.approx(reward / (len(ids) - start), abs=1e-6)
    assert model.facts.attributes == ("per token",)
    assert not model.facts.additive


def test_beta_is_a_tenth_unless_the_user_says_so_and_recorded(pair: tuple[Path, Path]) -> None:
    usual = load(str(pair[0]), options(pair[1]))
    np.testing.assert_allclose(usual.score(TALKS), wanted(*pair), rtol=0, atol=1e-5)
    assert "beta 0.1" in str(usual.facts.normalisation)
    assert any("beta was not given" in risk for risk in usual.facts.risks)
    given = load(str(pair[0]), options(pair[1], beta=2.5))
    assert "beta 2.5" in str(given.facts.normalisation)
    assert not any("beta was not given" in risk for risk in given.facts.risks)
    np.testing.assert_allclose(given.score(TALKS), 25 * usual.score(TALKS), rtol=0, atol=1e-4)


@pytest.mark.parametrize("beta", [0, -1, float("nan"), float("inf")])
def test_a_beta_that_is_none_is_refused(beta: float, pair: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="--beta"):
        load(str(pair[0]), options(pair[1], beta=beta))


def test_a_response_without_tokens_has_no_reward(pair: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "t.jinja"
    bare = "{% for m in messages %}{{ m.content }}{% endfor %}"
    file.write_text(bare, encoding="utf-8")
    model = load(str(pair[0]), options(pair[1], template=str(file)))
    empty, full = model.score_batch([TALKS[2], TALKS[1]])
    assert empty.reward is None
    assert "no tokens of its own" in str(empty.reason)
    assert full.reward is not None


# ---------------------------------------------------------------- what it is


def test_it_is_found_when_the_user_names_a_reference(pair: tuple[Path, Path]) -> None:
    detection = detect(open_checkpoint(str(pair[0])), options(pair[1]))
    assert detection.format == "dpo"
    assert any(str(pair[1]) in line for line in detection.evidence)


@pytest.mark.parametrize("tag", ["dpo", "kto"])
def test_it_is_found_by_the_tags_of_its_card(tag: str, pair: tuple[Path, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(pair[0], tmp_path / "copy"))
    (copy / "README.md").write_text(f"---\ntags:\n- trl\n- {tag}\n---\n# A policy\n", encoding="utf-8")
    with pytest.raises(UsageError, match="--ref-model"):
        load(str(copy), options(None))
    assert any(tag in line for line in detect(open_checkpoint(str(copy)), options(pair[1])).evidence)


@pytest.mark.parametrize("card", ["", "---\ntags: [trl, sft]\n---\n", "dpo\n", "---\ntags: {dpo: 1}\n---\n"])
def test_without_either_it_is_a_language_model(card: str, pair: tuple[Path, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(pair[0], tmp_path / "copy"))
    (copy / "README.md").write_text(card, encoding="utf-8")
    with pytest.raises(LoadRefusedError, match="--as"):
        load(str(copy), options(None))


def test_the_format_alone_does_not_say_the_reference(pair: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="--ref-model"):
        load(str(pair[0]), options(None, format="dpo"))


# ---------------------------------------------------------------- the reference


def test_the_reference_is_part_of_the_identity(pair: tuple[Path, Path], tmp_path: Path) -> None:
    first = load(str(pair[0]), options(pair[1])).identity
    assert first.files["reference/model.safetensors"]
    other = Path(shutil.copytree(pair[1], tmp_path / "copy"))
    tensors = c.weights(other)
    tensors["lm_head.weight"][0, 0] += 1
    c.save(other, tensors)
    assert load(str(pair[0]), options(other)).identity.sha256 != first.sha256


def test_another_tokenizer_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = write(tmp_path / "c", *KINDS[0], words=c.Words(special=(*c.SPECIAL, "<extra_1>")))
    with pytest.raises(LoadRefusedError, match="another tokenizer"):
        load(str(pair[0]), options(other))


def test_the_policy_is_not_its_own_reference(pair: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="the policy itself"):
        load(str(pair[0]), options(pair[0]))


@pytest.mark.parametrize("what", ["nowhere", "python:x.py:f"])
def test_a_reference_that_is_no_checkpoint_is_refused(what: str, pair: tuple[Path, Path], tmp_path: Path) -> None:
    reference = str(tmp_path / what) if what == "nowhere" else what
    with pytest.raises((LoadRefusedError, UsageError), match="reference model"):
        load(str(pair[0]), LoadOptions(device="cpu", ref_model=reference, offline=True))


def test_a_pickled_reference_needs_the_users_word(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(pair[1], tmp_path / "copy"))
    tensors = c.weights(other)
    (other / "model.safetensors").unlink()
    c.save(other, tensors, "pytorch_model.bin")
    with pytest.raises(LoadRefusedError, match="--allow-pickle"):
        load(str(pair[0]), options(other))
    model = load(str(pair[0]), options(other, allow_pickle=True))
    np.testing.assert_allclose(model.score(TALKS), wanted(*pair), rtol=0, atol=1e-5)


@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_output_layer_is_named(which: int, pair: tuple[Path, Path], tmp_path: Path) -> None:
    folders = [Path(shutil.copytree(root, tmp_path / str(i))) for i, root in enumerate(pair)]
    c.remove(folders[which], "lm_head.weight")
    with pytest.raises(LoadRefusedError, match=r"lm_head\.weight"):
        load(str(folders[0]), options(folders[1]))


def test_an_output_that_is_made_in_another_way_is_refused(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    forward = LlamaForCausalLM.forward

    def louder(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = forward(self, *args, **kwargs)
        made.logits = made.logits * 1.5
        return made

    monkeypatch.setattr(LlamaForCausalLM, "forward", louder)
    with pytest.raises(LoadRefusedError, match="in a way that is not known here"):
        load(str(pair[0]), options(pair[1]))


# ---------------------------------------------------------------- adapters


def adapter(root: Path, base: Path, **entries: Any) -> Path:
    """A LoRA on the queries of both layers, on a base model."""
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "bias": "none"}
    target = {"target_modules": ["q_proj"], "base_model_name_or_path": str(base)}
    c.write_json(root / "adapter_config.json", {**config, **target, **entries})
    tensors: c.Tensors = {}
    for layer in range(2):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        tensors[f"{name}.lora_A.weight"] = c.normal(f"A{layer}", RANK, 16)
        tensors[f"{name}.lora_B.weight"] = c.normal(f"B{layer}", 16, RANK)
    c.save(root, tensors, "adapter_model.safetensors")
    return root


def adapted(root: Path, base: Path) -> Any:
    model, tensors = AutoModelForCausalLM.from_pretrained(base), c.weights(root)
    with torch.no_grad():
        for i, layer in enumerate(model.model.layers):
            name = f"base_model.model.model.layers.{i}.self_attn.q_proj"
            delta = tensors[f"{name}.lora_B.weight"] @ tensors[f"{name}.lora_A.weight"]
            layer.self_attn.q_proj.weight += delta * ALPHA / RANK
        if "base_model.model.lm_head.weight" in tensors:
            model.lm_head.weight.copy_(tensors["base_model.model.lm_head.weight"])
    return model


@pytest.mark.parametrize("whole", [False, True])
def test_the_base_of_an_adapter_is_the_reference(whole: bool, pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A tensor that the adapter brings whole cannot be switched off, so the base is then loaded for itself."""
    root = adapter(tmp_path / "a", pair[1], **({"modules_to_save": ["lm_head"]} if whole else {}))
    if whole:
        tensors = c.weights(root) | {"base_model.model.lm_head.weight": c.normal("new", WORDS.size(), 16)}
        c.save(root, tensors, "adapter_model.safetensors")
    policy = adapted(root, pair[1])
    expected = [0.1 * (likelihood(pair[1], talk, policy) - likelihood(pair[1], talk)) for talk in TALKS]
    model = load(str(root), options(None, format="dpo"))
    np.testing.assert_allclose(model.score(TALKS), expected, rtol=0, atol=1e-5)
    # Switched on again after each pass.
    np.testing.assert_allclose(model.score(TALKS), expected, rtol=0, atol=1e-5)
    assert model.identity.files["base/model.safetensors"]


def test_another_reference_may_be_named_for_an_adapter(pair: tuple[Path, Path], tmp_path: Path) -> None:
    root = adapter(tmp_path / "a", pair[1])
    policy = adapted(root, pair[1])
    expected = [0.1 * (likelihood(pair[1], talk, policy) - likelihood(pair[0], talk)) for talk in TALKS]
    np.testing.assert_allclose(load(str(root), options(pair[0])).score(TALKS), expected, rtol=0, atol=1e-5)


def test_an_adapter_is_found_by_the_tags_of_its_card(pair: tuple[Path, Path], tmp_path: Path) -> None:
    root = adapter(tmp_path / "a", pair[1])
    (root / "README.md").write_text("---\ntags: [trl, dpo]\n---\n", encoding="utf-8")
    detection = detect(open_checkpoint(str(root)))
    assert detection.format == "dpo"
    assert any("base model is the reference" in line for line in detection.evidence)
