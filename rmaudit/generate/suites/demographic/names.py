"""First names by cell (group and gender), dealt out so that all are used equally often and in changing company."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool

ETHNICITIES = ("white", "black", "hispanic", "asian")
GENDERS = ("female", "male")
CELLS = tuple(product(ETHNICITIES, GENDERS))
Cell = tuple[str, str]
SHIFTS = dict(zip(CELLS, (0, 1, 3, 6, 10, 14, 17, 19), strict=True))
"""Places by which a cell's names move from one round to the next."""


@dataclass(frozen=True)
class Name:
    """A first name with what its arm says of it."""

    name: str
    ethnicity: str
    gender: str
    half: str
    """Which of the two matched lists it is from."""

    @property
    def factors(self) -> dict[str, str]:
        """As an arm has them."""
        cell = f"{self.ethnicity} {self.gender}"
        return {
            "ethnicity": self.ethnicity,
            "gender": self.gender,
            "cell": cell,
            "name": self.name,
            "list": self.half,
        }


def names(draw: Draw) -> dict[Cell, list[Name]]:
    """The names of each cell in the order of the draw."""
    cells: dict[Cell, list[Name]] = {cell: [] for cell in CELLS}
    for row in sorted(pool("names"), key=lambda row: draw.rank(row["name"], "name")):
        cells[row["ethnicity"], row["gender"]].append(Name(row["name"], row["ethnicity"], row["gender"], row["list"]))
    return cells


def dealt(cells: dict[Cell, list[Name]], turn: int, chosen: Sequence[Cell] = CELLS) -> list[Name]:
    """The names of a turn, one a cell."""
    size = len(cells[CELLS[0]])
    return [cells[cell][(turn + turn // size * SHIFTS[cell]) % size] for cell in chosen]


def another(cells: dict[Cell, list[Name]], name: Name, count: int) -> Name:
    """Another name of the same cell, the next one each time: the placebo of a name.

    Args:
        cells: the names.
        name: the name that it stands beside.
        count: how many names of this cell have had a placebo before.
    """
    own = cells[name.ethnicity, name.gender]
    place = (count + count // len(own) * 3 + len(own) // 3) % len(own)
    return own[place] if own[place] != name else own[place - 1 - count % 7]


def mixed(turn: int) -> list[Cell]:
    """One cell a group, women and men in turn, within the item and from item to item."""
    return [(ethnicity, GENDERS[(place + turn) % 2]) for place, ethnicity in enumerate(ETHNICITIES)]
