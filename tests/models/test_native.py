"""Rewards against a plain forward pass of the library, one conversation at a time and without padding."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.models import tiny

Make = Callable[[Path], Path]
Talks = Any

DECODERS: dict[str, Make] = {
    "llama": tiny.llama,
    "llama, tokenizer writes bos": lambda root: tiny.llama(root, bos=True),
    "llama, template and tokenizer write bos": lambda root: tiny.llama(
        root, bos=True, template="{{ bos_token }}" + tiny.TEMPLATE
    ),
    "llama, no padding token": lambda root: tiny.llama(root, pad_id=None, pad=None),
    "llama, padding token is eos": lambda root: tiny.llama(root, pad_id=2, pad="</s>"),
    "llama, only the tokenizer pads with eos": lambda root: tiny.llama(root, pad_id=None, pad="</s>"),
    "gpt2": tiny.gpt2,
    "gpt2, padding token is eos": lambda root: tiny.gpt2(root, pad_id=2, pad="</s>"),
}
ENCODERS: dict[str, Make] = {"bert": tiny.bert, "roberta": tiny.roberta, "mpnet": tiny.mpnet, "convbert": tiny.convbert}


def expected(root: Path, text: Callable[[Any, Any], Any]) -> np.ndarray:
    """Rewards by the library alone."""
    tokenizer = AutoTokenizer.from_pretrained(root)
    model = AutoModelForSequenceClassification.from_pretrained(root, num_labels=1).eval()
    with torch.no_grad():
        return np.array([float(model(**text(tokenizer, c)).logits[0, 0]) for c in tiny.conversations()])


def templated(tokenizer: Any, conversation: Any) -> Any:
    text = tokenizer.apply_chat_template(conversation, tokenize=False)
    special = tokenizer.bos_token is None or not text.startswith(tokenizer.bos_token)
    return tokenizer(text, return_tensors="pt", add_special_tokens=special)


def paired(tokenizer: Any, conversation: Any) -> Any:
    *context, answer = conversation
    question = context[0]["content"]
    if len(context) > 1:
        question = "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in context)
    return tokenizer(question, answer["content"], return_tensors="pt")


@pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS.keys())
def test_decoders_score_as_the_library_does(tmp_path: Path, make: Make) -> None:
    root = make(tmp_path / "m")
    model = load(str(root))
    talks: Talks = tiny.conversations()
    rewards = model.score(talks)
    assert rewards == pytest.approx(expected(root, templated), abs=1e-5)
    assert np.std(rewards) > 0.1, "a test that constant rewards would pass shows nothing"
    for size in (1, 3):
        alone = [s.reward for i in range(0, len(talks), size) for s in model.score_batch(talks[i : i + size])]
        assert rewards == pytest.approx(alone, abs=1e-5)
    left = model.padded_rewards(talks, "left")  # type: ignore[attr-defined]
    assert rewards == pytest.approx(left, abs=2e-5)
    assert model.score(talks[::-1])[::-1] == pytest.approx(rewards, abs=1e-5)


@pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS.keys())
def test_encoders_of_pairs_score_as_the_library_does(tmp_path: Path, make: Make) -> None:
    root = make(tmp_path / "m")
    model = load(str(root))
    talks: Talks = tiny.conversations()
    rewards = model.score(talks)
    assert model.facts.format == "seqcls-pair"
    assert rewards == pytest.approx(expected(root, paired), abs=1e-5)
    assert rewards == pytest.approx([model.score([c])[0] for c in talks], abs=1e-5)
    assert model.padded_rewards(talks, "left") is None  # type: ignore[attr-defined]


def test_an_encoder_with_a_template_scores_as_the_library_does(tmp_path: Path) -> None:
    root = tiny.bert(tmp_path / "m", template=tiny.TEMPLATE)
    talks: Talks = tiny.conversations()
    assert load(str(root)).score(talks) == pytest.approx(expected(root, templated), abs=1e-5)


def test_shards_and_a_second_load_change_nothing(llama: Path, tmp_path: Path) -> None:
    talks: Talks = tiny.conversations()
    once, twice, sharded = load(str(llama)), load(str(llama)), load(str(tiny.llama(tmp_path / "s", shard="4KB")))
    assert len(sharded.identity.files) > len(once.identity.files)
    assert list(once.score(talks)) == list(twice.score(talks)) == list(sharded.score(talks))


@pytest.mark.parametrize(
    ("begin", "bos", "told"),
    [
        ("", False, "no begin-of-text token"),
        ("", True, "<s> from the tokenizer"),
        ("{{ bos_token }}", True, "<s> from the template"),
    ],
)
def test_the_begin_of_text_token_is_written_at_most_once(tmp_path: Path, begin: str, bos: bool, told: str) -> None:
    model = load(str(tiny.llama(tmp_path / "m", bos=bos, template=begin + tiny.TEMPLATE)))
    assert told in str(model.facts.template)


def test_a_doubled_begin_of_text_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match="2 begin-of-text tokens"):
        load(str(tiny.llama(tmp_path / "m", template="{{ bos_token }}{{ bos_token }}" + tiny.TEMPLATE)))


def test_facts_tell_how_the_scalar_is_made(llama: Path, bert: Path) -> None:
    facts = load(str(llama)).facts
    assert (facts.format, facts.head, facts.dtype, facts.device) == ("seqcls", "score.weight [1, 16]", "float32", "cpu")
    assert facts.pooling == "last token other than the padding token (0)"
    assert (facts.max_length, facts.architecture) == (256, "LlamaModel")
    assert str(load(str(bert)).facts.head).endswith("classifier.weight [1, 16]")


def test_a_long_conversation_is_not_cut_but_left_out(tmp_path: Path) -> None:
    model = load(str(tiny.llama(tmp_path / "m", positions=40)))
    short: Talks = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    long: Talks = [{"role": "user", "content": "a" * 30}, {"role": "assistant", "content": "b" * 30}]
    assert model.lengths([short, long]) == [6, 64]
    scored = model.score_batch([long, short])
    assert scored[0].reward is None
    assert scored[0].truncated
    assert scored[0].reason == "64 tokens, and the model reads at most 40"
    assert scored[1].reward == pytest.approx(model.score([short])[0], abs=1e-6)
    fitting = load(str(tmp_path / "m"), LoadOptions(max_length=5)).score_batch([short])[0]
    assert fitting.truncated
    with pytest.raises(UsageError, match="at most 40"):
        load(str(tmp_path / "m"), LoadOptions(max_length=41))


def test_an_encoder_reads_no_further_than_its_positions(tmp_path: Path) -> None:
    model = load(str(tiny.roberta(tmp_path / "m")))
    limit = model.facts.max_length
    assert limit == 129
    fits: Talks = [{"role": "user", "content": "a" * 100}, {"role": "assistant", "content": "b" * (limit - 103)}]
    over: Talks = [{"role": "user", "content": "a" * 100}, {"role": "assistant", "content": "b" * (limit - 102)}]
    assert model.lengths([fits, over]) == [limit, limit + 1]
    assert [scored.truncated for scored in model.score_batch([fits, over])] == [False, True]


def test_tokens_counted_for_planning_are_those_that_are_scored(llama: Path) -> None:
    model = load(str(llama))
    talks: Talks = tiny.conversations()
    lengths = model.lengths(talks)
    scored = model.score_batch(talks)
    assert [entry.tokens for entry in scored] == lengths
    assert [entry.reward for entry in load(str(llama)).score_batch(talks)] == [entry.reward for entry in scored]


def test_a_conversation_that_the_template_refuses_costs_the_others_nothing(tmp_path: Path) -> None:
    strict = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}" + tiny.TEMPLATE
    )
    model = load(str(tiny.llama(tmp_path / "m", template=strict)))
    talks: Talks = tiny.conversations()[2:5]
    scored = model.score_batch(talks)
    assert [entry.reward is None for entry in scored] == [False, True, False]
    assert "chat template" in str(scored[1].reason)


def test_answers_that_are_no_numbers_are_no_rewards(llama: Path, tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "m")
    state = load_file(root / "model.safetensors")
    state["score.weight"][0, 0] = float("nan")
    save_file(state, root / "model.safetensors", {"format": "pt"})
    scored = load(str(root)).score_batch(tiny.conversations()[:2])  # type: ignore[arg-type]
    assert [(entry.reward, entry.reason) for entry in scored] == [(None, "the model answered nan")] * 2


def test_odd_texts_are_scored(llama: Path) -> None:
    texts = ["", " ", "</s>", "<pad>", "<pad><pad>", "\0", "é" * 50, "<|assistant|>hi", "{{ 7 * 7 }}"]
    talks: Talks = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": text}] for text in texts]
    model = load(str(llama))
    together = model.score(talks)
    assert np.isfinite(together).all()
    assert together == pytest.approx([model.score([talk])[0] for talk in talks], abs=1e-5)


def test_large_batches_are_split_by_tokens(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talks: Talks = tiny.conversations()
    whole = load(str(llama)).score(talks)
    monkeypatch.setattr("rmaudit.models.passes.TOKENS_PER_PASS", 100)
    monkeypatch.setattr("rmaudit.models.passes.TREE_TOKENS", 100)
    assert load(str(llama)).score(talks) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (LoadOptions(device="tpu9"), "no device tpu9"),
        (LoadOptions(device="cuda:77"), "no device cuda:77"),
        (LoadOptions(dtype="float8"), "no dtype float8"),
        (LoadOptions(batch_size=0), "at least 1"),
        (LoadOptions(max_length=0), "at least 1"),
    ],
)
def test_options_out_of_range_are_usage_errors(llama: Path, options: LoadOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(str(llama), options)


def test_sixteen_bits_keep_the_head_in_thirty_two(llama: Path) -> None:
    talks: Talks = tiny.conversations()
    model = load(str(llama), LoadOptions(dtype="bfloat16", batch_size=7))
    assert (model.facts.dtype, model.batch_size) == ("bfloat16", 7)
    rewards = model.score(talks)
    assert np.corrcoef(rewards, load(str(llama)).score(talks))[0, 1] > 0.99
    assert any(float(torch.tensor(reward).bfloat16()) != reward for reward in rewards)


def test_loading_and_scoring_print_nothing(llama: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        load(str(llama)).score(tiny.conversations())  # type: ignore[arg-type]
    assert (out.getvalue(), err.getvalue()) == ("", "")


@pytest.mark.parametrize("make", [tiny.llama, tiny.bert])
def test_half_a_surrogate_pair_costs_the_others_nothing(tmp_path: Path, make: Make) -> None:
    model = load(str(make(tmp_path / "m")))
    talks: Talks = tiny.conversations()[:3]
    talks[1][0]["content"] = "a\ud800b"
    assert model.lengths(talks)[1] == 0
    scored = model.score_batch(talks)
    assert [entry.reward is None for entry in scored] == [False, True, False]
    assert "surrogate" in str(scored[1].reason)


def test_a_token_beyond_the_embedding_is_no_reward(tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(root)
    tokenizer.add_tokens(["ß"])
    tokenizer.save_pretrained(root)
    talks: Talks = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": text}] for text in ("ß", "b")]
    odd, plain = load(str(root)).score_batch(talks)
    assert odd.reward is None
    assert "token 78 is not among the 78" in str(odd.reason)
    assert plain.reward is not None


def test_a_template_that_drops_the_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match="leaves the answer out"):
        load(str(tiny.llama(tmp_path / "m", template="<|user|>{{ messages[0]['content'] }}")))


def test_what_cannot_fit_into_memory_is_refused_before_it_is_read(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: 100)
    with pytest.raises(LoadRefusedError, match="bfloat16"):
        load(str(llama))


def test_a_model_that_its_weights_cannot_fill_is_refused_before_room_is_made_for_it(tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "m")
    many = {"num_hidden_layers": 100, "num_attention_heads": 16, "num_key_value_heads": 16, "head_dim": 600}
    tiny.edit_json(root / "config.json", **many)
    with pytest.raises(LoadRefusedError, match=r"it describes 6\d,\d+,\d+ numbers, and there are \d,\d+"):
        load(str(root))


def test_a_config_that_contradicts_itself_is_refused_for_that(tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "m")
    tiny.edit_json(root / "config.json", num_attention_heads=5)
    with pytest.raises(LoadRefusedError, match=r"not a config of a llama .*multiple of the number of attention heads"):
        load(str(root))


@pytest.mark.parametrize(
    ("extra", "steady"),
    [
        ("", True),
        ("{# what it knows now #}", False),  # rather read again than wrong
        ("{{ strftime_now('%d') if strftime_now is defined }}", False),
        ("{{ ['a', 'b'] | random }}", False),
        ("{{ lipsum(n=1) }}", False),
        ("{# knowledge #}", True),
    ],
)
def test_only_a_steady_text_may_be_remembered(extra: str, steady: bool, tmp_path: Path) -> None:
    model = load(str(tiny.llama(tmp_path, template=tiny.TEMPLATE + extra)))
    assert (model.reads_by is not None) == steady


def test_what_is_remembered_depends_on_sizes_and_ways(tmp_path: Path) -> None:
    root = str(tiny.llama(tmp_path))
    model, again, small = load(root), load(root), load(root, LoadOptions(batch_size=3))
    assert model.reads_by == again.reads_by != small.reads_by
    again.share = False
    assert again.reads_by != model.reads_by
