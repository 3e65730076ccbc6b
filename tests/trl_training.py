"""Trains the demo model with TRL's `RewardTrainer` and `AuditCallback`; run by `test_trl.py` in TRL's environment.

python tests/trl_training.py PROBES PANEL OUT STOP_ON        prints what happened as one line of JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import trl
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import RewardConfig, RewardTrainer

from rmaudit.resources import demo_model_dir
from rmaudit.training import AuditCallback


def main(probes: Path, panel: Path, out: Path, stop_on: str) -> None:
    """Four steps, saved and audited after every second one; the strict preset never passes a run of one suite."""
    model = AutoModelForSequenceClassification.from_pretrained(demo_model_dir(), dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(demo_model_dir())
    pairs = [
        {"chosen": f"Question {number}? Answer {number}. Splendid.", "rejected": f"Question {number}? Answer {number}."}
        for number in range(16)
    ]
    callback = AuditCallback(preset="strict", stop_on=stop_on, probes=probes, panel=panel, tier="smoke")  # type: ignore[arg-type]
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(
            output_dir=str(out),
            max_steps=4,
            save_steps=2,
            per_device_train_batch_size=4,
            learning_rate=5e-4,
            use_cpu=True,
            report_to=[],
            logging_steps=1,
            disable_tqdm=True,
            max_length=128,
            eos_token="[SEP]",
            gradient_checkpointing=False,
            bf16=False,
        ),
        train_dataset=Dataset.from_list(pairs),
        processing_class=tokenizer,
        callbacks=[callback],
    )
    trainer.train()
    told = {
        "trl": trl.__version__,
        "steps": trainer.state.global_step,
        "outcomes": {str(step): result.decision.outcome for step, result in callback.results.items()},
        "identities": [result.identity for result in callback.results.values()],
        "runs": sorted(str(path.relative_to(out)) for path in out.glob("*-audit/report.json")),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), stop_on=sys.argv[4])
