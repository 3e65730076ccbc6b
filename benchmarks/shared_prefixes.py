"""What does computing shared beginnings once save, beside a loop over batches of eight as they come?

A random Llama of 25 million parameters scores two samples of the shipped conversations: ordinary pairs (the panel), and
items with eight or more arms. The ways take turns, and each turn measures the speed of a matrix product too, so that
what else the machine does touches all alike. The share of the peak is what the model's own operations (linear layers
and attention, every conversation whole, no padding) make of that speed; above 100 % is work that was not needed.

    python benchmarks/shared_prefixes.py --conversations 192 --rounds 3
    python benchmarks/shared_prefixes.py --constants
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification
from transformers.integrations.sdpa_attention import sdpa_attention_forward

import rmaudit
from rmaudit.audit import select
from rmaudit.conversation import Conversation
from rmaudit.resources import demo_model_dir

TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
WIDTH, INNER, LAYERS, HEADS = 512, 1376, 8, 8


def checkpoint(root: Path) -> Path:
    """A random model, with the tokenizer of the demo model."""
    tokenizer = AutoTokenizer.from_pretrained(demo_model_dir())
    tokenizer.chat_template = TEMPLATE
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.convert_ids_to_tokens(0)
    tokenizer.save_pretrained(root)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        vocab_size=len(tokenizer),
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        max_position_embeddings=4096,
    )
    LlamaForSequenceClassification(config).save_pretrained(root)
    return root


def pairs(count: int) -> list[Conversation]:
    """Two responses each to ordinary prompts."""
    items = [item for item in select(None, None, (), "standard").panel.items if len(item.arms) > 1]
    items = items[:: max(1, len(items) * 2 // count)]
    return [item.conversation(arm) for item in items for arm in list(item.arms)[:2]][:count]


def counterfactuals(count: int) -> list[Conversation]:
    """All arms of items with eight or more."""
    items = [item for _, items in select(None, None, (), "standard").suites for item in items if len(item.arms) >= 8]
    items = items[:: max(1, sum(len(item.arms) for item in items) // count)]
    return [item.conversation(arm) for item in items for arm in item.arms][:count]


class Loop:
    """Batches of eight with the library's classifier."""

    def __init__(self, root: Path, dtype: torch.dtype) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(root)
        self.model = LlamaForSequenceClassification.from_pretrained(root, dtype=dtype).eval()

    def tokens(self, conversations: list[Conversation]) -> list[list[int]]:
        """Tokens of each."""
        texts = [self.tokenizer.apply_chat_template(talk, tokenize=False) for talk in conversations]
        return list(self.tokenizer(texts)["input_ids"])

    def score(self, conversations: list[Conversation], ordered: bool = False, masked: bool = True) -> list[float]:
        """In the order of the file or of the lengths, with or without a mask."""
        rows = self.tokens(conversations)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i])) if ordered else list(range(len(rows)))
        rewards: dict[int, float] = {}
        for start in range(0, len(order), 8):
            chosen = order[start : start + 8]
            longest = max(len(rows[i]) for i in chosen)
            ids = torch.tensor([rows[i] + [0] * (longest - len(rows[i])) for i in chosen])
            ends = torch.tensor([len(rows[i]) for i in chosen])
            mask = (torch.arange(longest) < ends[:, None]).long() if masked else None
            with torch.inference_mode():
                states = self.model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
                scores = self.model.score(states[torch.arange(len(chosen)), ends - 1]).float()[:, 0]
            rewards |= dict(zip(chosen, scores.tolist(), strict=True))
        return [rewards[i] for i in range(len(rows))]


