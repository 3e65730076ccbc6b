"""`nemotron-hf`, and what all formats share that read a language model's output layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rmaudit.errors import LoadRefusedError
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
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
WORDS = c.Words()

KINDS: list[tuple[str, dict[str, Any], str]] = [
    ("llama", {**SMALL, "tie_word_embeddings": True}, "embed_tokens"),
    ("gemma2", {**SMALL, "final_logit_softcapping": 0.5}, "embed_tokens"),
    ("cohere", {**SMALL, "logit_scale": 0.25}, "embed_tokens"),
    ("granite", {**SMALL, "logits_scaling": 3.0}, "lm_head"),
    ("phi", SMALL, "lm_head"),
    ("gptj", GPT, "lm_head"),
    ("gpt2", GPT, "wte"),
    ("gpt_neox", {k: v for k, v in SMALL.items() if k not in ("head_dim", "num_key_value_heads")}, "embed_out"),
]


def options(**more: Any) -> LoadOptions:
    return LoadOptions(format="nemotron-hf", offline=True, device="cpu", **more)


def save(root: Path, kind: str, entries: dict[str, Any]) -> None:
    """A random language model of a library class, as the library itself saves it."""
    WORDS.write(root)
    config = AutoConfig.for_model(kind, vocab_size=WORDS.size(), **entries, **c.token_ids(WORDS))
    model = c.shake(AutoModelForCausalLM.from_config(config, dtype=torch.float32), kind)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(("lm_head.bias", "embed_out.bias")):
                value.normal_(0, 1, generator=c.seed(name))
    model.save_pretrained(root)


@pytest.mark.parametrize(("kind", "entries", "head"), KINDS, ids=[kind for kind, _, _ in KINDS])
def test_the_logit_is_that_of_the_librarys_own_class(
    kind: str, entries: dict[str, Any], head: str, tmp_path: Path
) -> None:
    """Capped, scaled and shifted logits, an output layer that is the embedding: none of it may be forgotten."""
    save(tmp_path / "n", kind, entries)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "n", dtype=torch.float32).eval()
    with torch.no_grad():
        wanted = [float(plain(torch.tensor([c.chat(tmp_path / "n", talk)])).logits[0, -1, 0]) for talk in c.several()]
    assert np.std(wanted) > 1e-3
    model = load(str(tmp_path / "n"), options(batch_size=8))
    np.testing.assert_allclose(model.score(c.several()), wanted, rtol=0, atol=1e-5)
    np.testing.assert_allclose([model.score([talk])[0] for talk in c.several()], wanted, rtol=0, atol=1e-5)
    sides: Any = model
    for side in ("left", "right"):
        np.testing.assert_allclose(sides.padded_rewards(c.several(), side), wanted, rtol=0, atol=1e-5)
    np.testing.assert_allclose([sides.library_reward(talk) for talk in c.several()], wanted, rtol=0, atol=1e-5)
    assert head in str(model.facts.head)
    assert model.facts.parameters == sum(parameter.numel() for parameter in plain.parameters())


def test_the_head_of_a_model_in_half_precision_is_computed_in_float32(tmp_path: Path) -> None:
    save(tmp_path / "n", "llama", SMALL)
    half = load(str(tmp_path / "n"), options(dtype="bfloat16"))
    rewards = half.score(c.several())
    assert (rewards != torch.tensor(rewards).bfloat16().double().numpy()).any()
    own: Any = half
    assert own.library_reward(c.several()[0]) is None, "a plain forward would differ by the rounding of the head alone"


def test_it_is_never_guessed(tmp_path: Path) -> None:
    save(tmp_path / "n", "llama", SMALL)
    with pytest.raises(LoadRefusedError, match=r"--as FORMAT") as refused:
        load(str(tmp_path / "n"), LoadOptions(offline=True))
    for name in ("nemotron-hf", "yes-no", "rlhflow-prm", "math-shepherd", "judge"):
        assert name in str(refused.value)
    found = detect(open_checkpoint(str(tmp_path / "n")), options())
    assert found.format == "nemotron-hf"
    assert any("said by the user" in risk for risk in found.reading.risks)


@pytest.mark.parametrize(("kind", "name"), [("llama", "lm_head.weight"), ("gpt_neox", "embed_out.weight")])
def test_a_missing_output_layer_is_named(kind: str, name: str, tmp_path: Path) -> None:
    entries = dict(KINDS[-1][1]) if kind == "gpt_neox" else SMALL
    save(tmp_path / "n", kind, {**entries, "tie_word_embeddings": False})
    c.remove(tmp_path / "n", name)
    with pytest.raises(LoadRefusedError, match=name):
        load(str(tmp_path / "n"), options())


def test_a_missing_embedding_is_named_where_it_is_the_output_layer_too(tmp_path: Path) -> None:
    save(tmp_path / "n", "gpt2", GPT)
    c.remove(tmp_path / "n", "transformer.wte.weight")
    with pytest.raises(LoadRefusedError, match=r"transformer\.wte\.weight"):
        load(str(tmp_path / "n"), options())
