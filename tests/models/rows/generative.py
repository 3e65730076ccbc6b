"""G1, G2, D1, V1 and what is refused: rewards read off a language model's own output layer."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tests.models.rows import common as c
from tests.models.rows.values import ALPHA, HEAD, RANK, WORDS, base_of, lm_head, lora, lora_config, merged, summary

LM = ("lm_head.weight",)

# ---------------------------------------------------------------- one logit

NEMOTRON_WORDS = c.Words(template=c.LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>", adds=("<|begin_of_text|> $A",))
NEMOTRON = c.llama(NEMOTRON_WORDS)


def _write(root: Path, words: c.Words, config: dict[str, Any], id: str) -> None:
    words.write(root)
    c.write_json(root / "config.json", config)
    c.save(root, c.state(c.base(config, id), "model.") | {LM[0]: c.normal(f"{id}lm", words.size(), 16)})


def _logits(root: Path, config: dict[str, Any], ids: list[int]) -> torch.Tensor:
    model, tensors = c.loaded(root, config, "model.")
    return c.hidden(model, ids) @ tensors[LM[0]].T


def _nemotron(root: Path, conversation: c.Talk) -> float:
    return float(_logits(root, NEMOTRON, c.chat(root, conversation))[-1, 0])


# ---------------------------------------------------------------- yes or no

YES_WORDS = c.Words(words=("Yes", "No"))
YES = c.llama(YES_WORDS)
QUESTION = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}Is the last answer a good one (Yes/No)?\n"
)


def _write_yes(root: Path) -> None:
    _write(root, YES_WORDS, YES, "G2")
    root.with_name(f"{root.name}.jinja").write_text(QUESTION, encoding="utf-8")


def _yes(root: Path, conversation: c.Talk) -> float:
    ids = c.encode(root, c.render(root, conversation, template=QUESTION), special=False)
    found = torch.log_softmax(_logits(root, YES, ids)[-1], 0)
    vocab = YES_WORDS.vocabulary()
    return float(found[vocab["Yes"]] - found[vocab["No"]])


# ---------------------------------------------------------------- implicit rewards

POLICY = c.llama(WORDS)
BETA = 0.2


def _write_policy(root: Path) -> None:
    _write(root, WORDS, POLICY, "D1")
    _write(base_of(root), WORDS, POLICY, "D1 reference")


def response_span(root: Path, conversation: c.Talk) -> tuple[list[int], int]:
    """Ids of the whole conversation, and where the response begins."""
    prompt = c.as_text(root, c.render(root, conversation[:-1], generation=True))
    ids = c.chat(root, conversation)
    assert ids[: len(prompt)] == prompt
    return ids, len(prompt)


def _log_probability(states: torch.Tensor, output: torch.Tensor, ids: list[int], start: int) -> float:
    found = torch.log_softmax((states @ output.T).double(), -1)
    return float(sum(found[i - 1, ids[i]] for i in range(start, len(ids))))


def _dpo(root: Path, conversation: c.Talk) -> float:
    ids, start = response_span(root, conversation)
    policy, reference = (
        _log_probability(c.hidden(model, ids), tensors[LM[0]], ids, start)
        for model, tensors in (c.loaded(folder, POLICY, "model.") for folder in (root, base_of(root)))
    )
    return BETA * (policy - reference)


def _write_adapter(root: Path) -> None:
    WORDS.write(root)
    _write(base_of(root), WORDS, POLICY, "D1 adapted")
    c.write_json(root / "adapter_config.json", lora_config(base_of(root), "CAUSAL_LM"))
    c.save(root, lora("D1"), "adapter_model.safetensors")


@lru_cache(maxsize=1)
def _adapted(root: Path) -> Any:
    body = c.filled(c.base(POLICY), c.weights(base_of(root)), "model.")
    return merged(body, c.weights(root), ALPHA / RANK)


def _dpo_adapter(root: Path, conversation: c.Talk) -> float:
    ids, start = response_span(root, conversation)
    plain, tensors = c.loaded(base_of(root), POLICY, "model.")
    policy, reference = (
        _log_probability(c.hidden(model, ids), tensors[LM[0]], ids, start) for model in (_adapted(root), plain)
    )
    return 0.1 * (policy - reference)


# ---------------------------------------------------------------- the text half of a vision model

VISION = {
    "depth": 1,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_heads": 2,
    "patch_size": 14,
    "out_hidden_size": 16,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "in_channels": 3,
    "fullatt_block_indexes": [0],
    "window_size": 56,
}
TEXT = c.llama(c.QWEN, model_type="qwen2")


def _write_vision(root: Path) -> None:
    from transformers import AutoConfig, AutoModel

    c.QWEN.write(root)
    entries = {
        "model_type": "qwen2_5_vl",
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "vision_config": VISION,
    }
    scaling = {
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
        "image_token_id": 18,
        "video_token_id": 19,
    }
    config = {**TEXT, **entries, **scaling, "vision_start_token_id": 16, "vision_end_token_id": 17}
    c.write_json(root / "config.json", config)
    made = AutoConfig.for_model(**{key: value for key, value in config.items() if key != "architectures"})
    whole = c.shake(AutoModel.from_config(made, dtype=torch.float32), "V1")
    seen = {key: value for key, value in c.state(whole).items() if key.startswith("visual.")}
    c.save_shards(root, c.state(c.base(TEXT, "V1"), "model.") | seen | lm_head("llama", TEXT))
    c.save(root, summary("V1"), "value_head.safetensors")


def _vision(root: Path, conversation: c.Talk) -> float:
    """Where all three axes of a position agree, as they do in a text, the rotation is Qwen2's own."""
    model, tensors = c.loaded(root, TEXT, "model.")
    last = c.hidden(model, c.chat(root, conversation))[-1]
    return float((tensors[HEAD[0]] @ last + tensors[HEAD[1]])[0])


