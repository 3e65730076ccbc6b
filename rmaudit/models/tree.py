"""Token sequences that begin alike, as one packed tree in which every shared beginning stands once.

The sequences are sorted; each adds to the packing the tokens behind what it shares with the one before it. So the
tokens that follow on a token, on whichever path, lie in one range directly behind it, and who sees whom is a
comparison of places: a token sees those before it whose range has not ended yet.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Places = NDArray[np.int64]

CALL_COST = 3_000
"""What a call of an attention kernel costs beside its arithmetic, in products of a query with a key."""
COPY_COST = 4
"""What it costs to gather a key that does not lie beside the others, in the same unit."""


@dataclass(frozen=True)
class Piece:
    """Tokens whose attention is computed in one call: a range of the packing, all of which sees the same ranges before.

    Within itself it is a path, or a tree of which a token sees its own path only.
    """

    start: int
    stop: int
    before: tuple[tuple[int, int], ...] = ()
    """Ranges of the packing that each of its tokens sees, in order."""
    path: bool = True
    """Whether each token sees all tokens of the piece before it."""

    @property
    def keys(self) -> int:
        """Number of tokens that the last one would see if the piece were a path."""
        return self.stop - self.start + sum(stop - start for start, stop in self.before)

    @property
    def plain(self) -> bool:
        """Whether causal attention within the piece is all there is, which needs no mask."""
        return self.path and not self.before

    @property
    def cost(self) -> float:
        """Of its call, in products of a query with a key."""
        products = (self.stop - self.start) * self.keys
        ranges = len(self.before) + (not self.before or self.before[-1][1] != self.start)
        return CALL_COST + (products / 2 if self.plain else products) + (COPY_COST * self.keys if ranges > 1 else 0)


@dataclass(frozen=True)
class Tree:
    """Sequences packed so that equal beginnings stand once."""

    ids: Ids
    """Tokens, shape ``(size,)``."""
    positions: Places
    """Place of each token in its sequences, counted from 0; shape ``(size,)``."""
    ends: Places
    """Where the range of the tokens that follow on each token ends; shape ``(size,)``. Token ``i`` sees token ``j``
    where ``j <= i < ends[j]``."""
    index: tuple[Places, ...]
    """For each sequence, in the order given, the place in the packing of each of its tokens."""
    pieces: tuple[Piece, ...]
    """Ranges that together cover the packing, in order."""

    @property
    def size(self) -> int:
        """Number of tokens that are computed."""
        return len(self.ids)

    @property
    def attention(self) -> float:
        """Cost of the attention of one layer, in products of a query with a key."""
        return sum(piece.cost for piece in self.pieces)

    def sees(self, piece: Piece) -> NDArray[np.bool_]:
        """Which keys each token of a piece sees.

        Returns:
            Shape ``(tokens of the piece, piece.keys)``: the ranges before it, then the piece itself.
        """
        places = np.arange(piece.start, piece.stop)
        own = (places <= places[:, None]) & (places[:, None] < self.ends[piece.start : piece.stop])
        before = np.ones((len(places), piece.keys - len(places)), dtype=np.bool_)
        return np.concatenate([before, own], axis=1)

    def seen_from(self, places: Places) -> NDArray[np.bool_]:
        """Which tokens of the packing each of these sees, shape ``(places, size)``."""
        every = np.arange(self.size)
        return (every <= places[:, None]) & (places[:, None] < self.ends)


def shared(one: Ids, other: Ids) -> int:
    """Number of tokens at the beginning that two sequences share."""
    size = min(len(one), len(other))
    different = one[:size] != other[:size]
    first = int(different.argmax()) if size else 0
    return first if size and different[first] else size


def sorted_by_tokens(sequences: Sequence[Ids]) -> list[int]:
    """Places of the sequences in an order in which those with equal beginnings are neighbours."""
    # Big-endian bytes of numbers that are not negative compare like the numbers.
    return sorted(range(len(sequences)), key=lambda i: (sequences[i].astype(">u4").tobytes(), i))


def pack(sequences: Sequence[Ids]) -> Tree:
    """Pack sequences into a tree.

    Args:
        sequences: token ids, none negative, of one token or more each; repeats are welcome.
    """
    order = sorted_by_tokens(sequences)
    common = [shared(sequences[i], sequences[j]) for i, j in itertools.pairwise(order)]
    index: dict[int, Places] = {}
    ids: list[Ids] = []
    size, path = 0, np.zeros(0, dtype=np.int64)
    for i, known in zip(order, [0, *common], strict=True):
        fresh = len(sequences[i]) - known
        path = np.concatenate([path[:known], np.arange(size, size + fresh)])
        index[i] = path
        ids.append(sequences[i][known:])
        size += fresh
    paths = [index[i] for i in order]
    ends = np.zeros(size, dtype=np.int64)
    positions = np.zeros(size, dtype=np.int64)
    for own in paths:
        positions[own] = np.arange(len(own))
    pieces = [piece for top in _branches(paths, common, 0, len(paths), 0, size) for piece in top.pieces((), ends)]
    return Tree(
        np.concatenate(ids) if ids else np.zeros(0, dtype=np.int32),
        positions,
        ends,
        tuple(index[i] for i in range(len(sequences))),
        tuple(pieces),
    )


def packed_size(sequences: Sequence[Ids]) -> int:
    """Number of different tokens of sequences, those that a tree of them has."""
    order = sorted_by_tokens(sequences)
    return sum(len(ids) for ids in sequences) - sum(
        shared(sequences[i], sequences[j]) for i, j in itertools.pairwise(order)
    )


@dataclass(frozen=True)
class _Node:
    """Tokens without a branch among them, and what follows on them."""

    start: int
    stop: int
    end: int
    """Where the last of its followers ends."""
    children: tuple[_Node, ...]

    def pieces(self, before: tuple[tuple[int, int], ...], ends: Places) -> tuple[Piece, ...]:
        """The cheapest pieces that cover the node and its followers; notes where each token's followers end."""
        ends[self.start : self.stop] = self.end
        own = Piece(self.start, self.stop, before)
        if not self.children:
            return (own,)
        below = _joined(before, (self.start, self.stop))
        apart = tuple(piece for child in self.children for piece in child.pieces(below, ends))
        ways = (
            (own, *apart),
            (own, Piece(self.stop, self.end, below, path=False)),
            (Piece(self.start, self.end, before, path=False),),
        )
        return min(ways, key=lambda pieces: sum(piece.cost for piece in pieces))


def _branches(paths: list[Places], common: list[int], low: int, high: int, depth: int, end: int) -> list[_Node]:
    """The nodes at a depth of the sorted sequences ``low`` to ``high``, all of which share what is before it."""
    while low < high and len(paths[low]) == depth:
        low += 1  # ends here, or is a repeat
    cuts = [low, *(i + 1 for i in range(low, high - 1) if common[i] == depth), high] if low < high else []
    nodes = []
    for first, last in itertools.pairwise(cuts):
        stop = min([len(paths[first]), *common[first : last - 1]])
        start = int(paths[first][depth])
        whole = int(paths[last][depth]) if last < high else end
        node = _Node(start, start + stop - depth, whole, tuple(_branches(paths, common, first, last, stop, whole)))
        if len(node.children) == 1:  # a sequence ends here, and the others go on together
            node = replace(node, stop=node.children[0].stop, children=node.children[0].children)
        nodes.append(node)
    return nodes


def _joined(ranges: tuple[tuple[int, int], ...], more: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    if ranges and ranges[-1][1] == more[0]:
        return (*ranges[:-1], (ranges[-1][0], more[1]))
    return (*ranges, more)
