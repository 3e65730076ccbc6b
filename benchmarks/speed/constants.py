"""Prints the constants of the cost model of `rmaudit.models.passes`, as this machine has them.

The unit is the product of a query with a key in one layer's attention.

    python -m benchmarks.speed.constants
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from benchmarks.speed.checkpoint import HEADS, INNER, WIDTH
from rmaudit.models.products import FastProducts


def fastest(work: Callable[[], object], times: int = 200) -> float:
    """Seconds of the fastest of many times."""

    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(once() for _ in range(times))


def attention(queries: int, keys: int) -> float:
    """Seconds of a call of the kernel."""
    q, k = torch.randn(1, HEADS, queries, WIDTH // HEADS), torch.randn(1, HEADS, keys, WIDTH // HEADS)
    layer, mask = torch.nn.Module(), torch.zeros(1, 1, queries, keys)
    return fastest(lambda: sdpa_attention_forward(layer, q, k, k, mask))


def main() -> None:
    """Measure and print."""
    product = (attention(256, 1024) - attention(256, 512)) / (256 * 512)
    keys = torch.randn(1, HEADS, 512, WIDTH // HEADS)
    copied = fastest(lambda: torch.cat([keys, keys], dim=2)) / 1024
    states, weight = torch.randn(1024, WIDTH), torch.randn(INNER, WIDTH)
    with FastProducts():
        linear = fastest(lambda: torch.nn.functional.linear(states, weight), 50)
    slower = product / (4 * WIDTH) / (linear / (2 * 1024 * WIDTH * INNER))
    print(f"a product {product * 1e9:.2f} ns; its operations take {slower:.1f} times as long as a linear layer's")
    print(f"a call {attention(2, 16) / product:,.0f} products; a copied key and value {2 * copied / product:.1f}")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
