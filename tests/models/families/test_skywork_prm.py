"""`skywork-prm`: what the rows do not show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from rmaudit.errors import LoadRefusedError
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from rmaudit.models.steps import PieceInput
from rmaudit.models.text import Encoded
from tests.models.rows import common as c

WORDS = replace(c.QWEN, bos="<|endoftext|>")
CONFIG = c.llama(WORDS, model_type="qwen2")
HEAD = ("v_head.summary.weight", "v_head.summary.bias")


def write(root: Path, architecture: str, prefix: str = "") -> Path:
    WORDS.write(root)
    c.write_json(root / "config.json", {**CONFIG, "architectures": [architecture]})
    head = {HEAD[0]: c.normal("w", 1, 16), HEAD[1]: c.normal("b", 1)}
    c.save(root, c.state(c.base(CONFIG, "sky"), f"{prefix}model.") | head)
    return root


def options(**more: Any) -> LoadOptions:
    return LoadOptions(offline=True, device="cpu", **more)


def test_the_config_tells_it_from_trls_value_head(tmp_path: Path) -> None:
    own = write(tmp_path / "a", "Qwen2ForPrmModel")
    assert detect(open_checkpoint(str(own))).format == "skywork-prm"
    plain = write(tmp_path / "b", "Qwen2ForCausalLM")
    assert detect(open_checkpoint(str(plain))).format == "trl-value-head"
    assert detect(open_checkpoint(str(plain)), options(format="skywork-prm")).format == "skywork-prm"


def test_every_line_is_valued_as_its_authors_do(tmp_path: Path) -> None:
    root = write(tmp_path / "n", "Qwen2ForPrmModel", prefix="pretrained_model.")
    (scored,) = load(str(root), options()).score_batch([c.talk("What is\n1+1?", "Add.\n\nIt is 2.")])
    model, tensors = c.loaded(root, CONFIG, "pretrained_model.model.")
    ids = c.encode(root, "<|endoftext|>What is\n1+1?\n")
    ends = []
    for line in ("Add.", "", "It is 2."):
        ids += [*c.encode(root, line), *c.encode(root, "\n")]
        ends.append(len(ids) - 1)
    found = torch.sigmoid(c.hidden(model, ids) @ tensors[HEAD[0]][0] + tensors[HEAD[1]])
    np.testing.assert_allclose(scored.steps, found[ends].numpy(), atol=1e-5)
    assert scored.reward == pytest.approx(float(found[ends].mean()), abs=1e-5)


@pytest.mark.parametrize("name", HEAD)
def test_a_missing_tensor_is_named(name: str, tmp_path: Path) -> None:
    root = write(tmp_path / "n", "Qwen2ForPrmModel")
    c.remove(root, name)
    with pytest.raises(LoadRefusedError, match=name):
        load(str(root), options())


def test_a_step_ends_with_one_token_where_the_tokenizer_makes_two_of_a_line_break(tmp_path: Path) -> None:
    c.Words(metaspace=True).write(tmp_path)
    made = PieceInput(AutoTokenizer.from_pretrained(tmp_path), str, lambda answer: answer.split("\n"), "\n", "")
    (encoded,) = made.encode([c.talk("a", "b\nc")])
    assert isinstance(encoded, Encoded)
    assert [made._tokenizer.convert_ids_to_tokens(int(i)) for i in encoded.ids] == [*"▁a▁b", "\n", *"▁c", "\n"]
    assert encoded.marks == (4, 7)
