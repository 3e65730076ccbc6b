"""`pair-preference`: a language model that names the better of two responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError
from rmaudit.models.families.pair_preference import question
from rmaudit.models.interface import RewardModel
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from rmaudit.models.pairwise import REPLY, Comparison, PairwiseModel
from tests.models.rows import common as c

BOS = "<|begin_of_text|>"
WORDS = c.Words(template=c.LLAMA3, bos=BOS, eos="<|eot_id|>", adds=(f"{BOS} $A",))
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {"tie_word_embeddings": False}),
    ("qwen2", {"tie_word_embeddings": True}),
    ("gemma2", {"final_logit_softcapping": 1.0}),
]
PUBLISHED = (
    "\n{% for message in messages %}{% if loop.index0 % 2 == 0 %}\n\n<turn> user\n {{ message['content'] }}"
    "{% else %}\n\n<turn> assistant\n {{ message['content'] }}{% endif %}{% endfor %}\n\n\n"
)
"""The context template of the model's card."""
PAIRS = [
    ("Why is the sky blue?", "Light scatters.", "No idea"),
    ("Say hi", "hi", f"Hello {BOS}there, how are you today?"),
    ("Name a fruit.", "A pear", "Apples"),
]


def write(root: Path, kind: str, entries: dict[str, Any], scale: float = 1.0) -> Path:
    WORDS.write(root)
    config = AutoConfig.for_model(kind, vocab_size=WORDS.size(), **SMALL, **entries, **c.token_ids(WORDS))
    model = c.shake(
        AutoModelForCausalLM.from_config(config, dtype=torch.float32), kind, std=0.9 if kind == "llama" else 0.3
    )
    if not config.tie_word_embeddings:
        with torch.no_grad():
            model.lm_head.weight.mul_(scale)
    model.save_pretrained(root)
    return root


def options(**more: Any) -> LoadOptions:
    return LoadOptions(format="pair-preference", device="cpu", **more)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("neutral") / "a", *KINDS[0])


def odds(root: Path, context: Conversation, first: str, second: str) -> float:
    """Log-odds of A by the library's class, with context and chat template rendered by its tokenizer."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(root), AutoTokenizer.from_pretrained(root)
    plain = tokenizer.apply_chat_template(context, chat_template=PUBLISHED, tokenize=False)
    asked = f"[CONTEXT] {plain} [RESPONSE A] {first} [RESPONSE B] {second} \n"
    text = tokenizer.apply_chat_template([{"role": "user", "content": asked}], tokenize=False).replace(BOS, "")
    ids = c.encode(root, text, special=False)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
    letters = WORDS.vocabulary()
    return float(logits[letters["A"]] - logits[letters["B"]])


def user(text: str) -> Conversation:
    return [{"role": "user", "content": text}]


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize(("kind", "entries"), KINDS, ids=[kind for kind, _ in KINDS])
def test_a_preference_is_the_mean_probability_of_both_orders(
    kind: str, entries: dict[str, Any], tmp_path: Path
) -> None:
    root = write(tmp_path / "a", kind, entries)
    wanted, rewards = [], []
    for prompt, a, b in PAIRS:
        wanted.append((sigmoid(odds(root, user(prompt), a, b)) + 1 - sigmoid(odds(root, user(prompt), b, a))) / 2)
        rewards.append((odds(root, user(prompt), a, REPLY) - odds(root, user(prompt), REPLY, a)) / 2)
    assert np.std(wanted) > 1e-4
    for size in (1, 8):
        model = load(str(root), options(batch_size=size))
        assert isinstance(model, PairwiseModel)
        np.testing.assert_allclose(model.prefer_batch(PAIRS), wanted, rtol=0, atol=1e-5)
        talks: list[Conversation] = [[*user(p), {"role": "assistant", "content": a}] for p, a, _ in PAIRS]
        np.testing.assert_allclose(model.score(talks), rewards, rtol=0, atol=1e-5)
        for side in ("left", "right"):
            padded = model.padded_rewards(talks, side)  # type: ignore[arg-type]
            assert padded is None or np.allclose(padded, rewards, rtol=0, atol=1e-5)
        assert model.library_reward(talks[0]) == pytest.approx(rewards[0], abs=1e-5)
    assert model.prefer(PAIRS[0][0], PAIRS[0][2], PAIRS[0][1]) == pytest.approx(1 - wanted[0], abs=1e-5)


@pytest.mark.parametrize("turns", [1, 3, 5])
def test_the_context_is_written_as_the_card_does(turns: int, root: Path) -> None:
    texts = ["Hi", "Hello\n\nyou ", " More", "No", "Why\n"][:turns]
    context: Conversation = [
        {"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)
    ]
    plain = AutoTokenizer.from_pretrained(root).apply_chat_template(context, chat_template=PUBLISHED, tokenize=False)
    assert question(Comparison(context, "x", "y")) == f"[CONTEXT] {plain} [RESPONSE A] x [RESPONSE B] y \n"


def test_rewards_go_on_where_probabilities_are_full(tmp_path: Path) -> None:
    model = load(str(write(tmp_path / "a", *KINDS[0], scale=1e4)), options())
    assert all(p in (0, 0.5, 1) for p in model.prefer_batch(PAIRS))
    rewards = model.score([[*user(p), {"role": "assistant", "content": a}] for p, a, _ in PAIRS])
    assert len(set(rewards)) == len(PAIRS)
    assert max(abs(rewards)) > 100


def test_it_is_only_taken_when_the_user_says_so(root: Path) -> None:
    with pytest.raises(LoadRefusedError, match="pair-preference"):
        load(str(root), LoadOptions(device="cpu"))


def test_its_unit_and_its_reply_are_told(root: Path) -> None:
    model = load(str(root), options())
    told = " ".join(model.facts.risks)
    assert "0.5 is indifferent" in told
    assert repr(REPLY) in told
    assert model.pairwise
    assert "RLHFlow" in str(model.facts.template)


def test_a_template_that_leaves_the_responses_out_is_refused(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.jinja"
    file.write_text("{{ messages[0].content[:12] }}", encoding="utf-8")
    with pytest.raises(LoadRefusedError, match="leaves a response out"):
        load(str(root), options(template=str(file)))


def test_a_tokenizer_without_the_letter_is_refused(root: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    made = c.read_json(copy / "tokenizer.json")
    made["model"]["vocab"]["Ω"] = made["model"]["vocab"].pop("B")
    c.write_json(copy / "tokenizer.json", made)
    with pytest.raises(LoadRefusedError, match="the word B"):
        load(str(copy), options())


def test_a_missing_output_layer_is_named(root: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    c.remove(copy, "lm_head.weight")
    with pytest.raises(LoadRefusedError, match=r"lm_head\.weight"):
        load(str(copy), options())


def test_half_a_surrogate_pair_has_no_preference(root: Path) -> None:
    model: RewardModel = load(str(root), options())
    talks: list[Conversation] = [[*user("Hi"), {"role": "assistant", "content": text}] for text in ("\ud800", "hi")]
    first, second = model.score_batch(talks)
    assert first.reward is None
    assert "surrogate" in str(first.reason)
    assert second.reward is not None
