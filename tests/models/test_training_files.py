"""What a trainer's plain files tell, and what they cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmaudit.models.safety import sha256_of
from rmaudit.models.training_files import read_training

STATE = {
    "epoch": 1.0,
    "num_train_epochs": 2,
    "global_step": 1250,
    "train_batch_size": 8,
    "total_flos": 3.1e18,
    "log_history": [
        {"loss": 0.693, "learning_rate": 2e-5, "step": 10},
        {"loss": 0.40, "learning_rate": 1e-5, "step": 600},
        {"loss": 0.412, "learning_rate": 0.0, "step": 1250},
        {"eval_loss": 0.5, "eval_accuracy": 0.71, "step": 1250},
    ],
}


def folder(path: Path, **files: Any) -> Path:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (path / f"{name}.json").write_text(text, encoding="utf-8")
    return path


def test_a_trainer_s_state_is_told_with_its_hash(tmp_path: Path) -> None:
    told = read_training(folder(tmp_path, trainer_state=STATE))
    source = f"trainer_state.json, sha256 {sha256_of(tmp_path / 'trainer_state.json')}"
    assert told["curve"].value == (
        "loss: 0.693 at step 10, 0.412 at step 1,250, lowest 0.4; loss on held-out data: 0.5 at step 1,250; "
        "accuracy on held-out data: 0.71 at step 1,250"
    )
    assert told["method"].value == (
        "epochs: 1; epochs planned: 2; steps: 1,250; batch size of a device: 8; highest learning rate: 2e-05"
    )
    assert (told["computation"].value or "").startswith("3.1e+18 floating-point operations")
    assert {entry.evidence for entry in told.values()} == {source}


def test_an_adapter_names_its_base_and_rank(tmp_path: Path) -> None:
    adapter = {
        "peft_type": "LORA",
        "r": 16,
        "lora_alpha": 32,
        "target_modules": ["v", "q"],
        "base_model_name_or_path": "a/b",
    }
    told = read_training(folder(tmp_path, adapter_config=adapter), {"tokenizer.json": "ab"})
    assert told["method"].value == "LORA adapter: rank 16, alpha 32, on q, v"
    assert told["base_model"].value == "a/b"
    assert told["tokenizer"].value == "sha256 ab"


def test_a_pickle_is_named_and_never_opened(tmp_path: Path) -> None:
    (tmp_path / "training_args.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    (told,) = read_training(tmp_path).values()
    assert (told.value, told.evidence) == (None, "training_args.bin")
    assert "not opened" in (told.reason or "")


@pytest.mark.parametrize(
    "state",
    [
        "{",
        "[]",
        {},
        {"log_history": 3},
        {"log_history": ["x", {"loss": "low", "step": 1}, {"loss": 0.5}, {"loss": True}]},
        {"epoch": "many", "total_flos": None, "global_step": [1]},
    ],
)
def test_a_state_that_tells_nothing_is_left_out(state: Any, tmp_path: Path) -> None:
    assert read_training(folder(tmp_path, trainer_state=state)) == {}


def test_nothing_there(tmp_path: Path) -> None:
    assert read_training(tmp_path) == {}
