"""A packed tree holds every different beginning once, and each token sees its own past and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rmaudit.models.tree import Tree, pack, packed_size

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=12)
LONG = st.tuples(st.lists(st.integers(0, 5), max_size=400), SEQUENCES).map(
    lambda drawn: [[*drawn[0], *tail] for tail in drawn[1]]
)
"""A long beginning makes other cuts of the attention the cheapest."""


def packed(sequences: list[list[int]]) -> Tree:
    return pack([np.array(ids, dtype=np.int32) for ids in sequences])


def beginnings(sequences: list[list[int]]) -> set[tuple[int, ...]]:
    return {tuple(ids[: i + 1]) for ids in sequences for i in range(len(ids))}


@given(SEQUENCES | LONG)
@settings(max_examples=300, deadline=None)
def test_every_different_beginning_is_one_token(sequences: list[list[int]]) -> None:
    tree = packed(sequences)
    assert tree.size == len(beginnings(sequences)) == packed_size([np.array(s, dtype=np.int32) for s in sequences])
    place: dict[tuple[int, ...], int] = {}
    for ids, own in zip(sequences, tree.index, strict=True):
        assert tree.ids[own].tolist() == ids
        assert tree.positions[own].tolist() == list(range(len(ids)))
        for i, at in enumerate(own.tolist()):
            assert place.setdefault(tuple(ids[: i + 1]), at) == at
    assert sorted(place.values()) == list(range(tree.size))


@given(SEQUENCES | LONG)
@settings(max_examples=300, deadline=None)
def test_a_token_sees_its_own_past(sequences: list[list[int]]) -> None:
    tree = packed(sequences)
    wanted = np.zeros((tree.size, tree.size), dtype=bool)
    for own in tree.index:
        for i, at in enumerate(own):
            wanted[at, own[: i + 1]] = True
    places = np.arange(tree.size)
    np.testing.assert_array_equal((places <= places[:, None]) & (places[:, None] < tree.ends), wanted)
    seen = np.zeros_like(wanted)
    for piece in tree.pieces:
        keys = [i for start, stop in (*piece.before, (piece.start, piece.stop)) for i in range(start, stop)]
        assert piece.keys == len(keys)
        mask = tree.sees(piece)
        seen[np.ix_(range(piece.start, piece.stop), keys)] = mask
        assert piece.path == bool(np.tril(np.ones_like(mask), len(keys) - len(mask)).tolist() == mask.tolist())
    np.testing.assert_array_equal(seen, wanted)


@given(SEQUENCES | LONG)
@settings(max_examples=100, deadline=None)
def test_pieces_cover_the_packing_in_order(sequences: list[list[int]]) -> None:
    tree = packed(sequences)
    edges = [0, *(piece.stop for piece in tree.pieces)]
    assert [piece.start for piece in tree.pieces] == edges[:-1]
    assert edges[-1] == tree.size


@given(SEQUENCES)
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_sequences_changes_nothing_but_the_index(sequences: list[list[int]]) -> None:
    tree, turned = packed(sequences), packed(sequences[::-1])
    assert tree.pieces == turned.pieces
    for one, other in ((tree.ids, turned.ids), (tree.ends, turned.ends)):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(tree.index, turned.index[::-1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_shared_is_computed_alone_and_its_arms_together() -> None:
    prompt = list(range(300))
    tree = packed([[*prompt, 301 + arm, *range(400, 430)] for arm in range(8)])
    assert tree.size == 300 + 8 * 31
    assert tree.pieces[0].stop == 300
    assert tree.pieces[0].plain
    assert all(piece.before[0] == (0, 300) for piece in tree.pieces[1:])


def test_sequences_with_nothing_in_common_need_no_mask() -> None:
    tree = packed([[arm, *range(50)] for arm in range(4)])
    assert [piece.plain for piece in tree.pieces] == [True] * 4


def test_one_path_is_one_piece() -> None:
    tree = packed([[1, 2, 3], [1, 2, 3], [1, 2, 3]])
    assert (tree.size, len(tree.pieces), tree.pieces[0].plain) == (3, 1, True)
