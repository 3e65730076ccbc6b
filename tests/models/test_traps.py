"""Ways in which a loader gives numbers that are not the model's, without an error: each first shown, then closed.

The first half of each test is what a plain call of the libraries does; the second is what this package does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForTokenClassification,
)

from rmaudit.errors import LoadRefusedError
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.models import tiny
from tests.models.rows import ROWS
from tests.models.rows.common import Row

Talks = Any
BY_ID = {row.id: row for row in ROWS}


class Naive:
    """What a sequence classifier's pipeline makes of a folder."""

    def __init__(self, root: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(root, trust_remote_code=False)
        self.model, self.report = AutoModelForSequenceClassification.from_pretrained(
            root, num_labels=1, trust_remote_code=False, output_loading_info=True, ignore_mismatched_sizes=True
        )
        self.model.eval()

    @property
    def lacks(self) -> set[str]:
        """What was filled with random numbers."""
        mismatched = {key if isinstance(key, str) else key[0] for key in self.report["mismatched_keys"]}
        return set(self.report["missing_keys"]) | mismatched

    def texts(self, talks: Talks) -> list[str]:
        return [str(self.tokenizer.apply_chat_template(talk, tokenize=False)) for talk in talks]

    def score(self, talks: Talks) -> np.ndarray:
        """Rewards one at a time, without padding."""
        inputs = [self.tokenizer(text, add_special_tokens=False, return_tensors="pt") for text in self.texts(talks)]
        with torch.no_grad():
            return np.array([float(self.model(input_ids=one["input_ids"]).logits[0, 0]) for one in inputs])


def random_head(root: Path, talks: Talks) -> bool:
    """Whether two loads of the same files give different rewards, silently."""
    one, two = Naive(root), Naive(root)
    return "score.weight" in one.lacks and not np.allclose(one.score(talks), two.score(talks), atol=1e-3)


@pytest.fixture(scope="module")
def talks() -> Talks:
    return tiny.conversations()[:6]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model with a chat template, as it would be a policy or a base."""
    root = tmp_path_factory.mktemp("policy") / "m"
    torch.manual_seed(4)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=len(tiny.SPECIAL + tiny.LETTERS), pad_token_id=0, bos_token_id=1, eos_token_id=2, **size
    )
    LlamaForCausalLM(config).save_pretrained(root)
    tiny.tokenizer().save_pretrained(root)
    return root


def written(row: Row, root: Path) -> Path:
    row.write(root)
    return root


def ours(row: Row, root: Path, **options: Any) -> np.ndarray:
    given = {"offline": True, "device": "cpu"} | row.options_for(root) | options
    return load(str(root), LoadOptions(**given)).score(row.talks())  # type: ignore[arg-type]


def wanted(row: Row, root: Path) -> np.ndarray:
    assert row.expected is not None
    return np.array([row.expected(root, talk) for talk in row.talks()])


def test_1_a_language_model_is_given_no_random_head(policy: Path, talks: Talks) -> None:
    """The library loads it as a classifier with a fresh head: two loads, two scores."""
    assert random_head(policy, talks)
    with pytest.raises(LoadRefusedError, match="random numbers"):
        load(str(policy))
    with pytest.raises(LoadRefusedError, match=r"lack score\.weight"):
        load(str(policy), LoadOptions(format="seqcls"))


@pytest.mark.parametrize("id", ["A1", "U1", "B1", "T1", "Q1", "N1", "A4", "L1-last"])
def test_2_and_3_heads_under_other_names_are_read_and_not_replaced(id: str, tmp_path: Path) -> None:
    """The library reports them only as left over, and scores with a random one (2: with ``auto_map`` too)."""
    row = BY_ID[id]
    root = written(row, tmp_path / "m")
    if id == "A1":
        tiny.edit_json(root / "config.json", auto_map={"AutoModelForSequenceClassification": "modeling_custom.Model"})
    try:
        naive = Naive(root)
    except (OSError, ValueError, KeyError):
        pass  # a model type that the library does not know is at least an error
    else:
        assert any(name.startswith("score") for name in naive.lacks), naive.lacks
        assert not row.head or set(row.head) - set(naive.model.state_dict()), "its head was understood"
    np.testing.assert_allclose(ours(row, root), wanted(row, root), rtol=1e-5, atol=1e-5)


def test_4_no_labels_in_the_config_do_not_make_two(tmp_path: Path) -> None:
    """Without ``id2label`` the library makes two labels: an error, or with another prefix a random head."""
    row = BY_ID["O1-score"]
    root = written(row, tmp_path / "m")
    assert "id2label" not in json.loads((root / "config.json").read_text())
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        AutoModelForSequenceClassification.from_pretrained(root)
    np.testing.assert_allclose(ours(row, root), wanted(row, root), rtol=1e-5, atol=1e-5)
    row = BY_ID["O1-value_head"]
    root = written(row, tmp_path / "older")
    silent = AutoModelForSequenceClassification.from_pretrained(root)
    assert silent.score.weight.shape[0] == 2
    np.testing.assert_allclose(ours(row, root), wanted(row, root), rtol=1e-5, atol=1e-5)


def test_5_a_backbone_under_another_prefix_is_not_left_random(tmp_path: Path) -> None:
    """The library finds neither head nor backbone of a DeepSpeed-Chat file, and scores all the same."""
    row = BY_ID["X2"]
    root = written(row, tmp_path / "m")
    (weights,) = root.glob("*.bin")
    as_safetensors = tmp_path / "naive"
    as_safetensors.mkdir()
    for file in root.iterdir():
        if file != weights:
            (as_safetensors / file.name).write_bytes(file.read_bytes())
    state = torch.load(weights, weights_only=True)
    save_file({name: tensor.clone() for name, tensor in state.items()}, as_safetensors / "model.safetensors")
    naive = Naive(as_safetensors)
    assert len(naive.lacks) >= len(naive.model.state_dict()) - 1
    np.testing.assert_allclose(ours(row, root), wanted(row, root), rtol=1e-5, atol=1e-5)


def test_6_padding_on_the_left_does_not_move_absolute_positions(tmp_path: Path) -> None:
    """The library counts positions from the padding: other scores, other orders of pairs."""
    root = tiny.gpt2(tmp_path / "m")
    naive, model = Naive(root), load(str(root))
    talks: Talks = tiny.conversations()
    naive.tokenizer.padding_side = "left"
    batch = naive.tokenizer(naive.texts(talks), padding=True, add_special_tokens=False, return_tensors="pt")
    alone = naive.score(talks)
    with torch.no_grad():
        # Other tools hand the states over and leave the positions to the model's default of 0, 1, 2 …
        positions = torch.arange(batch["input_ids"].shape[1])[None]
        moved = naive.model(**{k: batch[k] for k in ("input_ids", "attention_mask")}, position_ids=positions).logits
    moved = moved[:, 0].double().numpy()
    assert np.abs(moved - alone).max() > 1e-2
    assert any(np.sign(moved[i] - moved[j]) != np.sign(alone[i] - alone[j]) for i in range(20) for j in range(i))
    np.testing.assert_allclose(model.padded_rewards(talks, "left"), alone, atol=2e-5)  # type: ignore[attr-defined]
    np.testing.assert_allclose(model.score(talks), alone, atol=2e-5)


def test_7_a_padding_token_is_not_needed_and_may_be_the_end_of_text(tmp_path: Path, talks: Talks) -> None:
    """Without one the library cannot score two at once; where it is EOS, it reads the token before (as in training)."""
    none = tiny.llama(tmp_path / "none", pad_id=None, pad=None)
    naive = Naive(none)
    with pytest.raises(ValueError, match="padding token"):
        naive.model(torch.ones(2, 5, dtype=torch.long))
    np.testing.assert_allclose(load(str(none)).score(talks), naive.score(talks), atol=1e-5)
    same = tiny.llama(tmp_path / "same", pad_id=2, pad="</s>")
    naive, model = Naive(same), load(str(same))
    np.testing.assert_allclose(model.score(talks), naive.score(talks), atol=1e-5)
    assert "other than the padding token (2)" in str(model.facts.pooling)
    encoded = [naive.tokenizer(t, return_tensors="pt", add_special_tokens=False) for t in naive.texts(talks)]
    with torch.no_grad():
        states = [naive.model.model(input_ids=one["input_ids"]).last_hidden_state[0, -1] for one in encoded]
        at_the_end = [float(naive.model.score(state)) for state in states]
    assert np.abs(model.score(talks) - at_the_end).max() > 1e-2, "the two positions do not differ"


def test_8_the_bias_of_a_token_classifier_is_not_dropped(tmp_path: Path, talks: Talks) -> None:
    """As a sequence classifier it loads without its bias: the order stays, the scale is shifted."""
    root = tiny.llama(tmp_path / "m")
    state = load_file(root / "model.safetensors") | {"score.bias": torch.tensor([1.5])}
    save_file(state, root / "model.safetensors", {"format": "pt"})
    tiny.edit_json(root / "config.json", architectures=["LlamaForTokenClassification"])
    naive = Naive(root)
    assert set(naive.report["unexpected_keys"]) == {"score.bias"}
    model = load(str(root))
    assert model.facts.format == "token-classification"
    np.testing.assert_allclose(model.score(talks), naive.score(talks) + 1.5, atol=1e-5)
    right = LlamaForTokenClassification.from_pretrained(root, num_labels=1).eval()
    with torch.no_grad():
        ids = naive.tokenizer(naive.texts(talks[:1]), return_tensors="pt", add_special_tokens=False)["input_ids"]
        assert model.score(talks[:1])[0] == pytest.approx(float(right(ids).logits[0, -1, 0]), abs=1e-5)


def test_9_an_adapter_without_its_head_is_refused(policy: Path, tmp_path: Path, talks: Talks) -> None:
    """PEFT puts it on a base with a fresh head: another score at every load."""
    base = AutoModelForSequenceClassification.from_pretrained(policy, num_labels=1)
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path / "a")
    tiny.edit_json(tmp_path / "a" / "adapter_config.json", base_model_name_or_path=str(policy))
    ids = torch.tensor([[6, 10, 11, 2]])
    scores = []
    for _ in range(2):
        fresh = AutoModelForSequenceClassification.from_pretrained(policy, num_labels=1)
        scores.append(float(PeftModel.from_pretrained(fresh, tmp_path / "a").eval()(ids).logits[0, 0]))
    assert scores[0] != scores[1]
    with pytest.raises(LoadRefusedError, match=r"without a score head.*modules_to_save"):
        load(str(tmp_path / "a"))


def test_10_sixteen_bits_make_no_ties_in_the_head(tmp_path: Path) -> None:
    """In bfloat16 different rewards collapse into ties; here the head stays in float32."""
    root = tiny.llama(tmp_path / "m")
    many: Talks = [
        [{"role": "user", "content": f"{i}"}, {"role": "assistant", "content": f"{i * i} {i}"}] for i in range(100)
    ]
    naive = Naive(root)
    naive.model.to(torch.bfloat16)
    full, half = load(str(root)), load(str(root), LoadOptions(dtype="bfloat16"))
    assert len(set(full.score(many))) == 100
    assert len(set(naive.score(many))) < 95
    assert len(set(half.score(many))) == 100
    assert half.facts.dtype == "bfloat16"


def test_11_code_of_another_time_is_not_needed(tmp_path: Path) -> None:
    """Modules in checkpoints import names that the library no longer has, or return nothing on newer versions."""
    with pytest.raises(ImportError):
        from transformers.models.llama.modeling_llama import LLAMA_INPUTS_DOCSTRING  # noqa: F401
    for id in ("A1", "A4"):
        row = BY_ID[id]
        root = written(row, tmp_path / id)
        (root / "modeling_custom.py").write_text(
            "from transformers.models.llama.modeling_llama import LLAMA_INPUTS_DOCSTRING\n"
            f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
        )
        tiny.edit_json(root / "config.json", auto_map={"AutoModelForSequenceClassification": "modeling_custom.Model"})
        np.testing.assert_allclose(ours(row, root), wanted(row, root), rtol=1e-5, atol=1e-5)
        assert not (tmp_path / "ran").exists()


def test_12_value_heads_read_the_state_behind_the_last_norm(tmp_path: Path) -> None:
    """The last layer's own output is another vector than the one that heads are trained on."""
    row = BY_ID["T1"]
    root = written(row, tmp_path / "m")
    state = load_file(root / "model.safetensors")
    naive = Naive(root)
    caught: list[torch.Tensor] = []
    naive.model.model.norm.register_forward_pre_hook(lambda module, args: caught.append(args[0]))
    values = ours(row, root)
    with torch.no_grad():
        texts = naive.texts(row.talks())
        ids = naive.tokenizer(texts[0], return_tensors="pt", add_special_tokens=False)["input_ids"]
        after = naive.model.model(ids).last_hidden_state[0, -1]
    head = next(tensor for name, tensor in state.items() if name.endswith("v_head.summary.weight"))
    bias = next(tensor for name, tensor in state.items() if name.endswith("v_head.summary.bias"))
    before = caught[0][0, -1]
    assert abs(float(head[0] @ before + bias) - values[0]) > 1e-2
    assert float(head[0] @ after + bias) == pytest.approx(values[0], abs=1e-4)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions that were asked on the terminal, each answered with no."""
    questions: list[str] = []

    def answer(question: str = "") -> str:
        questions.append(question)
        return "n"

    monkeypatch.setattr("builtins.input", answer)
    return questions


def test_12b_nothing_is_asked_on_the_terminal(llama: Path, tmp_path: Path, copy_of: Any, asked: list[str]) -> None:
    """The tokenizer's loader asks whether to run code, and a pipeline waits for ever."""
    root = copy_of(llama)
    (root / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    code = {"AutoConfig": "evil.C", "AutoTokenizer": ["evil.T", None]}
    tiny.edit_json(root / "config.json", model_type="evil", auto_map=code)
    tiny.edit_json(root / "tokenizer_config.json", tokenizer_class="EvilTokenizer", auto_map=code)
    with pytest.raises(ValueError, match="custom code"):
        AutoTokenizer.from_pretrained(root)
    assert asked
    asked.clear()
    for options in (LoadOptions(), LoadOptions(format="seqcls"), LoadOptions(format="openrlhf")):
        with pytest.raises(LoadRefusedError, match="evil"):
            load(str(root), options)
    assert not asked
    assert not (tmp_path / "ran").exists()


def test_13_there_is_exactly_one_begin_of_text_token(tmp_path: Path, talks: Talks) -> None:
    """Template and tokenizer both write it and a text has two; or the template leaves it to a tokenizer never asked."""
    both = tiny.llama(tmp_path / "both", bos=True, template="{{ bos_token }}" + tiny.TEMPLATE)
    naive = Naive(both)
    assert naive.tokenizer(naive.texts(talks)[0])["input_ids"][:2] == [1, 1]
    model = load(str(both))
    assert "<s> from the template" in str(model.facts.template)
    np.testing.assert_allclose(model.score(talks), naive.score(talks), atol=1e-5)
    bare = tiny.llama(tmp_path / "bare", bos=True)
    naive = Naive(bare)
    told = naive.tokenizer.apply_chat_template(talks[0], tokenize=True)
    assert 1 not in (told if isinstance(told, list) else told["input_ids"])
    model = load(str(bare))
    assert "<s> from the tokenizer" in str(model.facts.template)
    ids = naive.tokenizer(naive.texts(talks)[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        assert model.score(talks[:1])[0] == pytest.approx(float(naive.model(ids).logits[0, 0]), abs=1e-5)


def test_14_pairs_are_compared_in_both_orders_and_not_in_a_random_one(tmp_path: Path) -> None:
    """Another tool draws the order of a pair, so that its number changes from run to run."""
    row = BY_ID["C3"]
    root = written(row, tmp_path / "m")
    model = load(str(root), LoadOptions(offline=True, device="cpu", **row.options_for(root)))
    question, one, other = "Name a fruit.", "A pear", "No."
    first = [model.prefer(question, one, other) for _ in range(3)]
    assert len(set(first)) == 1
    back = model.prefer(question, other, one)
    neutral = row.neutral
    assert first[0] - neutral == pytest.approx(neutral - back, abs=1e-6)
    assert abs(first[0] - neutral) > 1e-6
