"""`steamshp`: a T5 that names the better of two responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError
from rmaudit.models.families.steamshp import question
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from rmaudit.models.pairwise import REPLY, Comparison, PairwiseModel
from tests.models.rows import common as c

WORDS = c.Words(template=None, bos=None, adds=("$A </s>", "$A </s> $B </s>"), squeeze=True)
WORD = WORDS.vocabulary()["A"]
CONFIG: dict[str, Any] = {
    "model_type": "t5",
    "vocab_size": WORDS.size(),
    "d_model": 16,
    "d_ff": 32,
    "d_kv": 8,
    "num_layers": 2,
    "num_heads": 2,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 2,
    "is_encoder_decoder": True,
    "feed_forward_proj": "gated-gelu",
}
OPTIONS: dict[str, Any] = {"format": "steamshp", "device": "cpu"}
PAIRS = [
    ("Why is the sky blue?", "Light scatters.", "No idea"),
    ("Say hi", "hi", "Hello there,\nhow are you today?"),
    ("Name\na fruit.", "A pear", "Apples"),
]


def body(tied: bool) -> Any:
    return T5ForConditionalGeneration(T5Config(**CONFIG, tie_word_embeddings=tied)).eval()


def write(root: Path, tied: bool) -> Path:
    WORDS.write(root)
    entries = {"architectures": ["T5ForConditionalGeneration"], "tie_word_embeddings": tied}
    c.write_json(root / "config.json", {**CONFIG, **entries})
    tensors = c.state(c.shake(body(tied), "t5", std=0.9))
    tensors = {key: value for key, value in tensors.items() if not key.endswith("coder.embed_tokens.weight")}
    del tensors["lm_head.weight"]
    if not tied:
        tensors["lm_head.weight"] = c.normal("t5 output", WORDS.size(), 16, std=0.2)
    c.save(root, tensors)
    return root


def odds(root: Path, tied: bool, prompt: str, first: str, second: str) -> float:
    """Log-odds of the word A among all, by a model whose matrices are put in one by one."""
    model, tensors = body(tied), c.weights(root)
    # The library ties the two matrices whatever the config says, so the output has to be parted from the input first.
    model.lm_head.weight = torch.nn.Parameter(tensors.get("lm_head.weight", tensors["shared.weight"]).clone())
    model.load_state_dict(tensors, strict=False)
    prompt, first, second = (text.replace("\n", " ") for text in (prompt, first, second))
    text = f"POST: {prompt}\n\n RESPONSE A: {first}\n\n RESPONSE B: {second}\n\n Which response is better? RESPONSE"
    with torch.no_grad():
        ids = torch.tensor([c.encode(root, text)])
        p = model(input_ids=ids, decoder_input_ids=torch.tensor([[0]])).logits[0, 0].double().softmax(0)[WORD]
    return float(torch.log(p) - torch.log1p(-p))


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize("tied", [False, True])
def test_preferences_are_those_of_an_independent_forward_pass(tied: bool, tmp_path: Path) -> None:
    """Trap: the output layer is one of its own, and the library would tie it to the embedding."""
    root = write(tmp_path / "a", tied)
    orders = [(odds(root, tied, p, a, b), odds(root, tied, p, b, a)) for p, a, b in PAIRS]
    wanted = [(sigmoid(one) + 1 - sigmoid(two)) / 2 for one, two in orders]
    assert np.std([x for pair in orders for x in pair]) > 1e-2
    rewards = [(odds(root, tied, p, a, REPLY) - odds(root, tied, p, REPLY, a)) / 2 for p, a, _ in PAIRS]
    talks: list[Conversation] = [
        [{"role": "user", "content": p}, {"role": "assistant", "content": a}] for p, a, _ in PAIRS
    ]
    for size in (1, 8):
        model = load(str(root), LoadOptions(**OPTIONS, batch_size=size))
        assert isinstance(model, PairwiseModel)
        np.testing.assert_allclose(model.prefer_batch(PAIRS), wanted, rtol=0, atol=1e-6)
        np.testing.assert_allclose(model.score(talks), rewards, rtol=0, atol=1e-5)
    # The library's generation, which the card shows, begins in the same way.
    np.testing.assert_allclose([model.library_reward(talk) for talk in talks], rewards, rtol=0, atol=1e-5)


def test_an_untied_output_layer_must_be_there(tmp_path: Path) -> None:
    """The library would put the embedding in its place without a word."""
    c.remove(write(tmp_path / "a", False), "lm_head.weight")
    with pytest.raises(LoadRefusedError, match=r"lm_head\.weight"):
        load(str(tmp_path / "a"), LoadOptions(**OPTIONS))


def test_turns_become_one_post() -> None:
    context: Conversation = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "More"},
    ]
    text = question(Comparison(context, "a", "b"))
    assert text.startswith("POST: User: Hi  Assistant: Hello  User: More\n\n RESPONSE A: a\n\n RESPONSE B: b\n\n")


def test_it_is_only_taken_when_the_user_says_so(tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match="--as steamshp"):
        load(str(write(tmp_path / "a", False)), LoadOptions(device="cpu"))


def test_another_model_is_not_taken_for_one(tmp_path: Path) -> None:
    root = write(tmp_path / "a", False)
    config = c.read_json(root / "config.json")
    c.write_json(root / "config.json", config | {"architectures": ["T5EncoderModel"]})
    with pytest.raises(LoadRefusedError, match="T5EncoderModel"):
        load(str(root), LoadOptions(**OPTIONS))
