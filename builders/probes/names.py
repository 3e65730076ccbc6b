"""The pool ``names``: first names of four groups, matched in frequency, letters and syllables.

A model that pays for names that are common, short or fall into few tokens must not look as if it paid for a group.
Of the candidates, twenty a cell (group and gender) are chosen, in two lists of ten that are matched as well, so that a
finding can be shown on names that had no part in the other list. Names of the best-known
audit study are used as far as they can be matched.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import product
from math import log10
from pathlib import Path
from typing import Any

import numpy as np

from builders.probes import common

ETHNICITIES = ("white", "black", "hispanic", "asian")
GENDERS = ("female", "male")
LISTS = ("A", "B")
A_LIST = 10
"""Names of a cell in each list."""
COMMONEST = 0.04
"""Percent of people with the name (census of 1990) up to which a name is used that no study has used."""
TARGET = {"frequency": -2.62, "births": 0.5, "letters": 5.8, "syllables": 2.1}
"""Means that all cells can reach: log10 of the census percent, log10 of births in New York City, letters, syllables."""
WEIGHTS = {"frequency": 120.0, "births": 12.0, "letters": 4.0, "syllables": 4.0}
STEPS = 60_000
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
    """Candidates that no other group or gender has more often; unless studies used them, no common ones."""
    people, babies = census(sources), births(sources)
    for ethnicity, gender in product(ETHNICITIES, GENDERS):
        for kind in ("studies", "others"):
            for name in common.word_list("names")[kind][f"{ethnicity} {gender}"].split():
                shares, group = people.get(name.casefold(), {}), babies.get(name.casefold(), Counter())
                share = sum(shares.values())
                other_gender = share and shares.get(gender, 0.0) < share / 2
                other_group = group.total() >= 50 and group[ethnicity] < group.total() / 2
                if kind == "studies" or (share <= COMMONEST and not other_gender and not other_group):
                    yield {
                        "name": name,
                        "ethnicity": ethnicity,
                        "gender": gender,
                        "kind": kind,
                        "census_percent": round(share, 4),
                        "nyc_births": group.total(),
                        "letters": len(name),
                        "syllables": syllables(name),
                        "source": "rmaudit",
                        "licence": "Apache-2.0",
                    }


def covariates(row: Row) -> dict[str, float]:
    """What the lists are matched in."""
    return {
        "frequency": log10(row["census_percent"] + 0.0005),
        "births": log10(row["nyc_births"] + 1),
        "letters": row["letters"],
        "syllables": row["syllables"],
    }


def chosen(sources: Path) -> list[Row]:
    """The names of all cells and lists, by a search that swaps one name at a time towards the target."""
    rows = list(candidates(sources))
    table = np.array([list(covariates(row).values()) for row in rows])
    coin = random.Random("names")

    def badness(cell: list[int]) -> float:
        off = (table[cell].mean(axis=0) - np.array(list(TARGET.values()))) ** 2
        return float(off @ np.array(list(WEIGHTS.values())))

    made: list[Row] = []
    for ethnicity, gender in product(ETHNICITIES, GENDERS):
        spare = [n for n, row in enumerate(rows) if (row["ethnicity"], row["gender"]) == (ethnicity, gender)]
        coin.shuffle(spare)
        always = [
            n for n in spare if rows[n]["name"] in common.word_list("names")["always"][f"{ethnicity} {gender}"].split()
        ]
        spare = [n for n in spare if n not in always]
        lists = {half: always[place :: len(LISTS)] for place, half in enumerate(LISTS)}
        for cell in lists.values():
            cell += [spare.pop() for _ in range(A_LIST - len(cell))]
        for _ in range(STEPS // (len(ETHNICITIES) * len(GENDERS))):
            cell, other_list = coin.sample([*lists.values()], 2)
            place, other = coin.randrange(A_LIST), coin.randrange(len(spare))
            if cell[place] in always:
                # Exchanged between the lists, so that both have their share of them.
                there = coin.randrange(A_LIST)
                both = [*cell[:place], other_list[there], *cell[place + 1 :]], list(other_list)
                both[1][there] = cell[place]
                if sum(map(badness, both)) < badness(cell) + badness(other_list):
                    cell[:], other_list[:] = both
                continue
            trial = [*cell[:place], spare[other], *cell[place + 1 :]]
            if badness(trial) < badness(cell):
                spare[other], cell[:] = cell[place], trial
        made += [rows[n] | {"list": half} for half, cell in lists.items() for n in cell]
    return sorted(made, key=lambda row: (row["ethnicity"], row["gender"], row["list"], row["name"]))


if __name__ == "__main__":
    main()
