"""`math-shepherd`: what the rows do not show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmaudit.errors import LoadRefusedError
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.models.rows import common as c

# Plain "ки" is a token as well, and comes first in the vocabulary, as in the real one.
WORDS = c.Words(
    template=None,
    pad=None,
    adds=("<s> $A",),
    words=("ки", "ру", "▁ки", "▁+", "▁-"),
    special=c.LLAMA2_SPECIAL,
    metaspace=True,
)
CONFIG = c.llama(WORDS, model_type="mistral", architectures=["MistralForCausalLM"])
LM = "lm_head.weight"


def write(root: Path, words: c.Words = WORDS) -> Path:
    words.write(root)
    c.write_json(root / "config.json", {**CONFIG, "vocab_size": words.size()})
    config = {**CONFIG, "vocab_size": words.size()}
    c.save(root, c.state(c.base(config, "shepherd"), "model.") | {LM: c.normal("shepherd", words.size(), 16)})
    return root


def options(**more: Any) -> LoadOptions:
    return LoadOptions(format="math-shepherd", offline=True, device="cpu", **more)


def values(root: Path, text: str) -> list[float]:
    model, tensors = c.loaded(root, CONFIG, "model.")
    vocab = WORDS.vocabulary()
    ids = c.encode(root, text)
    logits = c.hidden(model, ids) @ tensors[LM][[vocab["▁+"], vocab["▁-"]]].T
    return [float(torch.softmax(logits[i], 0)[0]) for i, token in enumerate(ids) if token == vocab["▁ки"]]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Step 1: 1+1=2 ки\nStep 2: so 2 ки", "1+1? Step 1: 1+1=2 ки\nStep 2: so 2 ки"),
        ("Step 1: 1+1=2 ки\nStep 2: so 2", "1+1? Step 1: 1+1=2 ки\nStep 2: so 2 ки"),
        ("Step 1: 1+1=2\n\nStep 2: so 2\n", "1+1? Step 1: 1+1=2 ки\nStep 2: so 2 ки"),
        ("2", "1+1? 2 ки"),
    ],
)
def test_steps_end_with_the_sign(answer: str, text: str, tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    (scored,) = load(str(root), options()).score_batch([c.talk("1+1?", answer)])
    wanted = values(root, text)
    np.testing.assert_allclose(scored.steps, wanted, atol=1e-5)
    assert scored.reward == pytest.approx(min(wanted), abs=1e-5)


def test_the_sign_within_a_word_and_in_the_question_ends_no_step(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    (scored,) = load(str(root), options()).score_batch([c.talk("What is ки ?", "Two руки\nand more ки")])
    every = values(root, "What is ки ? Two руки\nand more ки")
    (split,) = load(str(root), options()).score_batch([c.talk("What is ки ?", "руки")])
    assert (len(scored.steps), len(split.steps)) == (1, 1)
    np.testing.assert_allclose(scored.steps, every[-1:], atol=1e-5)


def test_batches_and_the_librarys_own_pass(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    talks = [c.talk("1+1?", "\n".join(["1+1=2"] * n)) for n in range(1, 9)]
    model: Any = load(str(root), options(batch_size=8))
    alone = [model.score([talk])[0] for talk in talks]
    np.testing.assert_allclose(model.score(talks), alone, atol=1e-5)
    np.testing.assert_allclose(model.padded_rewards(talks, "left"), alone, atol=1e-5)
    np.testing.assert_allclose([model.library_reward(talk) for talk in talks], alone, atol=1e-5)


def test_a_tokenizer_without_the_sign_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(LoadRefusedError, match="ки"):
        load(str(write(tmp_path / "n", replace(WORDS, words=("▁+", "▁-")))), options())
