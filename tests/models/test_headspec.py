"""A head that nobody knows, described in a file: loaded without code, scored as an independent forward pass does."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaModel

from rmaudit.errors import LoadRefusedError, RmauditError, UsageError
from rmaudit.models.headspec import read_head_spec
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.models import hostile, tiny

Talks = Any
Tensors = dict[str, torch.Tensor]
EOS = 2


def tensors(seed: int = 5) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "up.weight": (12, 16),
        "up.bias": (12,),
        "down.weight": (1, 12),
        "down.bias": (1,),
        "three.weight": (3, 16),
    }
    return {f"gauge.{name}": torch.randn(shape, generator=generator) for name, shape in shapes.items()}


HEAD = tensors()
MLP_NAMES = ("gauge.up.weight", "gauge.up.bias", "gauge.down.weight", "gauge.down.bias")


def write(root: Path, *names: str, beginning: str = "", **tokenizer: Any) -> Path:
    """A Llama with some tensors of a head that no format has."""
    tiny.llama(root, **tokenizer)
    state = load_file(root / "model.safetensors")
    del state["score.weight"]
    state |= {name: HEAD[name] for name in names}
    save_file({beginning + name: tensor for name, tensor in state.items()}, root / "model.safetensors")
    tiny.edit_json(root / "config.json", architectures=["GaugeModel"])
    return root


@pytest.fixture(scope="module")
def gauge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gauge") / "m", *HEAD)


@cache
def library(root: Path) -> tuple[Any, Any]:
    """Tokenizer and bare model, by the library alone."""
    return AutoTokenizer.from_pretrained(root), LlamaModel.from_pretrained(root).eval()


def states(root: Path, text: str) -> tuple[list[int], torch.Tensor]:
    """Tokens and last hidden states of one text."""
    tokenizer, backbone = library(root)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        return ids, backbone(torch.tensor([ids])).last_hidden_state[0]


def chat(root: Path, talk: Any) -> str:
    return str(library(root)[0].apply_chat_template(talk, tokenize=False))


def spec(path: Path, **entries: Any) -> str:
    path.write_text(yaml.safe_dump(entries))
    return str(path)


def asked(path: Path, **entries: Any) -> LoadOptions:
    return LoadOptions(head_spec=spec(path, **entries))


def agree(root: Path, options: LoadOptions, wanted: Callable[[Any], float]) -> None:
    """Batches of one and of many, and both padding sides, give what an independent forward pass gives."""
    talks: Talks = tiny.conversations()[4:13]
    expected = [wanted(talk) for talk in talks]
    assert np.std(expected) > 1e-2
    model = load(str(root), options)
    assert model.facts.format == "head-spec"
    np.testing.assert_allclose(model.score(talks), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose([model.score([talk])[0] for talk in talks], expected, rtol=1e-5, atol=1e-5)
    for side in ("left", "right"):
        np.testing.assert_allclose(model.padded_rewards(talks, side), expected, rtol=1e-5, atol=1e-5)  # type: ignore[attr-defined]


MLP = [
    {"weight": "gauge.up.weight", "bias": "gauge.up.bias", "activation": "silu"},
    {"weight": "gauge.down.weight", "bias": "gauge.down.bias"},
]


def mlp(hidden: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor] = torch.nn.functional.silu) -> float:
    inner = function(HEAD["gauge.up.weight"] @ hidden + HEAD["gauge.up.bias"])
    return float((HEAD["gauge.down.weight"] @ inner + HEAD["gauge.down.bias"])[0])


def before_eos(ids: list[int]) -> int:
    """The answer's own end of text; the question's comes first."""
    return len(ids) - 2


POSITIONS: dict[str, tuple[dict[str, Any], Callable[[list[int], torch.Tensor], torch.Tensor]]] = {
    "last": ({}, lambda ids, h: h[-1]),
    "first": ({"position": "first"}, lambda ids, h: h[0]),
    "mean": ({"position": "mean"}, lambda ids, h: h.mean(0)),
    "first-token": ({"position": "first-token", "token": "eos"}, lambda ids, h: h[ids.index(EOS)]),
    "first-token by text": ({"position": "first-token", "token": "<|assistant|>"}, lambda ids, h: h[ids.index(7)]),
    "first-token by id": ({"position": "first-token", "token": 7}, lambda ids, h: h[ids.index(7)]),
    "before-token": ({"position": "before-token", "token": "eos"}, lambda ids, h: h[before_eos(ids)]),
    "last-not-padding": ({"position": "last-not-padding"}, lambda ids, h: h[-1]),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_every_position_is_read_where_it_says(name: str, tmp_path: Path) -> None:
    told, at = POSITIONS[name]
    root = write(tmp_path / "m", *MLP_NAMES)
    agree(root, asked(tmp_path / "h.yaml", layers=MLP, **told), lambda talk: mlp(at(*states(root, chat(root, talk)))))


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda x: x,
    "relu": torch.relu,
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "tanh": torch.tanh,
    "selu": torch.selu,
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "silu": lambda x: x * torch.sigmoid(x),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name: str, tmp_path: Path) -> None:
    root = write(tmp_path / "m", *MLP_NAMES)
    options = asked(tmp_path / "h.yaml", layers=[MLP[0] | {"activation": name}, MLP[1]])
    talk: Any = tiny.conversations()[1]
    wanted = mlp(states(root, chat(root, talk))[1][-1], ACTIVATIONS[name])
    assert load(str(root), options).score([talk])[0] == pytest.approx(wanted, abs=1e-5)


def test_sign_and_normalisation(tmp_path: Path) -> None:
    root = write(tmp_path / "m", *MLP_NAMES)
    options = asked(tmp_path / "h.yaml", layers=MLP, sign=-1, normalisation={"mean": 0.5, "std": 2.0, "epsilon": 0.1})
    agree(root, options, lambda talk: -(mlp(states(root, chat(root, talk))[1][-1]) - 0.5) / 2.1)
    model = load(str(root), options)
    assert model.facts.sign == -1
    assert model.facts.normalisation == "(x - 0.5) / (2 + 0.1)"


def test_several_outputs_with_names_and_weights(tmp_path: Path) -> None:
    root = write(tmp_path / "m", "gauge.three.weight")
    outputs = [{"name": "help", "weight": 2.0}, {"name": "harm", "weight": -1.0}, {"weight": 0.0}]
    options = asked(tmp_path / "h.yaml", layers=[{"weight": "gauge.three.weight"}], outputs=outputs)

    def parts(talk: Any) -> torch.Tensor:
        return HEAD["gauge.three.weight"] @ states(root, chat(root, talk))[1][-1] * torch.tensor([2.0, -1.0, 0.0])

    agree(root, options, lambda talk: float(parts(talk).sum()))
    talk: Any = tiny.conversations()[1]
    model = load(str(root), options)
    assert model.facts.attributes == ("help", "harm")
    (scored,) = model.score_batch([talk])
    assert [scored.attributes[name] for name in ("help", "harm")] == pytest.approx(parts(talk)[:2].tolist(), abs=1e-5)


@pytest.mark.parametrize("transform", ["softmax", "sigmoid"])
def test_transforms(transform: str, tmp_path: Path) -> None:
    root = write(tmp_path / "m", "gauge.three.weight")
    layers, outputs = [{"weight": "gauge.three.weight"}], [{"weight": 1.0}, {"weight": 0.0}, {"weight": 0.0}]
    function = (lambda x: torch.softmax(x, 0)) if transform == "softmax" else torch.sigmoid
    options = asked(tmp_path / "h.yaml", layers=layers, outputs=outputs, transform=transform)

    def outcome(talk: Any) -> float:
        return float(function(HEAD["gauge.three.weight"] @ states(root, chat(root, talk))[1][-1])[0])

    agree(root, options, outcome)


def test_a_backbone_under_another_name(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", *MLP_NAMES)
    root = write(tmp_path / "m", *MLP_NAMES)
    state = {n.replace("model.", "inner.body.", 1): t for n, t in load_file(root / "model.safetensors").items()}
    save_file(state, root / "model.safetensors")
    with pytest.raises(LoadRefusedError, match=r"inner\.body\."):
        load(str(root), asked(tmp_path / "h.yaml", layers=MLP))
    options = asked(tmp_path / "h.yaml", layers=MLP, backbone={"inner.body.": ""})
    agree(root, options, lambda talk: mlp(states(plain, chat(root, talk))[1][-1]))


def test_names_with_the_wrapper_that_training_put_before_them(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", *MLP_NAMES)
    root = write(tmp_path / "m", *MLP_NAMES, beginning="module.")
    wrapped = [
        {key: f"module.{value}" if key != "activation" else value for key, value in layer.items()} for layer in MLP
    ]
    for layers in (MLP, wrapped):
        options = asked(tmp_path / "h.yaml", layers=layers)
        agree(root, options, lambda talk: mlp(states(plain, chat(root, talk))[1][-1]))


def test_a_text_of_its_own(tmp_path: Path) -> None:
    root = write(tmp_path / "m", *MLP_NAMES, template=None)
    told = {"template": "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}", "strip": "\n"}
    options = asked(tmp_path / "h.yaml", layers=MLP, input={**told, "close": True, "special_tokens": False})

    def text(talk: Any) -> str:
        return "".join(f"{turn['role']}: {turn['content']}\n" for turn in talk).rstrip("\n") + " </s>"

    agree(root, options, lambda talk: mlp(states(root, text(talk))[1][-1]))
    with pytest.raises(LoadRefusedError, match="has no chat template"):
        load(str(root), asked(tmp_path / "h.yaml", layers=MLP))


@pytest.mark.parametrize("file", ["value_head.safetensors", "reward_head.pt"])
def test_a_head_in_a_file_of_its_own(file: str, tmp_path: Path) -> None:
    root = write(tmp_path / "m")
    head = {name: HEAD[name] for name in MLP_NAMES}
    if file.endswith(".pt"):
        torch.save(head, root / file)
    else:
        save_file(head, root / file)
    options = LoadOptions(head_spec=spec(tmp_path / "h.yaml", layers=MLP), allow_pickle=file.endswith(".pt"))
    agree(root, options, lambda talk: mlp(states(root, chat(root, talk))[1][-1]))


def test_a_known_head_may_be_read_another_way(llama: Path, tmp_path: Path) -> None:
    options = asked(tmp_path / "h.yaml", layers=[{"weight": "score.weight"}], sign=-1)
    talks: Talks = tiny.conversations()
    assert load(str(llama), options).score(talks) == pytest.approx(-load(str(llama)).score(talks), abs=1e-5)


# ---------------------------------------------------------------- mistakes


def test_a_missing_tensor_is_named_with_the_one_that_was_meant(gauge: Path, tmp_path: Path) -> None:
    options = asked(tmp_path / "h.yaml", layers=[{"weight": "gauge.dwn.weight", "bias": "x.bias"}])
    with pytest.raises(LoadRefusedError, match=r"names gauge\.dwn\.weight, x\.bias.*Did you mean gauge\.down\.weight"):
        load(str(gauge), options)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([{"weight": "gauge.down.weight"}], r"gauge\.down\.weight \[1, 12\] is not \[…, 16\]"),
        ([{"weight": "gauge.up.bias"}], r"gauge\.up\.bias \[12\] is not"),
        ([{"weight": "gauge.three.weight"}], r"gives 3 numbers .* name each of them under outputs"),
        ([{"weight": "gauge.up.weight", "bias": "gauge.down.bias"}, MLP[1]], "does not fit together"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(gauge: Path, tmp_path: Path, layers: Any, says: str) -> None:
    with pytest.raises(LoadRefusedError, match=says):
        load(str(gauge), asked(tmp_path / "h.yaml", layers=layers))


ONE = "layers: [{weight: a}]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a mapping"),
        ("- a\n", "not a mapping"),
        ("layer: []\n", r"layer: there is no such key\. Did you mean layers\?"),
        ("layers: []\n", "layers: .*at least 1"),
        ("sign: 1\n", "layers: field required"),
        ("layers: [{wieght: a}]\n", r"layers\.0\.wieght: there is no such key\. Did you mean weight\?"),
        ("layers: [{weight: a, activation: rellu}]\n", r"layers\.0\.activation: .*Did you mean relu\?"),
        ("layers: [{weight: 3}]\n", r"layers\.0\.weight: .*string"),
        (ONE + "position: frist\n", r"position: .*Did you mean first\?"),
        (ONE + "position: first-token\n", "position first-token needs token"),
        (ONE + "position: every-token\ntoken: 3\n", "position every-token needs steps"),
        (ONE + "sign: 0\n", "sign: .*1 or -1"),
        (ONE + "sign: two\n", "sign: "),
        (ONE + "normalization: {mean: 0}\n", r"normalization: .*Did you mean normalisation\?"),
        (ONE + "normalisation: {std: 0}\n", "normalisation: std must be above 0"),
        (ONE + "normalisation: {std: .nan}\n", r"normalisation\.std: "),
        (ONE + "normalisation: {sdt: 1}\n", r"normalisation\.sdt: .*Did you mean std\?"),
        (ONE + "outputs: [{wight: 1}]\n", r"outputs\.0\.wight: .*Did you mean weight\?"),
        (ONE + "outputs: [{weight: .inf}]\n", r"outputs\.0\.weight: .*finite"),
        (ONE + "transform: softmx\n", r"transform: .*Did you mean softmax\?"),
        (ONE + "input: {templat: x}\n", r"input\.templat: .*Did you mean template\?"),
        (ONE + "input: {close: perhaps}\n", r"input\.close: "),
        (ONE + "steps: {aggregate: maen}\n", r"steps\.aggregate: .*Did you mean mean\?"),
        (ONE + "backbone: [a]\n", "backbone: "),
        ("layers: [\n", "not valid YAML"),
        ("layers: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_a_mistake_in_the_file_is_named(llama: Path, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "h.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says) as problem:
        load(str(llama), LoadOptions(head_spec=str(file)))
    assert "\n" not in str(problem.value)


def test_a_file_that_is_not_there(llama: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        load(str(llama), LoadOptions(head_spec=str(tmp_path / "nothing.yaml")))
    with pytest.raises(UsageError, match="--head-spec FILE"):
        load(str(llama), LoadOptions(format="head-spec"))
    with pytest.raises(UsageError, match="Leave --as seqcls out"):
        load(str(llama), LoadOptions(format="seqcls", head_spec="h.yaml"))


def test_a_description_that_multiplies_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RmauditError, match="an anchor or an alias"):
        read_head_spec(str(hostile.billion_laughs(tmp_path / "h.yaml")))
    (tmp_path / "h.yaml").write_text("[" * 40 + "]" * 40)
    with pytest.raises(RmauditError, match="nested"):
        read_head_spec(str(tmp_path / "h.yaml"))
    (tmp_path / "h.yaml").write_text("a" * 3_000_000)
    with pytest.raises(RmauditError, match="larger than"):
        read_head_spec(str(tmp_path / "h.yaml"))


@pytest.mark.parametrize("told", ["<|nowhere|>", "two tokens"])
def test_a_token_that_there_is_not_is_refused(gauge: Path, tmp_path: Path, told: str) -> None:
    root = write(tmp_path / "m", *MLP_NAMES)
    with pytest.raises(LoadRefusedError, match="no such token"):
        load(str(root), asked(tmp_path / "h.yaml", layers=MLP, position="first-token", token=told))
