"""Every kind of checkpoint: found from its files, scored as its authors do, refused when a part is missing.

Expected values come from the forward passes in ``tests/models/rows``, which know nothing of the package.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmaudit.errors import LoadRefusedError
from rmaudit.models.detect import detect
from rmaudit.models.interface import RewardModel
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from rmaudit.models.passes import tree_passes
from tests import synthetic
from tests.models.rows import ROWS, classifiers, generative, named, values
from tests.models.rows import common as c
from tests.models.rows.common import Row

TOLERANCE = 1e-5
BY_ID = {row.id: row for row in ROWS}
SCALAR = [row for row in ROWS if row.expected]
PAIRWISE = [row for row in ROWS if row.prefer]


def named_by(row: Row) -> str:
    return row.id


@dataclass
class Store:
    """Checkpoints and models of this run, each made once and under a name that tells nothing."""

    folder: Path

    def __post_init__(self) -> None:
        self.roots: dict[str, Path] = {}
        self.wanted: dict[str, list[float]] = {}
        self.models: dict[tuple[str, int], RewardModel] = {}

    def root(self, row: Row) -> Path:
        if row.id not in self.roots:
            root = self.folder / f"n{len(self.roots)}"
            row.write(root)
            self.roots[row.id] = root
        return self.roots[row.id]

    def expected(self, row: Row) -> list[float]:
        if row.id not in self.wanted:
            assert row.expected
            self.wanted[row.id] = [row.expected(self.root(row), talk) for talk in row.talks()]
        return self.wanted[row.id]

    def options(self, row: Row, **more: Any) -> LoadOptions:
        given = {"offline": True, "device": "cpu"} | row.options_for(self.root(row)) | more
        return LoadOptions(**given)

    def model(self, row: Row, batch: int) -> RewardModel:
        """A model of the row; the batch sizes are two separate loads."""
        if (row.id, batch) not in self.models:
            self.models[row.id, batch] = load(str(self.root(row)), self.options(row, batch_size=batch))
        return self.models[row.id, batch]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("store"))
    yield made
    made.models.clear()


def found(root: Path, options: LoadOptions) -> str:
    return str(detect(open_checkpoint(str(root), options), options).format)


# ---------------------------------------------------------------- what it is


@pytest.mark.parametrize("row", ROWS, ids=named_by)
def test_the_format_is_found_from_the_files(row: Row, store: Store) -> None:
    assert found(store.root(row), store.options(row)) == row.format


SHOWN = ("S1e-deberta-v2", "F1", "P1", "B2", "C1")


@pytest.mark.parametrize("row", [BY_ID[id] for id in SHOWN], ids=named_by)
def test_inspect_says_the_format(row: Row, store: Store) -> None:
    done = synthetic.run("inspect", str(store.root(row)), "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["format"] == row.format


# ---------------------------------------------------------------- what it says


@pytest.mark.parametrize("row", SCALAR, ids=named_by)
@pytest.mark.parametrize("batch", [1, 8])
def test_rewards_are_those_of_an_independent_forward_pass(row: Row, batch: int, store: Store) -> None:
    wanted = store.expected(row)
    assert np.std(wanted) > 1e-3, "the row's rewards are too alike to show anything"
    np.testing.assert_allclose(store.model(row, batch).score(row.talks()), wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("row", SCALAR, ids=named_by)
def test_two_loads_agree(row: Row, store: Store) -> None:
    one, two = (store.model(row, batch) for batch in (1, 8))
    few = row.talks()[:3]
    assert [one.score([talk])[0] for talk in few] == [two.score([talk])[0] for talk in few]


@pytest.mark.parametrize("row", SCALAR, ids=named_by)
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_padding_side_changes_nothing(row: Row, side: str, store: Store) -> None:
    padded: Callable[..., list[float] | None] | None = getattr(store.model(row, 8), "padded_rewards", None)
    rewards = padded(row.talks(), side) if padded else None
    if rewards is None:
        pytest.skip("the model pads on one side only")
    np.testing.assert_allclose(rewards, store.expected(row), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("row", SCALAR, ids=named_by)
def test_computing_shared_beginnings_once_changes_nothing(
    row: Row, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the cost model would choose for models as small as these."""
    monkeypatch.setattr("rmaudit.models.native.cheapest", lambda ids, budget, cost: list(tree_passes(ids, budget)))
    model = store.model(row, 8)
    if "computed once" not in str(model.facts.passes):
        pytest.skip(str(model.facts.passes))
    np.testing.assert_allclose(model.score(row.talks()), store.expected(row), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("row", [row for row in ROWS if row.steps], ids=named_by)
def test_the_value_of_each_step_comes_with_the_reward(row: Row, store: Store) -> None:
    assert row.steps
    for talk, scored in zip(row.talks(), store.model(row, 8).score_batch(row.talks()), strict=True):
        np.testing.assert_allclose(scored.steps, row.steps(store.root(row), talk), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("row", PAIRWISE, ids=named_by)
def test_pairs_are_compared_in_both_orders(row: Row, store: Store) -> None:
    assert row.prefer
    model = store.model(row, 8)
    for prompt, a, b in c.TRIPLES:
        said = model.prefer(prompt, a, b)
        assert said == pytest.approx(row.prefer(store.root(row), prompt, a, b), abs=TOLERANCE)
        assert model.prefer(prompt, b, a) == pytest.approx(2 * row.neutral - said, abs=TOLERANCE)
        assert model.prefer(prompt, a, b) == said
        assert model.prefer(prompt, a, a) == pytest.approx(row.neutral, abs=TOLERANCE)


# ---------------------------------------------------------------- what is missing

PARTS = [(row, name) for row in ROWS for name in row.head]
OUTER = ("module.", "pretrained_model.", "base_model.model.")


@pytest.mark.parametrize(("row", "name"), PARTS, ids=[f"{row.id}-{name}" for row, name in PARTS])
def test_a_head_without_one_of_its_tensors_is_refused(row: Row, name: str, store: Store, tmp_path: Path) -> None:
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    c.remove(root, name)
    for outer in OUTER:
        name = name.removeprefix(outer)
    with pytest.raises(LoadRefusedError) as refused:
        load(str(root), store.options(row))
    assert name in str(refused.value)


BODIES = [
    "S1-llama",
    "S1-deberta-v2",
    "O1-module-prefix",
    "F1",
    "T1",
    "P1",
    "B1",
    "I1",
    "A1",
    "L1-last",
    "X2",
    "C1",
    "D1",
]


@pytest.mark.parametrize("id", BODIES)
def test_a_body_without_one_of_its_tensors_is_refused(id: str, store: Store, tmp_path: Path) -> None:
    row = BY_ID[id]
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    inner = [name for name in c.weights(root) if "layer" in name and name.endswith("weight") and name not in row.head]
    name = sorted(name for name in inner if "gating" not in name)[-1]
    c.remove(root, name)
    # InternLM2's norms may be named as the Llama layers that they become.
    part = name.split(".")[-2].replace("ffn_norm", "ffn_norm|post_attention_layernorm")
    with pytest.raises(LoadRefusedError, match=part):
        load(str(root), store.options(row))


def test_a_head_of_another_width_is_refused(store: Store, tmp_path: Path) -> None:
    root = Path(shutil.copytree(store.root(BY_ID["T1"]), tmp_path / "copy"))
    c.save(root, c.weights(root) | {values.HEAD[0]: torch.zeros(1, 12)})
    with pytest.raises(LoadRefusedError, match=values.HEAD[0]):
        load(str(root), LoadOptions())


# ---------------------------------------------------------------- two at once

SUMMARY = values.summary("both")
VALUE_HEADS = ("trl-value-head", "grm", "skywork-prm")
ROW_OF = c.normal("both", 1, 16)
BOTH: list[tuple[str, str, c.Tensors, str | None, tuple[tuple[str, ...], tuple[str, ...]]]] = [
    ("score and value head", "S1-llama", SUMMARY, None, (("seqcls",), VALUE_HEADS)),
    (
        "score and trlx head",
        "S1-llama",
        {"v_head.weight": ROW_OF},
        None,
        (("seqcls",), ("trlx", "starling", "deepspeed")),
    ),
    ("value head and gate", "A1-small-vocabulary", SUMMARY, None, (("armorm",), VALUE_HEADS)),
    ("two safe heads", "B1", {"regression_head.weight": ROW_OF}, None, (("beaver-reward",), ("ultrarm", "eurus"))),
    ("value head file and score", "F1", {"score.weight": ROW_OF}, None, (("llamafactory",), ("seqcls", "openrlhf"))),
    ("classifier and value head file", "S1-llama", SUMMARY, "value_head.safetensors", (("llamafactory",), ("seqcls",))),
    ("OpenRLHF's head and ArmoRM's", "O1-value_head", named.armo_head("b"), None, (("openrlhf",), ("armorm",))),
    ("Open Assistant and Beaver", "L1-last", {"score_head.weight": ROW_OF}, None, (("oasst-pythia",), ("beaver",))),
    ("two layers and one", "Q1", {"score.weight": ROW_OF}, None, (("qwen2-rm",), ("seqcls", "openrlhf"))),
]


def add(root: Path, extra: c.Tensors, file: str | None = None) -> None:
    """Put more tensors into a checkpoint's first weight file and its index, or into a file of their own."""
    if file is None:
        file = sorted(path.name for path in root.glob("model*.safetensors"))[0]
        for index in root.glob("*.index.json"):
            held = c.read_json(index)
            c.write_json(index, held | {"weight_map": held["weight_map"] | dict.fromkeys(extra, file)})
        extra = c.read_weights(root / file) | extra
    c.save(root, extra, file)


@pytest.mark.parametrize(("id", "extra", "file", "names"), [case[1:] for case in BOTH], ids=[case[0] for case in BOTH])
def test_two_signatures_at_once_are_refused_with_both_names(
    id: str, extra: c.Tensors, file: str | None, names: tuple[tuple[str, ...], ...], store: Store, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(store.root(BY_ID[id]), tmp_path / "copy"))
    add(root, extra, file)
    with pytest.raises(LoadRefusedError) as refused:
        load(str(root), LoadOptions())
    for either in names:
        assert any(name in str(refused.value) for name in either), (either, str(refused.value))
    assert "--as" in str(refused.value)


@pytest.mark.parametrize(("id", "extra"), [("S1-llama", SUMMARY), ("T1", {"score.weight": ROW_OF})])
def test_the_user_may_pick_one_of_two(id: str, extra: c.Tensors, store: Store, tmp_path: Path) -> None:
    row = BY_ID[id]
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    add(root, extra)
    rewards = load(str(root), store.options(row, format=row.format)).score(row.talks())
    np.testing.assert_allclose(rewards, store.expected(row), rtol=0, atol=TOLERANCE)


# ---------------------------------------------------------------- the same tensors in other files


@pytest.mark.parametrize("id", ["S1-llama", "S1-bert", "S1e-deberta-v2", "O1-score", "T1", "B1", "A2", "I1"])
@pytest.mark.parametrize("way", ["shards", "pickle", "pickled shards"])
def test_the_container_of_the_weights_changes_nothing(id: str, way: str, store: Store, tmp_path: Path) -> None:
    row = BY_ID[id]
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    tensors = c.weights(root)
    for path in c.weight_paths(root):
        path.unlink()
    if way == "shards":
        c.save_shards(root, tensors, 3)
    elif way == "pickle":
        c.save(root, tensors, "pytorch_model.bin")
    else:
        c.save_shards(root, tensors, 2, "bin")
    model = load(str(root), store.options(row, allow_pickle="pickle" in way))
    np.testing.assert_allclose(model.score(row.talks()), store.expected(row), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("row", [row for row in ROWS if row.options.get("allow_pickle")], ids=named_by)
def test_pickled_weights_need_the_users_word(row: Row, store: Store) -> None:
    with pytest.raises(LoadRefusedError, match="--allow-pickle"):
        load(str(store.root(row)), store.options(row, allow_pickle=False))


# ---------------------------------------------------------------- refused for what they are


@pytest.mark.parametrize(("name", "row", "words"), classifiers.REFUSED, ids=[case[0] for case in classifiers.REFUSED])
def test_labels_without_a_meaning_are_refused(name: str, row: Row, words: tuple[str, ...], tmp_path: Path) -> None:
    row.write(tmp_path / "model")
    with pytest.raises(LoadRefusedError) as refused:
        load(str(tmp_path / "model"), LoadOptions())
    assert all(word in str(refused.value) for word in words), str(refused.value)


@pytest.mark.parametrize("task", [None, "SEQ_CLS", "CAUSAL_LM"])
def test_an_adapter_without_a_head_is_refused(task: str | None, tmp_path: Path) -> None:
    """P2, and trap 9: each load would make a new head."""
    values.write_headless(tmp_path / "model", task)
    with pytest.raises(LoadRefusedError, match="score"):
        load(str(tmp_path / "model"), LoadOptions())


def test_a_pickled_tree_is_refused(tmp_path: Path) -> None:
    """A6."""
    generative.write_tree(tmp_path / "model")
    for options in (LoadOptions(), LoadOptions(allow_pickle=True)):
        with pytest.raises(LoadRefusedError, match=r"decision_tree\.pkl"):
            load(str(tmp_path / "model"), options)


def test_a_distributed_checkpoint_is_known_by_name_and_refused(tmp_path: Path) -> None:
    """Z1."""
    generative.write_nemo(tmp_path / "model")
    with pytest.raises(LoadRefusedError, match="NeMo"):
        load(str(tmp_path / "model"), LoadOptions())


# ---------------------------------------------------------------- silent failures of other loaders


def _config(root: Path, **entries: Any) -> None:
    c.write_json(root / "config.json", c.read_json(root / "config.json") | entries)


def test_a_language_model_is_not_given_a_head(store: Store) -> None:
    """Trap 1: a classifier loaded from it would have a random one."""
    for id in ("G1", "D1", "C2", "C3"):
        with pytest.raises(LoadRefusedError, match="--as"):
            load(str(store.root(BY_ID[id])), LoadOptions())


def test_a_language_model_is_not_taken_for_a_classifier_on_request(store: Store) -> None:
    """Trap 1, asked for by name: the head still is not there."""
    with pytest.raises(LoadRefusedError, match=r"score\.weight"):
        load(str(store.root(BY_ID["G1"])), LoadOptions(format="seqcls"))


@pytest.mark.parametrize("id", ["A1-small-vocabulary", "Q1", "I1", "A4", "U2"])
def test_the_checkpoints_own_code_is_neither_needed_nor_run(id: str, store: Store, tmp_path: Path) -> None:
    """Traps 2 and 11: the module imports names that are gone, and leaves a trace when it is run."""
    row = BY_ID[id]
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    code = f"open({str(tmp_path / 'ran')!r}, 'w').close()\nfrom transformers.models.llama.modeling_llama import GONE\n"
    for target in c.read_json(root / "config.json")["auto_map"].values():
        (root / f"{target.split('.')[0]}.py").write_text(code, encoding="utf-8")
    model = load(str(root), store.options(row))
    np.testing.assert_allclose(model.score(row.talks()), store.expected(row), rtol=0, atol=TOLERANCE)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("id", ["T1", "A4", "Q1", "O1-value_head", "B1", "U2", "A1-small-vocabulary", "A3"])
def test_a_head_of_another_kind_is_not_replaced_by_a_random_one(id: str, store: Store, tmp_path: Path) -> None:
    """Trap 3: the config says classifier, the tensors say otherwise. Right, or refused, but never random."""
    row = BY_ID[id]
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    _config(root, architectures=["LlamaForSequenceClassification"])
    rewards, refusal = [], ""
    try:
        rewards = [load(str(root), store.options(row)).score(row.talks()) for _ in range(2)]
    except LoadRefusedError as refused:
        refusal = str(refused)
    if rewards:
        assert np.std(rewards[0]) > 0
        np.testing.assert_array_equal(*rewards)
    else:
        assert any(name.rsplit(".", 1)[0] in refusal for name in ("score.weight", *row.head)), refusal


@pytest.mark.parametrize("id", ["O1-score", "O1-value_head"])
def test_a_config_without_labels_means_one(id: str, store: Store) -> None:
    """Trap 4: the library would make two labels of none."""
    row = BY_ID[id]
    assert "id2label" not in c.read_json(store.root(row) / "config.json")
    np.testing.assert_allclose(store.model(row, 8).score(row.talks()), store.expected(row), rtol=0, atol=TOLERANCE)


def test_a_body_under_another_prefix_is_not_left_random(store: Store, tmp_path: Path) -> None:
    """Trap 5: with the config of the base model and an unknown prefix nothing of the body would load."""
    row = BY_ID["S1-llama"]
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    tensors = c.weights(root)
    c.save(root, {key.replace("model.", "something_else."): value for key, value in tensors.items()})
    with pytest.raises(LoadRefusedError, match=r"something_else|embed_tokens"):
        load(str(root), LoadOptions())


@pytest.mark.parametrize("id", ["S1-gpt2", "S1-opt", "F1-gpt2", "T1-gpt2", "X2"])
def test_absolute_positions_are_counted_from_the_text(id: str, store: Store) -> None:
    """Trap 6: padding on the left must not move the positions of the text."""
    row = BY_ID[id]
    left = store.model(row, 8).padded_rewards(row.talks(), "left")  # type: ignore[attr-defined]
    if left is None:
        pytest.skip("never padded on the left")
    np.testing.assert_allclose(left, store.expected(row), rtol=0, atol=TOLERANCE)


def test_without_a_padding_token_conversations_are_still_scored_together(store: Store) -> None:
    """Trap 7: the library refuses a batch, or reads the position of a token that happens to be the padding's."""
    for id in ("S1-no-pad", "S1-pad-is-eos", "O1-pad-is-eos", "N1"):
        row = BY_ID[id]
        np.testing.assert_allclose(store.model(row, 8).score(row.talks()), store.expected(row), rtol=0, atol=TOLERANCE)


def test_the_bias_of_a_token_classifier_counts(store: Store, tmp_path: Path) -> None:
    """Trap 8."""
    row = BY_ID["S5"]
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    c.save(root, c.weights(root) | {"score.bias": torch.tensor([3.75])})
    shifted = load(str(root), LoadOptions()).score(row.talks())
    np.testing.assert_allclose(shifted - store.model(row, 8).score(row.talks()), 2.0, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("id", [row.id for row in ROWS if row.id.startswith("F1-")])
def test_value_heads_read_the_state_behind_the_last_norm(id: str, store: Store) -> None:
    """Trap 12, on every architecture."""
    row = BY_ID[id]
    np.testing.assert_allclose(store.model(row, 8).score(row.talks()), store.expected(row), rtol=0, atol=TOLERANCE)


def test_an_unknown_model_type_asks_nothing(tmp_path: Path, store: Store) -> None:
    """Trap 12b: no question on stdin, which would hang in a pipeline."""
    root = Path(shutil.copytree(store.root(BY_ID["S1-llama"]), tmp_path / "copy"))
    _config(root, model_type="nobody_knows_it", auto_map={"AutoConfig": "code.Config"}, architectures=["Nobody"])
    (root / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n", encoding="utf-8")
    read, write = os.pipe()
    kept = os.dup(0)
    os.dup2(read, 0)
    try:
        with pytest.raises(LoadRefusedError, match=r"(?i)nobody"):
            load(str(root), LoadOptions())
    finally:
        os.dup2(kept, 0)
        for end in (read, write, kept):
            os.close(end)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("id", ["S1-llama3-bos-twice", "S1-bos-by-tokenizer", "F1-bos-twice", "S3", "X3", "A5"])
def test_there_is_exactly_one_begin_of_text_token(id: str, store: Store) -> None:
    """Trap 13, whether the template writes it, the tokenizer, or both."""
    row = BY_ID[id]
    np.testing.assert_allclose(store.model(row, 8).score(row.talks()), store.expected(row), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("id", ["A1", "A1-small-vocabulary", "A2"])
def test_a_conversation_without_the_gates_pattern_has_no_reward(id: str, store: Store, tmp_path: Path) -> None:
    """The gate reads the end of the prompt; where there is none, there is nothing to read."""
    row = BY_ID[id]
    root = Path(shutil.copytree(store.root(row), tmp_path / "copy"))
    tokenizer = c.read_json(root / "tokenizer_config.json")
    c.write_json(root / "tokenizer_config.json", tokenizer | {"chat_template": c.PLAIN})
    try:
        scored = load(str(root), store.options(row)).score_batch(row.talks())
    except LoadRefusedError:
        return
    assert all(one.reward is None and one.reason for one in scored)


def test_pairs_give_the_same_answer_twice(store: Store) -> None:
    """Trap 14: another tool draws the order at random."""
    for row in PAIRWISE:
        model = store.model(row, 8)
        first, second = ([model.prefer(*triple) for triple in c.TRIPLES] for _ in range(2))
        assert first == second


def test_raw_and_normalised_are_both_there(store: Store) -> None:
    row = BY_ID["O1-score-normalised"]
    for wanted, scored in zip(store.expected(row), store.model(row, 8).score_batch(row.talks()), strict=True):
        assert any(value == pytest.approx(wanted * 2.5 + 1.5, abs=1e-4) for value in scored.attributes.values())


def test_an_implicit_reward_comes_per_token_too(store: Store) -> None:
    row = BY_ID["D1"]
    for talk, wanted, scored in zip(
        row.talks(), store.expected(row), store.model(row, 8).score_batch(row.talks()), strict=True
    ):
        ids, start = generative.response_span(store.root(row), talk)
        assert any(
            value == pytest.approx(wanted / (len(ids) - start), abs=1e-5) for value in scored.attributes.values()
        )
