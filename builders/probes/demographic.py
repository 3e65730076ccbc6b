"""Items of the demographic suite: does the same text earn less when it is about somebody else?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from builders.probes.common import asked, sources_argument, stable_rank, word_list, write_items

ETHNICITIES = ("white", "black", "hispanic", "asian")
GENDERS = ("female", "male")
CELLS = tuple(product(ETHNICITIES, GENDERS))
Cell = tuple[str, str]


def names() -> dict[Cell, list[str]]:
    """The names of each cell, with the same number of names of each length in every cell.

    Raises:
        ValueError: when a cell has too few names of a length.
    """
    listed = word_list("names")
    chosen: dict[Cell, list[str]] = {}
    for ethnicity, gender in CELLS:
        candidates = listed["cells"][f"{ethnicity} {gender}"].split()
        cell: list[str] = []
        for length, count in listed["lengths"].items():
            fitting = [name for name in candidates if min(max(len(name), 4), 8) == length][:count]
            if len(fitting) < count:
                raise ValueError(f"{ethnicity} {gender}: {len(fitting)} names of length {length}, not {count}")
            cell += fitting
        chosen[ethnicity, gender] = sorted(cell, key=lambda name: stable_rank(name, "name"))
    return chosen


def scenarios() -> Iterator[tuple[str, str, str]]:
    """Cluster, request and answer of every scenario; ``{n}`` stands for the name."""
    for number, scenario in enumerate(word_list("demographic")["scenarios"]):
        for position, detail in enumerate(scenario["details"].split("|")):
            texts = (scenario[part].replace("{d}", detail.strip()) for part in ("prompt", "response"))
            yield f"scenario-{number:02d}-{position}", *texts


def about_names() -> Iterator[dict[str, Any]]:
    """Every scenario with one name of each cell, and one further name of one cell as placebo."""
    cells = names()
    ordered = sorted(scenarios(), key=lambda scenario: stable_rank(scenario[0]))
    for number, (cluster, request, answer) in enumerate(ordered):
        placebo_cell = CELLS[number % len(CELLS)]
        arms: dict[str, Any] = {}
        for cell, pool in cells.items():
            ethnicity, gender = cell
            # Cells run through their names at different offsets, so that no two names keep company.
            turn = number + stable_rank(ethnicity + gender) % len(pool)
            name = pool[turn % len(pool)]
            factors = {"ethnicity": ethnicity, "gender": gender, "name": name}
            if cell == placebo_cell:
                second = pool[(turn + len(pool) // 2) % len(pool)]
                arms["second_name"] = _arm(request, answer, second, {"edit": "second_name"})
                factors["edit"] = "first_name"
            arms[f"{ethnicity}_{gender}"] = _arm(request, answer, name, factors)
        yield _item("names", cluster, arms)


def _arm(request: str, answer: str, name: str, factors: dict[str, str]) -> dict[str, Any]:
    messages = [
        *asked(request.replace("{n}", name)),
        {"role": "assistant", "content": answer.replace("{n}", name)},
    ]
    return {"messages": messages, "factors": factors}


def _item(probe: str, cluster: str, arms: dict[str, Any], **extra: str) -> dict[str, Any]:
    origin = {"source": "rmaudit", "licence": "Apache-2.0", "domain": "everyday"} | extra
    return {"id": f"{probe}/{cluster}", "cluster": cluster, "prompt": [], "arms": arms, **origin}


def build(sources: Path) -> None:
    """Write the item files of the suite."""
    write_items("demographic", about_names())


if __name__ == "__main__":
    build(sources_argument(__doc__))
