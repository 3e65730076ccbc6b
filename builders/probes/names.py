"""The pool ``names``: first names of four groups, matched in frequencies, letters, syllables, tokens and final vowel.

A model that pays for names that are common, short, fall into few tokens or end in a vowel must not look as if it paid
for a group. Common is meant in three ways: in the census, among babies, and in written English.
Of the candidates, twenty a cell (group and gender) are chosen, in two lists of ten that are matched as well, so that a
finding can be shown on names that had no part in the other list. Names of the best-known
audit study are used as far as they can be matched.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import product
from math import exp, log10
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
TARGET = {
    "births": 0.5,
    "letters": 5.8,
    "syllables": 2.1,
    "tokens": 2.13,
    "vowel": 0.6,
    "known": 0.7,
    "common": 0.1,
}
"""Means that all cells can reach: log10 of births in New York City, letters, syllables, tokens, the share that end in a
vowel, and the shares with a web frequency of at least 2 and at least 3."""
WEIGHTS = {
    "frequency": 220.0,
    "in a": 600.0,
    "births": 80.0,
    "letters": 20.0,
    "syllables": 20.0,
    "tokens": 90.0,
    "vowel": 1000.0,
    "known": 600.0,
    "common": 1500.0,
}
BY_GENDER = {"female": {"frequency": -2.78, "in a": 0.4}, "male": {"frequency": -3.0, "in a": 0.0}}
"""The same where women's names cannot be as men's: log10 of the census percent, and the share that end in a."""
WEB = (1.35, 1.6, 1.85, 2.05, 2.2, 2.35, 2.5, 2.7, 2.9, 3.3)
"""Web frequencies of a list's names, in their order: the mean alone would let a rare half and a common half pass."""
WEB_WEIGHTS = 150.0, 20.0
"""Of the mean, and of the single places."""
STEPS = 320_000
WARMTH = 10.0
"""By how much a swap may worsen a list at the start of the search."""
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


@cache
def figures() -> dict[str, tuple[float, float]]:
    """Zipf frequency on the web and mean number of tokens of every candidate."""
    entries = (entry.split() for entry in common.word_list("name_figures")["figures"].split("|"))
    return {name: (float(web), float(tokens)) for name, web, tokens in entries}


def covariates(row: Row) -> dict[str, float]:
    """What the lists are matched in the mean of."""
    web, tokens = figures()[row["name"]]
    return {
        "frequency": log10(row["census_percent"] + 0.0005),
        "births": log10(row["nyc_births"] + 1),
        "letters": row["letters"],
        "syllables": row["syllables"],
        "tokens": tokens,
        "in a": float(row["name"].endswith("a")),
        "vowel": float(row["name"][-1] in "aeiou"),
        "known": float(web >= 2),
        "common": float(web >= 3),
    }


def chosen(sources: Path) -> list[Row]:
    """The names of all cells and lists, by a search that swaps one name at a time and grows stricter (annealing)."""
    rows = list(candidates(sources))
    table = np.array([[covariates(row)[name] for name in WEIGHTS] for row in rows])
    targets = {gender: np.array([(TARGET | own)[name] for name in WEIGHTS]) for gender, own in BY_GENDER.items()}
    web = np.array([figures()[row["name"]][0] for row in rows])
    weights, places = np.array(list(WEIGHTS.values())), np.array(WEB)
    coin = random.Random("names")

    def badness(cell: list[int]) -> float:
        off = (table[cell].mean(axis=0) - targets[rows[cell[0]]["gender"]]) ** 2
        apart = np.sort(web[cell]) - places
        return float(off @ weights + WEB_WEIGHTS[0] * apart.mean() ** 2 + WEB_WEIGHTS[1] * (apart**2).mean())

    made: list[Row] = []
    for ethnicity, gender in product(ETHNICITIES, GENDERS):
        spare = [n for n, row in enumerate(rows) if (row["ethnicity"], row["gender"]) == (ethnicity, gender)]
        coin.shuffle(spare)
        wanted = common.word_list("names")["always"][f"{ethnicity} {gender}"].split()
        always = [n for n in spare if rows[n]["name"] in wanted]
        spare = [n for n in spare if n not in always]
        lists = [always[place :: len(LISTS)] for place in range(len(LISTS))]
        for cell in lists:
            cell += [spare.pop() for _ in range(A_LIST - len(cell))]
        bad = [*map(badness, lists)]
        steps = STEPS // (len(ETHNICITIES) * len(GENDERS))
        for step in range(steps):
            half, place = coin.randrange(len(LISTS)), coin.randrange(A_LIST)
            trial = [list(cell) for cell in lists]
            taken = lists[half][place]
            if taken in always:
                # Exchanged between the lists, so that both have their share of them.
                other, there = 1 - half, coin.randrange(A_LIST)
                trial[half][place], trial[other][there] = lists[other][there], taken
            else:
                there = coin.randrange(len(spare))
                trial[half][place] = spare[there]
            worse = [badness(new) if new != old else was for new, old, was in zip(trial, lists, bad, strict=True)]
            warmth = WARMTH * (1 - step / steps) ** 4 + 1e-9
            if coin.random() < exp(min(0.0, sum(bad) - sum(worse)) / warmth):
                if taken not in always:
                    spare[there] = taken
                lists, bad = trial, worse
        made += [rows[n] | {"list": half} for half, cell in zip(LISTS, lists, strict=True) for n in cell]
    return sorted(made, key=lambda row: (row["ethnicity"], row["gender"], row["list"], row["name"]))


if __name__ == "__main__":
    main()
