"""`yes-no`: what the rows do not show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.models.rows import common as c

LM = "lm_head.weight"
ASKS = c.PLAIN.replace("assistant: ", "assistant\n")
BOTH = c.Words(words=("Yes", "No", " Yes", " No"), template=ASKS, adds=("<s> $A",))


def write(root: Path, words: c.Words = BOTH) -> Path:
    words.write(root)
    config = c.llama(words)
    c.write_json(root / "config.json", config)
    c.save(root, c.state(c.base(config, "yes"), "model.") | {LM: c.normal("yes", words.size(), 16)})
    return root


def options(**more: Any) -> LoadOptions:
    return LoadOptions(format="yes-no", offline=True, device="cpu", **more)


def difference(root: Path, text: str, yes: str, no: str, words: c.Words = BOTH) -> float:
    model, tensors = c.loaded(root, c.llama(words), "model.")
    found = torch.log_softmax(tensors[LM] @ c.hidden(model, c.as_text(root, text))[-1], 0)
    return float(found[words.vocabulary()[yes]] - found[words.vocabulary()[no]])


@pytest.mark.parametrize(
    ("question", "end", "yes", "no"),
    [("{{ ' Good?' }}", " Good?", " Yes", " No"), ("{{ ' Good?\n' }}", " Good?\n", "Yes", "No")],
)
def test_the_answer_is_the_token_that_follows_the_question(
    question: str, end: str, yes: str, no: str, tmp_path: Path
) -> None:
    """After a letter the answer has a space before it, after a line break it has none."""
    root = write(tmp_path / "n")
    file = tmp_path / "asks.jinja"
    file.write_text("{% for m in messages %}{{ m.content }} {% endfor %}" + question, encoding="utf-8")
    model: Any = load(str(root), options(template=str(file), batch_size=8))
    wanted = [difference(root, "".join(f"{t['content']} " for t in talk) + end, yes, no) for talk in c.several()]
    np.testing.assert_allclose(model.score(c.several()), wanted, atol=1e-5)
    np.testing.assert_allclose([model.score([talk])[0] for talk in c.several()], wanted, atol=1e-5)
    for side in ("left", "right"):
        np.testing.assert_allclose(model.padded_rewards(c.several(), side), wanted, atol=1e-5)
    np.testing.assert_allclose([model.library_reward(talk) for talk in c.several()], wanted, atol=1e-5)
    assert f"{yes!r} and {no!r}" in model.facts.template
    assert "asks.jinja" in model.facts.template


def test_the_chat_template_may_ask_by_itself(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    model = load(str(root), options(template="chat"))
    wanted = [difference(root, c.render(root, talk, generation=True), "Yes", "No") for talk in c.several()]
    np.testing.assert_allclose(model.score(c.several()), wanted, atol=1e-5)
    assert "with generation prompt" in str(model.facts.template)


@pytest.mark.parametrize("template", [None, "plain"])
def test_without_a_question_it_is_refused_with_an_example(template: str | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="messages") as refused:
        load(str(write(tmp_path / "n")), options(template=template))
    assert "--template FILE" in str(refused.value)


def test_answers_of_several_tokens_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "n", c.Words(template=ASKS))
    with pytest.raises(LoadRefusedError, match="more than one token"):
        load(str(root), options(template="chat"))


def test_a_missing_output_layer_is_named(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    c.remove(root, LM)
    with pytest.raises(LoadRefusedError, match=LM):
        load(str(root), options(template="chat"))
