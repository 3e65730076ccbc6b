from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.detect import detect
from rmaudit.models.families import families
from rmaudit.models.family import Detection
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from tests.models import tiny

Copy = Callable[[Path], Path]


def retensor(root: Path, drop: tuple[str, ...] = (), **add: torch.Tensor) -> None:
    """Take tensors out of a checkpoint and put others in; dots in names are written as double underscores."""
    state = {name: tensor for name, tensor in load_file(root / "model.safetensors").items() if name not in drop}
    state |= {name.replace("__", "."): tensor for name, tensor in add.items()}
    save_file(state, root / "model.safetensors", {"format": "pt"})


def found(root: Path, **options: Any) -> Detection:
    return detect(open_checkpoint(str(root)), LoadOptions(**options))


def test_a_decoder_with_a_template_is_seqcls(llama: Path) -> None:
    checkpoint = open_checkpoint(str(llama))
    assert (checkpoint.architecture, checkpoint.model_type) == ("LlamaForSequenceClassification", "llama")
    assert checkpoint.parameters == sum(t.numel() for t in load_file(llama / "model.safetensors").values())
    detection = detect(checkpoint)
    assert detection.format == "seqcls"
    assert [str(tensor) for tensor in detection.reading.head] == ["score.weight [1, 16]"]
    assert any("score.weight [1, 16]" in line for line in detection.evidence)


def test_an_encoder_is_told_by_its_template(bert: Path, copy_of: Copy) -> None:
    assert found(bert).format == "seqcls-pair"
    root = copy_of(bert)
    tiny.edit_json(root / "tokenizer_config.json", chat_template=tiny.TEMPLATE)
    assert found(root).format == "seqcls"
    assert found(root, format="seqcls-pair").format == "seqcls-pair"
    assert [tensor.name for tensor in found(bert).reading.head] == [
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.bias",
        "classifier.weight",
    ]


def test_a_missing_decoder_head_is_named_before_any_weight_is_loaded(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, drop=("score.weight",))
    for forced in (None, "seqcls"):
        with pytest.raises(LoadRefusedError, match=r"lack score\.weight") as refusal:
            found(root, format=forced)
    assert refusal.value.exit_code == 3


def test_a_missing_part_of_an_encoder_head_is_named(bert: Path, copy_of: Copy) -> None:
    root = copy_of(bert)
    retensor(root, drop=("classifier.weight", "classifier.bias"))
    with pytest.raises(LoadRefusedError, match=r"lack classifier\.weight, classifier\.bias"):
        load(str(root))
    retensor(
        root, drop=("bert.pooler.dense.bias",), classifier__weight=torch.zeros(1, 16), classifier__bias=torch.zeros(1)
    )
    with pytest.raises(LoadRefusedError, match=r"lack bert\.pooler\.dense\.bias"):
        load(str(root))


def test_a_missing_backbone_weight_is_named(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, drop=("model.layers.1.mlp.up_proj.weight",))
    with pytest.raises(LoadRefusedError, match=r"missing: model\.layers\.1\.mlp\.up_proj\.weight"):
        load(str(root))


def test_a_weight_of_another_shape_is_refused(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, model__norm__weight=torch.ones(8))
    with pytest.raises(LoadRefusedError, match=r"norm\.weight"):
        load(str(root))


def test_weights_that_take_no_part_are_refused_but_a_language_model_head(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, model__extra__weight=torch.ones(8))
    with pytest.raises(LoadRefusedError, match=r"left over: model\.extra\.weight"):
        load(str(root))
    retensor(root, drop=("model.extra.weight",), lm_head__weight=torch.ones(len(tiny.SPECIAL + tiny.LETTERS), 16))
    load(str(root))


HEADS: list[tuple[str, dict[str, tuple[int, ...]]]] = [
    ("trl-value-head", {"v_head__summary__weight": (1, 16), "v_head__summary__bias": (1,)}),
    ("grm", {"v_head__summary__0__weight": (16, 16), "v_head__summary__2__weight": (1, 16)}),
    ("openrlhf", {"value_head__weight": (1, 16)}),
    ("beaver-reward", {"score_head__weight": (1, 16)}),
    ("ultrarm", {"regression_head__weight": (1, 16)}),
    ("armorm", {"regression_layer__weight": (19, 16), "gating__layers__0__weight": (4, 16)}),
    ("urm", {"weights__fc__0__weight": (4, 16)}),
]


INCOMPLETE = {
    "grm": r"lack v_head\.summary\.0\.bias, v_head\.summary\.2\.bias",
    "beaver-reward": "--as beaver-reward or --as beaver-cost",
    "armorm": r"lack .*reward_transform_matrix",
    "urm": r"lack weights\.fc\.0\.bias.* score\.weight",
}
"""Heads that are not all there, or whose config does not say what they are."""


