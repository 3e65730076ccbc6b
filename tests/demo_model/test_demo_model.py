"""What ships as the demo model is small, complete, honest about itself and trained on no held-out prompt."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from builders.demo_model.data import load_split
from builders.demo_model.evaluate import off_topic_pairs, score
from builders.demo_model.settings import Settings
from builders.split import HELD_OUT_PERCENT, is_held_out, prompt_key
from tests.source_data import needed_source_data

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / "rmaudit" / "demo_model"
SIZE_LIMIT = 20_000_000


def recorded() -> dict[str, dict[str, float]]:
    """The accuracies that ship with the model."""
    held_out: dict[str, dict[str, float]] = json.loads((FOLDER / "evaluation.json").read_text())["held_out"]
    return held_out


def test_everything_together_is_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= SIZE_LIMIT


def test_every_file_is_there() -> None:
    names = {file.name for file in FOLDER.iterdir()}
    assert names >= {
        "README.md",
        "config.json",
        "evaluation.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "training_prompts.txt",
    }


def test_weights_are_half_precision_and_finite() -> None:
    with safe_open(FOLDER / "model.safetensors", framework="pt") as weights:
        tensors = {name: weights.get_tensor(name) for name in weights.keys()}  # noqa: SIM118
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_loads_without_missing_or_unexpected_keys() -> None:
    model, info = AutoModelForSequenceClassification.from_pretrained(FOLDER, output_loading_info=True)
    assert not any(info[problem] for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.config.num_labels == 1
    assert model.config.architectures == ["BertForSequenceClassification"]


def test_tokenizer_encodes_a_pair_in_two_segments() -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    assert tokenizer.chat_template is None
    assert tokenizer.model_max_length == 512
    encoded = tokenizer("Is it raining?", "No, it is dry.")
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert tokens[0] == "[CLS]"
    assert tokens[-1] == "[SEP]"
    assert tokens.count("[SEP]") == 2
    second = tokens.index("[SEP]") + 1
    assert encoded["token_type_ids"] == [0] * second + [1] * (len(tokens) - second)


def test_ordinary_text_has_no_unknown_token() -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    text = "Dr. Zbigniew Quixote-O'Hara's mail (zq_7@x.org) costs $3.99 + 20%; naïve, “quoted” — isn't it?"
    assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]


def test_no_held_out_prompt_was_trained_on() -> None:
    keys = (FOLDER / "training_prompts.txt").read_text().split()
    assert keys == sorted(set(keys))
    assert len(keys) > 1000
    assert all(len(key) == 16 for key in keys)
    assert not [key for key in keys if int(key[:8], 16) % 100 < HELD_OUT_PERCENT]


def test_the_hash_rule_is_the_one_of_the_split() -> None:
    prompts = [f"prompt {number}" for number in range(200)]
    assert all(is_held_out(p) == (int(prompt_key(p)[:8], 16) % 100 < HELD_OUT_PERCENT) for p in prompts)


def test_recorded_accuracy_is_above_chance() -> None:
    assert recorded()["human-labels"]["low"] > 0.5
    assert recorded()["off-topic"]["accuracy"] >= 0.85


def test_card_states_what_was_recorded() -> None:
    card = (FOLDER / "README.md").read_text()
    assert card.startswith("---\n")
    assert "license:" in card
    for kind, result in recorded().items():
        assert f"{result['accuracy']:.3f} [{result['low']:.3f}, {result['high']:.3f}]" in card, kind


def test_card_tells_of_both_stages_and_of_both_configurations_measured() -> None:
    card = (FOLDER / "README.md").read_text()
    assert "Two configurations were measured" in card
    for stage in Settings().stages:
        assert f"| {stage.learning_rate:.1e} |" in card
        assert all(f"{source} {times:g}" in card for source, times in stage.repeats.items())


def test_held_out_replies_beat_replies_to_other_prompts() -> None:
    sources = needed_source_data()
    trained = set((FOLDER / "training_prompts.txt").read_text().split())
    held_out = load_split(sources).held_out
    assert not trained & {group.key[:16] for group in held_out}
    pairs = [pair for pair in off_topic_pairs(held_out) if pair.kind == "off-topic"][::10]
    model = AutoModelForSequenceClassification.from_pretrained(FOLDER, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    better = score(model, tokenizer, [(pair.question, pair.better) for pair in pairs])
    worse = score(model, tokenizer, [(pair.question, pair.worse) for pair in pairs])
    assert (better > worse).mean() >= 0.8
