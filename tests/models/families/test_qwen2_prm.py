"""`qwen2-prm`: what the rows do not show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from tests.models.rows import common as c

CONFIG = c.llama(c.QWEN, model_type="qwen2")
HEAD = ("score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias")
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
MARK = c.QWEN.vocabulary()["<extra_0>"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("n") / "n"
    c.QWEN.write(made)
    c.write_json(made / "config.json", {**CONFIG, "architectures": ["Qwen2ForProcessRewardModel"]})
    head = {
        HEAD[0]: c.normal("a", 16, 16),
        HEAD[1]: c.normal("b", 16),
        HEAD[2]: c.normal("c", 2, 16),
        HEAD[3]: c.normal("d", 2),
    }
    c.save(made, c.state(c.base(CONFIG, "prm"), "model.") | head)
    return made


def steps(root: Path, turns: c.Talk) -> list[float]:
    """Values at the marks of turns that hold them already."""
    model, t = c.loaded(root, CONFIG, "model.")
    ids = c.chat(root, turns)
    inner = torch.relu(c.hidden(model, ids) @ t[HEAD[0]].T + t[HEAD[1]])
    found = torch.softmax(inner @ t[HEAD[2]].T + t[HEAD[3]], -1)[:, 1]
    return [float(found[i]) for i, token in enumerate(ids) if token == MARK]


def options(**more: Any) -> LoadOptions:
    return LoadOptions(offline=True, device="cpu", **more)


def turns(system: str, question: str, answer: str) -> c.Talk:
    return [{"role": "system", "content": system}, *c.talk(question, answer)]


def test_blank_steps_are_none_and_a_system_turn_replaces_the_cards(root: Path) -> None:
    model = load(str(root), options())
    asked = [
        c.talk("What is 1+1?", "Add.\n\n\n\n  It is 2. \n\n"),
        turns("Be brief.", "What is 1+1?", "2"),
        c.talk("What is 1+1?", ""),
    ]
    wanted = [
        steps(root, turns(SYSTEM, "What is 1+1?", "Add.<extra_0>It is 2.<extra_0>")),
        steps(root, turns("Be brief.", "What is 1+1?", "2<extra_0>")),
        steps(root, turns(SYSTEM, "What is 1+1?", "<extra_0>")),
    ]
    scored = model.score_batch(asked)
    for one, values in zip(scored, wanted, strict=True):
        np.testing.assert_allclose(one.steps, values, atol=1e-5)
        assert one.reward == pytest.approx(min(values), abs=1e-5)


def test_a_mark_in_the_question_is_not_a_step(root: Path) -> None:
    (scored,) = load(str(root), options()).score_batch([c.talk("What is <extra_0> for?", "Steps.\n\nIt ends them.")])
    values = steps(root, turns(SYSTEM, "What is <extra_0> for?", "Steps.<extra_0>It ends them.<extra_0>"))
    assert len(values) == 3
    np.testing.assert_allclose(scored.steps, values[1:], atol=1e-5)


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ("last", lambda v: v[-1]),
        ("min", min),
        ("mean", np.mean),
        ("prod", np.prod),
        ("softmin", lambda v: float((torch.softmax(-torch.tensor(v) / 0.1, 0) * torch.tensor(v)).sum())),
    ],
)
def test_the_user_chooses_how_steps_become_one(how: str, wanted: Any, root: Path) -> None:
    model = load(str(root), options(step_aggregate=how))
    values = steps(root, turns(SYSTEM, "Say hi", "Hello<extra_0>there<extra_0>you<extra_0>"))
    reward = model.score([c.talk("Say hi", "Hello\n\nthere\n\nyou")])[0]
    assert reward == pytest.approx(float(wanted(values)), abs=1e-5)


def test_another_aggregate_is_no_choice(root: Path) -> None:
    with pytest.raises(UsageError, match="last, min, mean, prod, softmin"):
        load(str(root), options(step_aggregate="median"))


@pytest.mark.parametrize("name", HEAD)
@pytest.mark.parametrize("architecture", ["Qwen2ForProcessRewardModel", None])
def test_a_missing_tensor_is_named(name: str, architecture: str | None, root: Path, tmp_path: Path) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        tmp_path.joinpath(file).write_bytes(root.joinpath(file).read_bytes())
    c.write_json(tmp_path / "config.json", {**CONFIG, "architectures": [architecture] if architecture else []})
    c.save(tmp_path, {key: value for key, value in c.weights(root).items() if key != name})
    with pytest.raises(LoadRefusedError, match=name):
        load(str(tmp_path), options())


def test_two_outputs_tell_it_from_a_reward_model_of_one(root: Path, tmp_path: Path) -> None:
    assert detect(open_checkpoint(str(root))).format == "qwen2-prm"
    c.QWEN.write(tmp_path)
    c.write_json(tmp_path / "config.json", {**CONFIG, "architectures": ["Qwen2ForRewardModel"]})
    one = {HEAD[2]: c.normal("e", 1, 16), HEAD[3]: c.normal("f", 1)}
    c.save(tmp_path, c.weights(root) | one)
    assert detect(open_checkpoint(str(tmp_path))).format == "qwen2-rm"