@pytest.mark.parametrize(("name", "tensors"), HEADS, ids=[name for name, _ in HEADS])
def test_a_second_head_beside_the_first_is_refused_with_both(
    llama: Path, copy_of: Copy, name: str, tensors: dict[str, tuple[int, ...]]
) -> None:
    root = copy_of(llama)
    retensor(root, **{tensor: torch.zeros(shape) for tensor, shape in tensors.items()})
    with pytest.raises(LoadRefusedError, match="could be") as refusal:
        load(str(root))
    assert f"--as {name}" in str(refusal.value)
    assert "--as seqcls" in str(refusal.value)


@pytest.mark.parametrize(("name", "tensors"), HEADS, ids=[name for name, _ in HEADS])
def test_a_head_of_another_kind_is_not_scored_as_a_classifier(
    llama: Path, copy_of: Copy, name: str, tensors: dict[str, tuple[int, ...]]
) -> None:
    """Although the config says that it is one, as remote classes' configs do."""
    root = copy_of(llama)
    retensor(root, ("score.weight",), **{tensor: torch.zeros(shape) for tensor, shape in tensors.items()})
    with pytest.raises(LoadRefusedError, match=r"lack .*score\.weight"):
        load(str(root), LoadOptions(format="seqcls"))
    if name in INCOMPLETE:
        with pytest.raises(LoadRefusedError, match=INCOMPLETE[name]):
            load(str(root))
    else:
        assert found(root).format == name


def test_a_damaged_head_in_a_file_of_its_own_is_refused(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    (root / "value_head.safetensors").write_bytes(b"")
    with pytest.raises(LoadRefusedError, match=r"value_head\.safetensors is damaged"):
        load(str(root))


def test_two_outputs_without_names_are_refused(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, score__weight=torch.ones(2, 16))
    tiny.edit_json(root / "config.json", id2label={"0": "LABEL_0", "1": "LABEL_1"}, label2id=None)
    with pytest.raises(LoadRefusedError, match=r"gives 2 numbers .*--as two-label or --as odin"):
        load(str(root))
    tiny.edit_json(root / "config.json", id2label={"0": "rejected", "1": "chosen"})
    assert found(root).format == "two-label"


def test_one_output_is_believed_from_the_head_when_the_config_is_silent(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    tiny.edit_json(root / "config.json", id2label=None, label2id=None, num_labels=None)
    conversations: Any = tiny.conversations()
    assert load(str(root)).score(conversations) == pytest.approx(load(str(llama)).score(conversations), abs=1e-6)


def test_a_language_model_is_refused(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, drop=("score.weight",))
    tiny.edit_json(root / "config.json", architectures=["LlamaForCausalLM"])
    with pytest.raises(
        LoadRefusedError, match=r"language model \(LlamaForCausalLM\) without a score head.*--as FORMAT"
    ):
        load(str(root))


@pytest.mark.parametrize("architectures", [["LlamaForCausalLM"], None])
def test_a_head_under_another_architecture_needs_the_user_to_say(
    llama: Path, copy_of: Copy, architectures: list[str] | None
) -> None:
    root = copy_of(llama)
    tiny.edit_json(root / "config.json", architectures=architectures)
    with pytest.raises(LoadRefusedError, match="--as seqcls"):
        load(str(root))
    conversations: Any = tiny.conversations()
    given = load(str(root), LoadOptions(format="seqcls"))
    assert given.score(conversations) == pytest.approx(load(str(llama)).score(conversations), abs=1e-6)
    assert any("given by the user" in line for line in given.facts.evidence)


def test_an_adapter_is_refused_with_its_base(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "owner/base"}')
    with pytest.raises(LoadRefusedError, match=r"PEFT adapter.* base model owner/base .*--base-model"):
        load(str(tmp_path), LoadOptions(offline=True))


def test_a_decoder_without_template_is_refused(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    (root / "chat_template.jinja").unlink()
    with pytest.raises(LoadRefusedError, match="has no chat template"):
        load(str(root))
    with pytest.raises(LoadRefusedError, match="is a decoder"):
        load(str(root), LoadOptions(format="seqcls-pair"))


def test_forced_formats_are_checked(llama: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean seqcls"):
        load(str(llama), LoadOptions(format="seqclass"))
    with pytest.raises(LoadRefusedError, match=r"lack.* regression_layer\.weight"):
        load(str(llama), LoadOptions(format="armorm"))


def test_every_format_says_what_it_is() -> None:
    names = [family.format for family in families()]
    assert len(names) == len(set(names))
    for family in families():
        assert family.examples, family.format
        assert family.recognised, family.format
        assert family.scalar, family.format


def test_only_checkpoints_can_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    with pytest.raises(UsageError, match="is not a checkpoint"):
        open_checkpoint(f"python:{tmp_path}/a.py:score")
