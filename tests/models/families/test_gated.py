"""Gated models (ArmoRM, QRM, URM, LDL): found, scored as their authors do, refused when a part is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmaudit.errors import LoadRefusedError
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.native import NativeModel
from rmaudit.models.options import LoadOptions
from tests.models.families.gated_checkpoints import ARMORM, COUNT, KINDS, LDL, LLAMA3, QRM, TURNS, URM, Gated
from tests.models.rows import common as c


def loaded(root: Path, **options: Any) -> NativeModel:
    model = load(str(root), LoadOptions(offline=True, device="cpu", allow_pickle=True, **options))
    assert isinstance(model, NativeModel)
    return model


def format_of(root: Path) -> str:
    return detect(open_checkpoint(str(root))).format


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a kind, written once and not to be changed."""
    made: dict[str, Path] = {}

    def write(kind: str) -> Path:
        if kind not in made:
            made[kind] = KINDS[kind].write(tmp_path_factory.mktemp("store") / f"n{len(made)}")
        return made[kind]

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_the_format_is_found_without_opening_a_weight(kind: str, written: Callable[[str], Path]) -> None:
    found = detect(open_checkpoint(str(written(kind))))
    assert found.format == KINDS[kind].format
    names = {tensor.name for tensor in found.reading.head}
    assert names == set(KINDS[kind].head)


@pytest.mark.parametrize("kind", KINDS)
def test_rewards_and_shares_are_those_of_numpy(kind: str, written: Callable[[str], Path]) -> None:
    root, gated = written(kind), KINDS[kind]
    wanted = np.array([gated.expected(root, talk) for talk in TURNS])
    assert wanted.sum(1).std() > 1e-2
    for batch in (1, 8):
        model = loaded(root, batch_size=batch)
        scored = model.score_batch(TURNS)
        shares = [list((one.attributes or {}).values()) for one in scored]
        np.testing.assert_allclose(shares, wanted, rtol=0, atol=1e-5)
        np.testing.assert_allclose([one.reward for one in scored], wanted.sum(1), rtol=0, atol=1e-5)
        assert model.facts.additive
        for side in ("left", "right"):
            np.testing.assert_allclose(model.padded_rewards(TURNS, side) or (), wanted.sum(1), rtol=0, atol=1e-5)


HEADS = [(kind, name) for kind in ("armorm", "qrm", "urm", "ldl") for name in KINDS[kind].head]


@pytest.mark.parametrize(("kind", "name"), HEADS)
def test_each_tensor_of_the_head_is_needed_and_named(kind: str, name: str, tmp_path: Path) -> None:
    gated = KINDS[kind]
    root = replace(gated, head={key: tensor for key, tensor in gated.head.items() if key != name}).write(tmp_path)
    with pytest.raises(LoadRefusedError, match=re.escape(f"lack {name}.")):
        format_of(root)


# ---------------------------------------------------------------- where they read


@pytest.mark.parametrize("gated", [ARMORM, LDL], ids=["armorm", "ldl"])
def test_a_padding_token_in_the_text_moves_the_reading_as_in_the_authors_code(gated: Gated, tmp_path: Path) -> None:
    root = gated.write(tmp_path)
    talk = c.talk("Name a fruit.", "A pear<pad> or two<pad>")
    ids = c.chat(root, talk)
    first = ids.index(gated.words.vocabulary()["<pad>"])
    wanted = gated.shares_of(ids, answer=first - 1).sum()
    model = loaded(root)
    np.testing.assert_allclose(model.score([talk]), [wanted], rtol=0, atol=1e-5)
    assert abs(wanted - gated.expected(root, talk).sum()) > 1e-3
    np.testing.assert_allclose(
        model.padded_rewards([talk, *TURNS], "left") or (), model.score([talk, *TURNS]), atol=1e-5
    )


def test_a_padding_token_at_the_very_start_means_the_last_token(tmp_path: Path) -> None:
    words = replace(LLAMA3, template="<pad>" + c.LLAMA3, adds=())
    gated = replace(ARMORM, words=words)
    root = gated.write(tmp_path)
    wanted = gated.expected(root, TURNS[0]).sum()
    np.testing.assert_allclose(loaded(root).score(TURNS[:1]), [wanted], rtol=0, atol=1e-5)


def test_a_padding_token_that_also_ends_turns_is_a_risk(tmp_path: Path) -> None:
    end = LLAMA3.vocabulary()["<|eot_id|>"]
    risks = detect(open_checkpoint(str(ARMORM.write(tmp_path / "a", pad_token_id=end)))).reading.risks
    assert any(f"the padding token ({end}) is an EOS token too" in risk for risk in risks)
    assert not detect(open_checkpoint(str(ARMORM.write(tmp_path / "b")))).reading.risks


def test_the_gate_reads_the_last_header_and_not_the_first(tmp_path: Path) -> None:
    root = ARMORM.write(tmp_path)
    talk = next(talk for talk in TURNS if sum(turn["role"] == "assistant" for turn in talk) > 1)
    other = [*talk[:-1], {"role": "assistant", "content": talk[-1]["content"] + " and more"}]
    model = loaded(root)
    np.testing.assert_allclose(
        model.score([talk, other]), [ARMORM.expected(root, one).sum() for one in (talk, other)], rtol=0, atol=1e-5
    )


