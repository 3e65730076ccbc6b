"""`pure-prm`: what the rows do not show."""

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

CONFIG = c.llama(c.QWEN, model_type="qwen2", architectures=["Qwen2ForTokenClassification"])


def write(root: Path, labels: int = 2, **entries: Any) -> Path:
    c.QWEN.write(root)
    c.write_json(root / "config.json", {**CONFIG, "num_labels": labels, **entries})
    head = {"score.weight": c.normal("w", labels, 16), "score.bias": c.normal("b", labels)}
    c.save(root, c.state(c.base(CONFIG, "pure"), "model.") | head)
    return root


def options(**more: Any) -> LoadOptions:
    return LoadOptions(offline=True, device="cpu", **more)


def values(root: Path, pieces: list[str]) -> list[float]:
    """Each piece made into tokens by itself; the steps end where a line break does."""
    model, tensors = c.loaded(root, CONFIG, "model.")
    ids: list[int] = []
    ends = []
    for piece in pieces:
        ids += c.encode(root, piece, special=False)
        if piece == "\n":
            ends.append(len(ids) - 1)
    found = torch.softmax(c.hidden(model, ids) @ tensors["score.weight"].T + tensors["score.bias"], -1)
    return [float(found[end, 1] - found[end, 0]) for end in ends]


def test_it_is_found_and_blank_lines_are_no_steps(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    assert detect(open_checkpoint(str(root))).format == "pure-prm"
    (scored,) = load(str(root), options()).score_batch([c.talk("What is 1+1?", "Add.\n\n It is 2.\n")])
    wanted = values(root, ["What is 1+1?", "Add.", "\n", "It is 2.", "\n"])
    np.testing.assert_allclose(scored.steps, wanted, atol=1e-5)
    weights = np.exp(-np.array(wanted) / 0.1)
    assert scored.reward == pytest.approx(float((weights * wanted).sum() / weights.sum()), abs=1e-5)


def test_a_line_break_in_the_question_is_not_a_step(tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    (scored,) = load(str(root), options()).score_batch([c.talk("One\ntwo", "three")])
    np.testing.assert_allclose(scored.steps, values(root, ["One\ntwo", "three", "\n"])[-1:], atol=1e-5)


def test_labels_with_names_and_other_numbers_of_labels_are_not_taken_for_it(tmp_path: Path) -> None:
    named = write(tmp_path / "a", id2label={"0": "O", "1": "PERSON"})
    with pytest.raises(LoadRefusedError, match="score"):
        load(str(named), options())
    assert detect(open_checkpoint(str(named)), options(format="pure-prm")).format == "pure-prm"
    one = write(tmp_path / "b", labels=1)
    assert detect(open_checkpoint(str(one))).format == "token-classification"
    with pytest.raises(LoadRefusedError, match="score"):
        load(str(one), options(format="pure-prm"))


def test_its_text_is_no_template(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--template chat"):
        load(str(write(tmp_path / "n")), options(template="chat"))


@pytest.mark.parametrize("name", ["score.weight", "score.bias"])
def test_a_missing_tensor_is_named(name: str, tmp_path: Path) -> None:
    root = write(tmp_path / "n")
    c.remove(root, name)
    with pytest.raises(LoadRefusedError, match=name):
        load(str(root), options())
