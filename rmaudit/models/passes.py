"""Which conversations go through a network in one pass, and in which way: whatever a cost model finds cheapest.

The cost is counted, not timed, so that a plan is the same on every run and machine. Its unit is the product of a query
with a key in one layer's attention; its constants come from ``python -m benchmarks.speed.constants`` on a CPU.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmaudit.models.interface import Work
from rmaudit.models.tree import CALL_COST, Ids, Tree, pack, shared, sorted_by_tokens

TOKENS_PER_PASS = 16_384
"""Most tokens, padding included, of one padded forward pass; a larger batch is split."""
TREE_TOKENS = 2_048
"""Most tokens of a tree, beyond which activations no longer fit into a CPU's caches."""
MOST_TOGETHER = 256
"""Most conversations of a tree: a run that is interrupted repeats at most these."""


PASS_COST = 30_000
"""What a layer costs beside its arithmetic."""


@dataclass(frozen=True)
class Pass:
    """Conversations that go through a network at once."""

    chosen: tuple[int, ...]
    """Their places."""
    longest: int
    tokens: int
    unique: int
    tree: Tree | None = None
    """How they are packed; ``None`` is padded."""

    @property
    def work(self) -> Work:
        """What it costs."""
        if self.tree is not None:
            return Work(self.tokens, self.unique, self.tree.size, 0)
        computed = self.longest * len(self.chosen)
        return Work(self.tokens, self.unique, computed, computed - self.tokens)


def token_cost(model: Any) -> float:
    """What a token costs beside its attention, per layer, in products of a query with a key.

    Twice the weights is what the linear layers compute, and four times the width a product, at half the speed.
    """
    config = model.config.get_text_config()
    layers = int(getattr(config, "num_hidden_layers", 0) or 1)
    embedded = model.get_input_embeddings().weight.numel()
    weights = sum(parameter.numel() for parameter in model.parameters()) - embedded
    return float(max(1, weights)) / layers / (4 * int(getattr(config, "hidden_size", 0) or 1))


def padded_passes(sequences: Mapping[int, Ids], cost: float, *, mix: bool) -> list[Pass]:
    """Split conversations, by place, into padded passes of similar, or else of equal, lengths.

    Cut where it costs the least: padding against one more pass.

    Args:
        sequences: tokens of the conversations, by place.
        cost: of a token, see `token_cost`.
        mix: whether different lengths may go together.
    """
    order = sorted(sequences, key=lambda i: len(sequences[i]))
    lengths = [len(sequences[i]) for i in order]
    best, start = [0.0], [0]
    for stop, longest in enumerate(lengths, 1):
        starts = [stop - 1]
        while starts[-1] > 0 and (stop - starts[-1] + 1) * longest <= TOKENS_PER_PASS:
            if not mix and lengths[starts[-1] - 1] != longest:
                break
            starts.append(starts[-1] - 1)
        costs = [best[i] + _cost_of_padded(stop - i, longest, cost) for i in starts]
        best.append(min(costs))
        start.append(starts[costs.index(best[-1])])
    cuts = [len(order)]
    while cuts[-1] > 0:
        cuts.append(start[cuts[-1]])
    return [_padded(order[first:last], sequences) for first, last in itertools.pairwise(reversed(cuts))]


def tree_passes(sequences: Mapping[int, Ids], budget: int) -> Iterator[Pass]:
    """Split conversations, by place, into passes of trees."""
    for chosen in neighbours(sequences, budget):
        parts = [sequences[i] for i in chosen]
        tree = pack(parts)
        yield Pass(tuple(chosen), max(map(len, parts)), sum(map(len, parts)), tree.size, tree)


def cheapest(sequences: Mapping[int, Ids], budget: int, cost: float) -> list[Pass]:
    """The cheaper of trees and padded passes without a mask.

    Args:
        sequences: tokens of the conversations, by place.
        budget: most tokens of a tree.
        cost: of a token, see `token_cost`.
    """
    padded, trees = padded_passes(sequences, cost, mix=True), list(tree_passes(sequences, budget))
    of_padded = sum(_cost_of_padded(len(p.chosen), p.longest, cost) for p in padded)
    of_trees = sum(PASS_COST + p.tree.size * cost + p.tree.attention for p in trees if p.tree is not None)
    return trees if of_trees < of_padded else padded


def neighbours(sequences: Mapping[int, Ids], budget: int, most: int = MOST_TOGETHER) -> Iterator[list[int]]:
    """Cut conversations that begin alike into groups of at most `budget` different tokens and `most` conversations.

    A group ends where its last conversations share the least with those that follow.
    """
    places = list(sequences)
    order = [places[i] for i in sorted_by_tokens([sequences[i] for i in places])]
    common = [0, *(shared(sequences[i], sequences[j]) for i, j in itertools.pairwise(order))]
    start = 0
    while start < len(order):
        size, stop = len(sequences[order[start]]), start + 1
        while stop < len(order) and stop - start < most:
            size += len(sequences[order[stop]]) - common[stop]
            if size > budget:
                break
            stop += 1
        if stop < len(order):
            # Only in the second half, so that groups stay large.
            stop = min(range(start + (stop - start + 1) // 2, stop + 1), key=lambda i: (common[i], -i))
        yield order[start:stop]
        start = stop


def _cost_of_padded(count: int, longest: int, cost: float) -> float:
    """Of a padded pass of so many conversations, without a mask."""
    return PASS_COST + CALL_COST + count * longest * (cost + longest / 2)


def _padded(chosen: Sequence[int], sequences: Mapping[int, Ids]) -> Pass:
    parts = [sequences[i] for i in chosen]
    order = sorted_by_tokens(parts)
    again = sum(shared(parts[i], parts[j]) for i, j in itertools.pairwise(order))
    tokens = sum(map(len, parts))
    return Pass(tuple(chosen), max(map(len, parts)), tokens, tokens - again)
