"""How fast is scoring, beside the loop that others use: batches of eight as the file has them, padded to the longest?

Scores the same sample of the shipped conversations with the demo model in both ways, in turn, and prints the ratio of
the times and the largest difference of rewards.

    python benchmarks/scoring_speed.py --conversations 512 --rounds 3
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rmaudit
from rmaudit.audit import select
from rmaudit.conversation import Conversation, as_pair
from rmaudit.resources import demo_model_dir


def sample(count: int) -> list[Conversation]:
    """Conversations spread over panel and suites."""
    chosen = select(None, None, (), "standard")
    items = [*chosen.panel.items, *(item for _, items in chosen.suites for item in items)]
    conversations = [item.conversation(arm) for item in items for arm in item.arms]
    return conversations[:: max(1, len(conversations) // count)][:count]


def naive(conversations: list[Conversation]) -> list[float]:
    """Batches of eight, in order, padded to the longest of the eight."""
    tokenizer = AutoTokenizer.from_pretrained(demo_model_dir())
    model = AutoModelForSequenceClassification.from_pretrained(demo_model_dir(), dtype=torch.float32).eval()
    rewards: list[float] = []
    with torch.inference_mode():
        for start in range(0, len(conversations), 8):
            pairs = [as_pair(conversation) for conversation in conversations[start : start + 8]]
            questions, answers = zip(*pairs, strict=True)
            batch = tokenizer(list(questions), list(answers), padding=True, return_tensors="pt")
            rewards += model(**batch).logits[:, 0].tolist()
    return rewards


def planned(conversations: list[Conversation]) -> list[float]:
    """As a scan does: longest first, like lengths together."""
    model = rmaudit.load("demo")
    lengths = model.lengths(conversations)
    order = sorted(range(len(conversations)), key=lambda index: -lengths[index])
    rewards = dict(zip(order, model.score([conversations[index] for index in order]), strict=True))
    return [float(rewards[index]) for index in range(len(conversations))]


def main() -> None:
    """Time both ways in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    conversations = sample(options.conversations)
    times: dict[str, list[float]] = {"naive": [], "planned": []}
    results: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for name, score in (("naive", naive), ("planned", planned)):
            began = time.perf_counter()
            results[name] = score(conversations)
            times[name].append(time.perf_counter() - began)
    for name, seconds in times.items():
        print(f"{name:8} median {statistics.median(seconds):6.2f} s for {len(conversations)} conversations")
    ratios = [slow / fast for slow, fast in zip(times["naive"], times["planned"], strict=True)]
    worst = max(abs(a - b) for a, b in zip(results["naive"], results["planned"], strict=True))
    print(f"naive / planned: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")
    print(f"largest difference of a reward: {worst:.1e}")


if __name__ == "__main__":
    main()
