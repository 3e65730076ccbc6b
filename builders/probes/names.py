"""The pool ``names``: first names of four groups, matched in frequency, letters and syllables.

A model that pays for names that are common, short or fall into few tokens must not look as if it paid for a group.
Of the candidates, as many a cell (group and gender) are chosen as can be matched: twenty-four, in two lists of twelve
that are matched as well, so that a finding can be shown on names that had no part in the other list.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builders.probes import common

ETHNICITIES = ("white", "black", "hispanic", "asian")
GENDERS = ("female", "male")
LISTS = ("A", "B")
A_LIST = 12
"""Names of a cell in each list."""
COMMONEST = 0.012
"""Percent of people with the name (census of 1990) up to which names of all groups can be matched."""
STEPS = 60_000
REFRESH = 500
"""Steps after which the lists aim at their common mean anew."""
REGISTER = {"HISP": "hispanic", "WHIT": "white", "BLAC": "black", "ASIA": "asian"}
Row = dict[str, Any]


def main() -> None:
    """Write ``probes/sources/names.jsonl``."""
    common.write_pool("names", chosen(common.sources_argument(__doc__)))


def census(sources: Path) -> dict[str, dict[str, float]]:
    """Percent of women and of men with a first name in the census of 1990; absent where fewer than 0.001."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for gender in GENDERS:
        for row in common.rows(sources, f"names/census1990_{gender}_first.jsonl"):
            found[row["name"].casefold()][gender] = float(row["pct"])
    return found


def births(sources: Path) -> dict[str, Counter[str]]:
    """Babies of each group in New York City with a first name; the file repeats rows, which count once."""
    entries = {tuple(row.values())[:5] for row in common.rows(sources, "names/nyc_popular_baby_names.jsonl.gz")}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for _, _, ethnicity, name, count in {(*entry[:3], entry[3].casefold(), entry[4]) for entry in entries}:
        found[name][REGISTER[ethnicity[:4]]] += int(count)
    return found


def syllables(name: str) -> int:
    """Runs of vowels, a final silent e aside: rough, and the same rule for every group."""
    letters = name.casefold()
    runs = sum(
        letter in "aeiouy" and (place == 0 or letters[place - 1] not in "aeiouy")
        for place, letter in enumerate(letters)
    )
    silent = len(letters) > 3 and letters.endswith("e") and letters[-2] not in "aeiouy"
    return max(1, runs - silent)


def candidates(sources: Path) -> Iterator[Row]:
    """Candidates that are no commoner than can be matched, and that no other group or gender has more often."""
    people, babies = census(sources), births(sources)
    for ethnicity, gender in product(ETHNICITIES, GENDERS):
        for name in common.word_list("names")["candidates"][f"{ethnicity} {gender}"].split():
            shares, group = people.get(name.casefold(), {}), babies.get(name.casefold(), Counter())
            share = sum(shares.values())
            other_gender = share and shares.get(gender, 0.0) < share / 2
            other_group = group.total() >= 50 and group[ethnicity] < group.total() / 2
            if share <= COMMONEST and not other_gender and not other_group:
                yield {
                    "name": name,
                    "ethnicity": ethnicity,
                    "gender": gender,
                    "census_percent": round(share, 4),
                    "nyc_births": group.total(),
                    "letters": len(name),
                    "syllables": syllables(name),
                    "source": "rmaudit",
                    "licence": "Apache-2.0",
                }


def covariates(rows: list[Row]) -> NDArray[np.float64]:
    """What the lists are matched in, in SDs and frequency above all, shape (rows, covariates)."""
    share = np.array([row["census_percent"] for row in rows])
    born = np.array([row["nyc_births"] for row in rows])
    letters = np.array([row["letters"] for row in rows], dtype=float)
    parts = np.array([row["syllables"] for row in rows], dtype=float)
    columns = [
        np.log10(share + 0.0005),
        share == 0,
        np.log10(born + 1),
        born == 0,
        letters,
        np.abs(letters - 6),
        parts,
    ]
    table = np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)
    scaled: NDArray[np.float64] = (table - table.mean(axis=0)) / table.std(axis=0)
    return scaled * np.array([4.0, 2.0, 3.0, 2.0, 2.0, 0.0, 1.0])


def chosen(sources: Path) -> list[Row]:
    """The names of all cells and lists, by a search that swaps one name at a time towards equal means."""
    rows = list(candidates(sources))
    table = covariates(rows)
    coin = random.Random("names")
    lists: dict[tuple[str, str, str], list[int]] = {}
    spare: dict[tuple[str, str], list[int]] = {}
    for ethnicity, gender in product(ETHNICITIES, GENDERS):
        pool = [n for n, row in enumerate(rows) if (row["ethnicity"], row["gender"]) == (ethnicity, gender)]
        coin.shuffle(pool)
        for number, half in enumerate(LISTS):
            lists[ethnicity, gender, half] = pool[number * A_LIST : (number + 1) * A_LIST]
        spare[ethnicity, gender] = pool[len(LISTS) * A_LIST :]
    keys = list(lists)
    for step in range(STEPS):
        if step % REFRESH == 0:
            # Half way to the list that is farthest off, so that all meet where the poorest supply can get to.
            means = np.array([table[cell].mean(axis=0) for cell in lists.values()])
            middle = means.mean(axis=0)
            target = (middle + means[((means - middle) ** 2).sum(axis=1).argmax()]) / 2
        key = coin.choice(keys)
        cell, others = lists[key], spare[key[:2]]
        place, other = coin.randrange(len(cell)), coin.randrange(len(others))
        trial = [*cell[:place], others[other], *cell[place + 1 :]]
        if _distance(table, trial, target) < _distance(table, cell, target):
            others[other], lists[key] = cell[place], trial
    made = [rows[n] | {"list": half} for (_, _, half), cell in lists.items() for n in cell]
    return sorted(made, key=lambda row: (row["ethnicity"], row["gender"], row["list"], row["name"]))


def _distance(table: NDArray[np.float64], cell: list[int], target: NDArray[np.float64]) -> float:
    return float(((table[cell].mean(axis=0) - target) ** 2).sum())


if __name__ == "__main__":
    main()