ROWS = [
    c.Row(
        "G1",
        "nemotron-hf",
        lambda root: _write(root, NEMOTRON_WORDS, NEMOTRON, "G1"),
        _nemotron,
        head=LM,
        options={"format": "nemotron-hf"},
        talks=c.several,
    ),
    c.Row(
        "G2",
        "yes-no",
        _write_yes,
        _yes,
        head=LM,
        options={"format": "yes-no", "template": "{root}.jinja"},
        talks=c.several,
    ),
    c.Row(
        "D1",
        "dpo",
        _write_policy,
        _dpo,
        head=LM,
        options={"format": "dpo", "ref_model": "{root}-base", "beta": BETA},
        talks=c.several,
    ),
    c.Row("D1-adapter", "dpo", _write_adapter, _dpo_adapter, options={"format": "dpo"}, talks=c.several),
    c.Row("V1", "llamafactory", _write_vision, _vision, head=HEAD, talks=c.several),
]


# ---------------------------------------------------------------- refused by name


def write_tree(root: Path) -> None:
    """A6: a classifier with attributes whose reward is a pickled decision tree."""
    WORDS.write(root)
    names = {str(i): f"attribute {i}" for i in range(5)}
    c.write_json(
        root / "config.json", {**POLICY, "architectures": ["LlamaForSequenceClassification"], "id2label": names}
    )
    c.save(root, c.state(c.base(POLICY, "A6"), "model.") | {"score.weight": c.normal("A6", 5, 16)})
    (root / "decision_tree.pkl").write_bytes(b"\x80\x04N.")


def write_nemo(root: Path) -> None:
    """Z1: a distributed checkpoint of Megatron."""
    root.mkdir(parents=True)
    (root / "model_config.yaml").write_text(
        "hidden_size: 16\nreward_standardization:\n  enable: true\n  mean: 0.0\n  std: 1.0\n", encoding="utf-8"
    )
    for name in ("rm_head.weight", "model.embedding.word_embeddings.weight"):
        (root / "model_weights" / name).mkdir(parents=True)
        (root / "model_weights" / name / "0.0").write_bytes(b"\0" * 64)
        (root / "model_weights" / name / ".zarray").write_text("{}", encoding="utf-8")
    (root / "model_weights" / "metadata.json").write_text('{"sharded_backend": "zarr"}', encoding="utf-8")
