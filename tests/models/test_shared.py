"""Trees give the rewards of the plain path, and a network that mixes tokens in its own way is never run on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as t
from hypothesis import given, settings
from hypothesis import strategies as st

from rmaudit.models import passes
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from rmaudit.models.shared import SharedPass, Ways, _try_last_layer, find_ways
from rmaudit.models.tree import pack
from rmaudit.scoring.plan import make_plan
from rmaudit.suites.spec import Arm, Item
from tests.models import tiny

WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64}
GATED = WIDE | {"intermediate_size": 48, "num_key_value_heads": 2}
CONFIGS = {
    "llama": lambda: t.LlamaConfig(**GATED),
    "qwen2": lambda: t.Qwen2Config(**GATED),
    "qwen3": lambda: t.Qwen3Config(**GATED, head_dim=8),
    "mistral": lambda: t.MistralConfig(**GATED, sliding_window=4096),
    "gemma2": lambda: t.Gemma2Config(**GATED, head_dim=8, attn_logit_softcapping=1.0),
    "gpt2": lambda: t.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64),
    "gpt_neox": lambda: t.GPTNeoXConfig(**WIDE, intermediate_size=48),
    "opt": lambda: t.OPTConfig(**WIDE, ffn_dim=48, word_embed_proj_dim=32),
}
IDS = np.arange(3, 20, dtype=np.int32)


def made(config: Any) -> Any:
    torch.manual_seed(0)
    model = t.AutoModel.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # so that attention weights differ
    return model


def states(model: Any, ids: Any) -> torch.Tensor:
    wanted: torch.Tensor = model(input_ids=torch.tensor(np.asarray(ids)[None]).long()).last_hidden_state[0]
    return wanted


def ways(model: Any) -> Ways:
    with torch.inference_mode():
        return find_ways(model, lambda inputs: model(**inputs).last_hidden_state, IDS, "float32")


@pytest.mark.parametrize("name", CONFIGS)
def test_states_are_those_of_each_conversation_alone(name: str) -> None:
    model = made(CONFIGS[name]())
    kernel = model.config._attn_implementation
    shared = ways(model).shared
    assert shared is not None
    rng = np.random.default_rng(0)
    for prompt in (0, 5, 300):  # the longer the prompt, the more pieces
        start = rng.integers(0, 64, prompt)
        sequences = [np.append(start, rng.integers(0, 3, rng.integers(1, 9))).astype(np.int32) for _ in range(9)]
        sequences += [sequences[0], sequences[1][:-1] if len(sequences[1]) > 1 else sequences[1]]
        with torch.inference_mode():
            found = shared(pack(sequences))
            for own, ids in zip(found, sequences, strict=True):
                wanted = states(model, ids)
                assert float((own[: len(ids)] - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())
    assert model.config._attn_implementation == kernel


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3", "mistral", "gemma2", "gpt_neox"])
def test_the_last_layer_computes_only_what_is_read(name: str) -> None:
    model = made(CONFIGS[name]())
    shared = ways(model).shared
    assert shared is not None
    assert shared.last is model.layers[-1]
    rng = np.random.default_rng(0)
    start = rng.integers(0, 64, 40)
    sequences = [np.append(start, rng.integers(0, 3, rng.integers(1, 9))).astype(np.int32) for _ in range(7)]
    wanted = [(len(ids) - 1,) if i % 2 else (3, len(ids) - 1) for i, ids in enumerate(sequences)]
    sizes: list[int] = []
    hook = model.layers[-1].register_forward_hook(lambda module, args, out: sizes.append(out.shape[1]))
    with torch.inference_mode():
        found = shared.at(pack(sequences), wanted)
    hook.remove()
    alone = torch.cat([states(model, ids)[list(own)] for ids, own in zip(sequences, wanted, strict=True)]).detach()
    assert float((found - alone).abs().max()) < 1e-5 * float(alone.abs().max())
    assert sizes[0] <= sum(map(len, wanted)) < pack(sequences).size


def test_a_last_layer_that_cannot_be_cut_is_computed_whole() -> None:
    """Its tokens look at each other outside attention, so that fewer of them give other states."""
    model = made(CONFIGS["llama"]())
    model.layers[-1].mlp.register_forward_hook(lambda module, args, out: out + args[0].shape[1] / 10)
    shared = SharedPass(model)
    texts = [np.arange(3, 20, dtype=np.int32), np.arange(3, 12, dtype=np.int32)]
    with torch.inference_mode():
        whole = shared(pack(texts))
        _try_last_layer(shared, texts, whole, 1e-4)
        assert shared.last is None
        ends = shared.at(pack(texts), [(len(ids) - 1,) for ids in texts])
    assert torch.allclose(ends, torch.stack([own[len(ids) - 1] for own, ids in zip(whole, texts, strict=True)]))


@pytest.mark.parametrize(
    "config", [t.BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=64), t.GPTJConfig(
        n_embd=32, n_layer=2, n_head=4, rotary_dim=4, vocab_size=64
    )], ids=["bloom", "gptj"]
)  # fmt: skip
def test_attention_of_another_make_needs_no_mask_and_has_no_trees(config: Any) -> None:
    found = ways(made(config))
    assert (found.shared, found.unmasked) == (None, True)
    assert found.note


def test_an_encoder_keeps_its_mask() -> None:
    assert ways(made(t.BertConfig(**WIDE, intermediate_size=48))) == Ways()


def test_a_network_that_looks_at_its_neighbours_has_no_trees() -> None:
    """A layer that adds the state of the token before is causal, but in a tree its neighbour is a stranger."""
    model = made(CONFIGS["llama"]())
    model.layers[0].register_forward_hook(lambda module, args, out: out + 0.1 * out.roll(1, dims=1))
    model.layers[0].register_forward_hook(lambda module, args, out: out.index_fill(1, torch.tensor([0]), 0.0))
    found = ways(model)
    assert (found.shared, found.unmasked) == (None, True)
    assert "moved a hidden state" in str(found.note)


def test_a_network_that_does_not_heed_its_window_is_not_asked_to() -> None:
    assert ways(made(t.MistralConfig(**GATED, sliding_window=8))).shared is None
    shared = ways(made(t.MistralConfig(**GATED, sliding_window=64))).shared
    assert shared is not None
    assert shared.longest == 64


def test_positions_that_depend_on_the_longest_text_have_no_trees() -> None:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    assert not SharedPass.possible(made(t.LlamaConfig(**GATED, rope_parameters=rope)))


@pytest.mark.parametrize("options", [LoadOptions(), LoadOptions(batch_size=3), LoadOptions(dtype="bfloat16")])
def test_rewards_are_those_of_the_padded_path(
    options: LoadOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "rmaudit.models.native.cheapest", lambda sequences, budget, cost: list(passes.tree_passes(sequences, budget))
    )
    model: Any = load(str(tiny.llama(tmp_path)), options)
    assert model.facts.passes.startswith("equal beginnings are computed once")
    talks = [talk for prompt in "ab" for talk in arms(prompt * 40, 9)]
    padded = model.padded_rewards(talks, "right")
    assert model.score(talks) == pytest.approx(padded, abs=1e-5 if options.dtype is None else 0.05)
    assert model.work.computed == model.work.unique < model.work.tokens
    assert model.work.padding == 0


def arms(prompt: str, count: int) -> list[Any]:
    return [
        [{"role": "user", "content": prompt}, {"role": "assistant", "content": "yes " * (i % 4) + f"then {i}"}]
        for i in range(count)
    ]


def test_the_plan_keeps_together_what_begins_alike_and_tells_its_tokens(tmp_path: Path) -> None:
    model = load(str(tiny.llama(tmp_path)), LoadOptions(batch_size=3))
    items = [
        Item(
            id=prompt,
            cluster=prompt,
            prompt=[{"role": "user", "content": prompt * 9}],
            arms={f"r{i}": Arm(response=f"{i} is short" + " and longer" * len(prompt) * i) for i in range(3)},
        )
        for prompt in ("a", "bb", "ccc", "dddd")
    ]
    plan = make_plan([], [("s", items)], model)
    assert [len({place.item for (place,) in batch.targets}) for batch in plan.batches] == [1] * 4
    lengths = [max(model.lengths(batch.conversations)) for batch in plan.batches]
    assert lengths == sorted(lengths, reverse=True)
    assert plan.work is not None
    assert plan.work.tokens == sum(sum(model.lengths(batch.conversations)) for batch in plan.batches)
    assert plan.work.unique < plan.work.tokens


SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), max_size=20)


@given(SEQUENCES, st.integers(1, 30), st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_groups_hold_each_conversation_once_within_their_budget(
    sequences: list[list[int]], budget: int, most: int
) -> None:
    given = {i * 7: np.array(ids, dtype=np.int32) for i, ids in enumerate(sequences)}
    groups = list(passes.neighbours(given, budget, most))
    assert sorted(i for group in groups for i in group) == list(given)
    for group in groups:
        assert 1 <= len(group) <= most
        assert len(group) == 1 or pack([given[i] for i in group]).size <= budget
        # A group is one pass: cut again it stays whole.
        assert list(passes.neighbours({i: given[i] for i in group}, budget, most)) == [group]


@pytest.mark.parametrize("cost", [10.0, 3_000.0])
def test_padded_passes_hold_each_conversation_once_and_cut_where_padding_costs_more(cost: float) -> None:
    rng = np.random.default_rng(0)
    given = {i * 3: np.zeros(n, dtype=np.int32) for i, n in enumerate(rng.choice([20, 21, 22, 400, 410], 60))}
    found = passes.padded_passes(given, cost, mix=True)
    assert sorted(i for one in found for i in one.chosen) == list(given)
    assert all(one.longest * len(one.chosen) <= passes.TOKENS_PER_PASS for one in found)
    spread = [one.longest - min(len(given[i]) for i in one.chosen) for one in found]
    assert max(spread) < 20, "short ones never stand beside long ones"
    apart = passes.padded_passes(given, cost, mix=False)
    assert all(len({len(given[i]) for i in one.chosen}) == 1 for one in apart)
    assert len(apart) == 5
    assert len(found) <= 5


def test_the_cheapest_way_follows_what_is_shared() -> None:
    rng = np.random.default_rng(0)
    prompt = rng.integers(0, 99, 200).astype(np.int32)
    alike = {i: np.append(prompt, rng.integers(0, 99, 20)).astype(np.int32) for i in range(8)}
    apart = {i: rng.integers(0, 99, 220).astype(np.int32) for i in range(8)}
    uneven = {i: rng.integers(0, 99, 20 + 60 * i).astype(np.int32) for i in range(8)}
    assert all(one.tree is not None for one in passes.cheapest(alike, 2048, 1000.0))
    assert all(one.tree is None for one in passes.cheapest(apart, 2048, 1000.0))
    assert all(one.tree is not None for one in passes.cheapest(uneven, 2048, 1000.0))
    short = {i: ids[: 20 + i] for i, ids in uneven.items()}
    assert all(one.tree is None for one in passes.cheapest(short, 2048, 0.01)), "for a tiny model calls cost most"