def test_a_conversation_without_the_header_has_no_reward_and_says_why(tmp_path: Path) -> None:
    root = ARMORM.write(tmp_path)
    plain = loaded(root, template="plain").score_batch(TURNS[:3])
    assert all(one.reward is None and "header of the assistant's turn" in (one.reason or "") for one in plain)
    system = [{"role": "assistant", "content": "I speak first."}]
    first, other = loaded(root).score_batch([system, TURNS[0]])  # only the end of a turn before it opens the pattern
    assert first.reward is None
    assert other.reward is not None


def test_a_tokenizer_without_a_known_header_is_refused(tmp_path: Path) -> None:
    special = tuple(token for token in c.SPECIAL if token != "<|eot_id|>")
    words = replace(LLAMA3, template=c.PLAIN, special=special, eos="</s>")
    root = replace(ARMORM, words=words).write(tmp_path)
    with pytest.raises(LoadRefusedError, match="where the assistant's turn opens"):
        loaded(root)


# ---------------------------------------------------------------- names and numbers


def test_objectives_are_named_by_the_config_else_as_on_the_card_else_by_number(tmp_path: Path) -> None:
    def names(gated: Gated, **entries: Any) -> tuple[str, ...]:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        return detect(open_checkpoint(str(gated.write(root, **entries)))).reading.attributes

    own = {str(i): f"quality {i}" for i in range(COUNT)}
    assert names(QRM, id2label=own) == tuple(own.values())
    assert names(QRM)[::4] == ("helpsteer-helpfulness", "helpsteer-verbosity")
    assert names(URM) == tuple(f"objective {i}" for i in range(1, COUNT + 1))
    nineteen = {
        name: torch.zeros(*(19 if side == COUNT else side for side in tensor.shape))
        for name, tensor in ARMORM.head.items()
    }
    found = names(replace(ARMORM, head=nineteen), num_objectives=19)
    assert (found[0], found[10], found[18]) == ("helpsteer-helpfulness", "beavertails-is_safe", "code-readability")
    assert len(set(found)) == 19


WRONG = {
    "temperature 0": (ARMORM, {"gating_temperature": 0}, "gating_temperature .* is 0"),
    "temperature text": (QRM, {"gating_temperature": "warm"}, "gating_temperature .* is 'warm'"),
    "one objective more": (ARMORM, {"num_objectives": 6}, "num_objectives 6"),
    "other quantiles": (QRM, {"num_quantiles": 5}, "num_quantiles 5"),
    "deeper gate": (ARMORM, {"gating_n_hidden": 4}, r"lack gating\.layers\.4\.weight"),
    "absurd gate": (ARMORM, {"gating_n_hidden": 10**9}, "gating_n_hidden"),
    "more grades": (LDL, {"num_objectives": 60}, "num_objectives 60"),
    "softmax text": (LDL, {"softmax": "yes"}, "softmax .* 'yes'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_config_that_its_weights_contradict_is_refused(case: str, tmp_path: Path) -> None:
    gated, entries, message = WRONG[case]
    with pytest.raises(LoadRefusedError, match=message):
        format_of(gated.write(tmp_path, **entries))


SHAPES = {
    "gate of other objectives": (ARMORM, "gating.layers.3.weight", (COUNT + 1, 12)),
    "uneven quantiles": (QRM, "regression_layer.weight", (COUNT * 3 + 1, 16)),
    "several numbers without quantiles": (ARMORM, "regression_layer.weight", (COUNT * 2, 16)),
    "statistics of another width": (QRM, "gating.layers.5.running_var", (13,)),
    "odd outputs": (URM, "score.weight", (9, 16)),
    "nine grades": (LDL, "regression_layer.network.4.weight", (9 * COUNT, 12)),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_head_that_does_not_fit_together_is_refused(case: str, tmp_path: Path) -> None:
    gated, name, shape = SHAPES[case]
    root = replace(gated, head={**gated.head, name: torch.zeros(*shape)}).write(tmp_path)
    with pytest.raises(LoadRefusedError, match=name.replace(".", r"\.")):
        format_of(root)


def test_a_gate_deeper_than_its_config_is_not_cut_short(tmp_path: Path) -> None:
    head = {**ARMORM.head, "gating.layers.4.weight": torch.zeros(COUNT, COUNT)}
    with pytest.raises(LoadRefusedError, match=r"left over: gating\.layers\.4\.weight"):
        loaded(replace(ARMORM, head=head).write(tmp_path))


# ---------------------------------------------------------------- files


def test_the_two_networks_of_ldl_need_permission_since_they_are_pickles(tmp_path: Path) -> None:
    root = LDL.write(tmp_path)
    with pytest.raises(LoadRefusedError, match="--allow-pickle"):
        load(str(root), LoadOptions(offline=True, device="cpu"))


def test_ldl_with_one_file_missing_names_what_was_in_it(tmp_path: Path) -> None:
    root = LDL.write(tmp_path)
    (root / "gating_layer.pt").unlink()
    with pytest.raises(LoadRefusedError, match=r"gating_layer\.network\.0\.weight.*gating_layer\.network\.6\.bias"):
        format_of(root)


def test_two_signatures_at_once_are_refused_with_both(tmp_path: Path) -> None:
    both = replace(ARMORM, head={**ARMORM.head, "v_head.summary.weight": torch.zeros(1, 16)})
    with pytest.raises(LoadRefusedError, match="armorm or trl-value-head"):
        format_of(both.write(tmp_path))


def test_a_head_read_as_a_plain_classifier_is_refused(tmp_path: Path) -> None:
    """The library itself loads this without an error and invents the head."""
    root = ARMORM.write(tmp_path)
    with pytest.raises(LoadRefusedError, match=r"score\.weight"):
        load(str(root), LoadOptions(format="seqcls", offline=True, device="cpu"))
