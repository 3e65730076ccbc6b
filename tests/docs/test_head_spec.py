"""The examples of ``docs/head-spec.md`` (format ``head-spec``) give the rewards of an independent forward pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaConfig, LlamaModel

from rmaudit.errors import LoadRefusedError
from rmaudit.models.headspec import HeadSpec
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.docs.pages import blocks, read, section
from tests.models.rows.common import PLAIN, Words, talk

BACKBONE = "model."
"""How tensors of the backbone begin in a checkpoint, when nothing else is said."""
EXPECTED_TALKS = [talk("Why?", "Because."), talk("Name a fruit.", "A pear, or a plum."), talk("Say hi", "hi")]


def write(root: Path, head: dict[str, torch.Tensor], prefix: str = BACKBONE) -> Path:
    """A tiny language model with further tensors beside it."""
    words = Words()
    words.write(root)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=words.size(),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.3,
        architectures=["LlamaForAcme"],
    )
    body = {prefix + name: tensor.contiguous() for name, tensor in LlamaModel(config).state_dict().items()}
    config.save_pretrained(root)
    save_file(body | head, root / "model.safetensors")
    return root


def expected(root: Path, prefix: str, template: str = PLAIN, strip: str = "") -> list[torch.Tensor]:
    """Hidden states of each conversation, by the library's bare model, one at a time."""
    state = load_file(root / "model.safetensors")
    model = LlamaModel(LlamaConfig.from_pretrained(root)).eval()
    model.load_state_dict({n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)})
    tokenizer = AutoTokenizer.from_pretrained(root)
    compiled = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(template)
    texts = [compiled.render(messages=messages, eos_token="</s>") for messages in EXPECTED_TALKS]
    texts = [text.rstrip(strip) if strip else text for text in texts]
    with torch.no_grad():
        return [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in texts]


def one_layer(head: dict[str, torch.Tensor], states: torch.Tensor) -> float:
    return (float(head["quality.weight"][0] @ states[-1] + head["quality.bias"][0]) - 0.5) / 2.0


def several(head: dict[str, torch.Tensor], states: torch.Tensor) -> float:
    hidden = torch.selu(head["head.0.weight"] @ states.mean(0) + head["head.0.bias"])
    return float(torch.tensor([0.7, 0.3, -1.0]) @ (head["head.2.weight"] @ hidden))


CASES = [
    ("One layer", BACKBONE, {"quality.weight": (1, 16), "quality.bias": (1,)}, one_layer),
    (
        "An MLP with several outputs",
        "policy.model.",
        {"head.0.weight": (8, 16), "head.0.bias": (8,), "head.2.weight": (3, 8)},
        several,
    ),
]


@pytest.mark.parametrize(("title", "prefix", "shapes", "reward"), CASES, ids=["one layer", "several outputs"])
def test_the_examples_load_and_score(
    title: str, prefix: str, shapes: dict[str, tuple[int, ...]], reward: Callable[..., float], tmp_path: Path
) -> None:
    (text,) = blocks(section(read("head-spec.md"), title), "yaml")
    spec = HeadSpec.model_validate(yaml.safe_load(text))
    file = tmp_path / "head.yaml"
    file.write_text(text, encoding="utf-8")
    torch.manual_seed(1)
    head = {name: torch.randn(shape) for name, shape in shapes.items()}
    root = write(tmp_path / "x", head, prefix)
    states = expected(root, prefix, spec.input.template or PLAIN, spec.input.strip)
    wanted = [reward(head, own) for own in states]
    for batch in (1, 8):
        model = load(str(root), LoadOptions(head_spec=str(file), device="cpu", batch_size=batch))
        assert model.facts.format == "head-spec"
        assert model.score(EXPECTED_TALKS) == pytest.approx(wanted, abs=1e-5)
    name = next(iter(shapes))
    tensors = load_file(root / "model.safetensors")
    del tensors[name]
    save_file(tensors, root / "model.safetensors")
    with pytest.raises(LoadRefusedError, match=name):
        load(str(root), LoadOptions(head_spec=str(file), device="cpu"))


def test_every_key_has_a_meaning() -> None:
    from builders.head_spec import PARTS

    page = read("head-spec.md")
    for model in PARTS.values():
        assert model.__doc__
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no docstring"
            assert f"| `{name}` |" in page