def peak(dtype: torch.dtype) -> float:
    """Operations a second of a matrix product, the best of a few."""
    left, right = torch.randn(1024, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
    best = min(timed(lambda: left @ right)[0] for _ in range(12))
    return 2 * 1024**3 / best


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and user seconds."""
    user, wall = os.times().user, time.perf_counter()
    work()
    return time.perf_counter() - wall, os.times().user - user


def operations(lengths: list[int]) -> float:
    """Of the linear layers and of attention, for whole conversations without padding."""
    linear = LAYERS * (4 * WIDTH * WIDTH + 3 * WIDTH * INNER)
    return float(sum(2 * linear * n + LAYERS * 4 * WIDTH * n * (n + 1) / 2 for n in lengths))


def compare(name: str, conversations: list[Conversation], root: Path, rounds: int, dtype: str) -> None:
    """Time every way in turn and print a table."""
    number = getattr(torch, dtype)
    loop = Loop(root, number)
    model = rmaudit.load(str(root), dtype=dtype, device="cpu")
    ways: dict[str, Callable[[], list[float]]] = {
        "eight as they come": lambda: loop.score(conversations),
        "eight, sorted": lambda: loop.score(conversations, ordered=True),
        "eight, sorted, no mask": lambda: loop.score(conversations, ordered=True, masked=False),
        "rmaudit": lambda: model.score(conversations).tolist(),
    }
    lengths = [len(ids) for ids in loop.tokens(conversations)]
    work, arranged = operations(lengths), model.arrange(conversations).work
    print(f"\n{name}: {len(conversations)} conversations, {arranged}, {model.facts.passes}")
    rewards: dict[str, list[float]] = {}
    walls: dict[str, list[float]] = {way: [] for way in ways}
    users: dict[str, list[float]] = {way: [] for way in ways}
    peaks: list[float] = []
    for way in ways.values():
        way()  # the first time, memory is made room for
    for _ in range(rounds):
        for way, score in ways.items():
            peaks.append(peak(number))
            wall, user = timed(lambda score=score, way=way: rewards.update({way: score()}))  # type: ignore[misc]
            walls[way].append(wall)
            users[way].append(user)
    first = next(iter(ways))
    print(f"{'':24}{'seconds':>9}{'user':>9}{'ratio':>8}{'of user':>9}{'of peak':>9}{'difference':>12}")
    for way in ways:
        ratio = statistics.median(a / b for a, b in zip(walls[first], walls[way], strict=True))
        of_user = statistics.median(a / b for a, b in zip(users[first], users[way], strict=True))
        off = max(abs(a - b) for a, b in zip(rewards[first], rewards[way], strict=True))
        print(
            f"{way:24}{statistics.median(walls[way]):9.2f}{statistics.median(users[way]):9.2f}{ratio:8.2f}{of_user:9.2f}"
            f"{work / min(walls[way]) / max(peaks):9.0%}{off:12.1e}"
        )
    best, middle = max(peaks) / 1e9, statistics.median(peaks) / 1e9
    print(f"peak {best:.0f}, median {middle:.0f} GFLOP/s; load of the machine {os.getloadavg()[0]:.1f}")


def constants() -> None:
    """Print the constants of the cost model, in products of a query with a key."""
    layer = torch.nn.Module()

    def seconds(queries: int, keys: int) -> float:
        q, k = torch.randn(1, HEADS, queries, 64), torch.randn(1, HEADS, keys, 64)
        mask = torch.zeros(1, 1, queries, keys)
        return min(timed(lambda: sdpa_attention_forward(layer, q, k, k, mask))[0] for _ in range(200))

    product = (seconds(256, 1024) - seconds(256, 512)) / (256 * 512)
    keys = torch.randn(1, HEADS, 512, 64)
    copied = min(timed(lambda: torch.cat([keys, keys], dim=2))[0] for _ in range(200)) / 1024
    states, weight = torch.randn(1024, WIDTH), torch.randn(INNER, WIDTH)
    linear = min(timed(lambda: torch.nn.functional.linear(states, weight))[0] for _ in range(50))
    slower = product / (4 * WIDTH) / (linear / (2 * 1024 * WIDTH * INNER))
    print(f"a product {product * 1e9:.2f} ns, {slower:.1f} times as long as in a linear layer")
    print(f"a call {seconds(2, 16) / product:,.0f} products; a copied key and value {2 * copied / product:.1f}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["pairs", "arms"])
    parser.add_argument("--constants", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.constants:
        constants()
        return
    with tempfile.TemporaryDirectory() as folder:
        root = checkpoint(Path(folder))
        for name, sample in (("pairs", pairs), ("arms", counterfactuals)):
            if options.only in (None, name):
                compare(name, sample(options.conversations), root, options.rounds, options.dtype)


if __name__ == "__main__":
    main()
