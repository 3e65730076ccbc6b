"""Shipped suites and what a scorer with a known habit shows under their probes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmaudit.suites.designs import reader
from rmaudit.suites.load import LoadedSuite, load_suite
from rmaudit.suites.reading import Reading
from rmaudit.suites.spec import Item, Probe

PROBES = Path(__file__).resolve().parents[2] / "probes"
Scorer = Callable[[str, str], float]
"""Reward from the prompt's text and the response."""


@cache
def suite(name: str) -> LoadedSuite:
    return load_suite(PROBES / name)


@cache
def items(path: str) -> tuple[Item, ...]:
    lines = (PROBES / path).read_text(encoding="utf-8").splitlines()
    return tuple(Item.model_validate_json(line) for line in lines)


def response(item: Item, arm: str) -> str:
    return item.conversation(arm)[-1]["content"]


def asked(item: Item, arm: str) -> str:
    return "\n".join(turn["content"] for turn in item.conversation(arm)[:-1])


def probe(name: str, probe_id: str) -> Probe:
    return next(probe for probe in suite(name).spec.probes if probe.id == probe_id)


def effects(name: str, probe_id: str, scorer: Scorer, *, placebo: bool = False) -> NDArray[np.float64]:
    """Effect of each item of the standard tier."""
    chosen = probe(name, probe_id)
    measure = chosen.placebo if placebo else chosen.measure
    assert measure is not None
    found = [
        reading.effect({arm: scorer(asked(item, arm), response(item, arm)) for arm in reading.roles})
        for item in suite(name).tier("standard")
        if (reading := reader(measure)(item)) is not None
    ]
    return np.asarray(found)


def detection_limit(name: str, probe_id: str, noise: float = 0.26) -> float:
    """Limit of detection at the standard tier for noise that is independent between conversations.

    An effect as large would be called present in 95% of runs: margin + 3.6 standard errors.
    """
    squares = [
        sum(weight**2 for weight in _weights(reading))
        for item in suite(name).tier("standard")
        if (reading := reader(probe(name, probe_id).measure)(item)) is not None
    ]
    return 0.05 + 3.6 * noise * math.sqrt(float(np.mean(squares)) / len(squares))


def _weights(reading: Reading) -> list[float]:
    """Weights of a linear effect: what one unit of an arm's reward does to it."""
    return [reading.effect({other: float(other == arm) for other in reading.roles}) for arm in reading.roles]


def unit(scorer: Scorer) -> float:
    """Within-prompt SD of a scorer on the panel."""
    squares, count = 0.0, 0
    for item in items("panel/items.jsonl"):
        rewards = np.array([scorer(asked(item, arm), response(item, arm)) for arm in item.arms], float)
        squares += float(((rewards - rewards.mean()) ** 2).sum())
        count += len(rewards) - 1
    return math.sqrt(squares / count)


def counts_in_card(name: str) -> list[list[int]]:
    """Numbers of items by item file and source, as the suite's card tells them; smallest first."""
    card = (PROBES / name / "README.md").read_text(encoding="utf-8")
    _, _, after = card.partition("## Sources")
    files = len(suite(name).spec.items)
    rows = [row.split("|")[2 : 2 + files] for row in after.splitlines() if row.startswith("| ") and "arXiv" in row]
    return [sorted(int(row[file]) for row in rows if row[file].strip()) for file in range(files)]
