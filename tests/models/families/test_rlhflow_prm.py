"""`rlhflow-prm`: what the rows do not show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmaudit.errors import LoadRefusedError
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.models.rows import common as c

WORDS = c.Words(template=c.LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>", adds=("<|begin_of_text|> $A",))
CONFIG = c.llama(WORDS)
LM = "lm_head.weight"


def write(root: Path, words: c.Words = WORDS) -> Path:
    words.write(root)
    config = c.llama(words)
    c.write_json(root / "config.json", config)
    c.save(root, c.state(c.base(config, "flow"), "model.") | {LM: c.normal("flow", words.size(), 16)})
    return root


def options(**more: Any) -> LoadOptions:
    return LoadOptions(format="rlhflow-prm", offline=True, device="cpu", **more)


def values(root: Path, users: list[str], before: c.Talk | None = None) -> list[float]:
    """One forward pass a step, read two tokens before the end, as the authors' evaluation does."""
    model, tensors = c.loaded(root, CONFIG, "model.")
    rows = [WORDS.vocabulary()[sign] for sign in "+-"]
    turns = list(before or [])
    found = []
    for user in users:
        turns += c.talk(user, "+")
        logits = tensors[LM][rows] @ c.hidden(model, c.chat(root, turns))[-3]
        found.append(float(torch.softmax(logits, 0)[0]))
    return found


def test_signs_in_a_step_are_no_places_to_read(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    (scored,) = load(str(root), options()).score_batch([c.talk("1+2-3?", "+\n\n1+2=3, 3-3=0 +\n\n\n\n-")])
    wanted = values(root, ["1+2-3? +", "1+2=3, 3-3=0 +", "-"])
    np.testing.assert_allclose(scored.steps, wanted, atol=1e-5)
    assert scored.reward == pytest.approx(float(np.mean(wanted)), abs=1e-5)


def test_steps_are_parted_at_the_sign_of_the_other_training_set_where_it_stands(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    (scored,) = load(str(root), options()).score_batch([c.talk("Why?", "One\n\nand a half. ки\nTwo.")])
    np.testing.assert_allclose(scored.steps, values(root, ["Why? One\n\nand a half.", "Two."]), atol=1e-5)


def test_system_and_earlier_turns(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    system: c.Talk = [{"role": "system", "content": "Be kind."}]
    talk = [*system, *c.talk("Hi", "Hello"), *c.talk("Why?", "So.")]
    (scored,) = load(str(root), options()).score_batch([talk])
    question = "User: Hi\n\nAssistant: Hello\n\nUser: Why?"
    np.testing.assert_allclose(scored.steps, values(root, [f"{question} So."], system), atol=1e-5)


def test_batches_and_the_librarys_own_pass(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    talks = [c.talk("1+1?", "\n\n".join(["1+1=2"] * n)) for n in range(1, 9)]
    model: Any = load(str(root), options(batch_size=8))
    alone = [model.score([talk])[0] for talk in talks]
    np.testing.assert_allclose(model.score(talks), alone, atol=1e-5)
    np.testing.assert_allclose(model.padded_rewards(talks, "left"), alone, atol=1e-5)
    np.testing.assert_allclose([model.library_reward(talk) for talk in talks], alone, atol=1e-5)
    assert [len(scored.steps) for scored in model.score_batch(talks)] == list(range(1, 9))


def test_a_template_that_leaves_the_signs_out_is_refused(tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ m.role }}: {{ '' if m.content in '+-' else m.content }}\n{% endfor %}"
    with pytest.raises(LoadRefusedError, match="one token"):
        load(str(write(tmp_path / "n", replace(WORDS, template=template))), options())


def test_the_output_layer_may_be_the_embedding(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    talks = [c.talk("1+1?", "2"), c.talk("1+1?", "1+1\n\nis 2")]
    tensors = c.weights(root)
    tensors[LM] = tensors["model.embed_tokens.weight"].clone()
    c.save(root, tensors)
    wanted = load(str(root), options()).score(talks)
    c.remove(root, LM)
    with pytest.raises(LoadRefusedError, match=LM):
        load(str(root), options())
    c.write_json(root / "config.json", {**CONFIG, "tie_word_embeddings": True})
    np.testing.assert_allclose(load(str(root), options()).score(talks), wanted, atol=1e-6)
