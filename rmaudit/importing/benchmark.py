"""What a benchmark's module says of it, and how the right one is found for a file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rmaudit.errors import UsageError
from rmaudit.importing import benchmarks
from rmaudit.importing.rows import Row

Items = dict[str, list[dict[str, Any]]]
"""Items by item file."""
Probes = list[dict[str, Any]]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark whose rows can become a suite."""

    name: str
    """Also the name of the suite."""
    title: str
    question: str
    citation: str
    licence: str
    """Of the texts as published; the user's copy stays the user's."""
    fields: tuple[tuple[str, ...], ...]
    """Alternatives of fields that a row must have; they tell the benchmarks apart."""
    items: Callable[[Sequence[Row]], Items]
    """Items of the rows that can be used."""
    probes: Callable[[Items], Probes]
    """Probes as in a suite's file, given the items."""
    sensitive: bool = False
    also: Callable[[Row], bool] = lambda row: True
    """What else must hold of a row with these fields."""

    def recognises(self, row: Row) -> int:
        """How many telling fields a row has; 0 when it is none of this benchmark's."""
        fit = [len(fields) for fields in self.fields if all(row.get(field) is not None for field in fields)]
        return max(fit) if fit and self.also(row) else 0


def known() -> dict[str, Benchmark]:
    """All benchmarks by name."""
    modules = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    found: Iterable[Benchmark] = (
        importlib.import_module(f"{benchmarks.__name__}.{module}").BENCHMARK for module in modules
    )
    return {benchmark.name: benchmark for benchmark in found}


def find(rows: Sequence[Row], name: str | None) -> Benchmark:
    """The named benchmark, or the one whose fields the rows have.

    Raises:
        UsageError: when the name is unknown, or none or several fit.
    """
    every = known()
    if name is not None and name not in every:
        raise UsageError(f"There is no benchmark {name!r}. Known: {', '.join(every)}.")
    telling = {entry.name: max(map(entry.recognises, rows)) for entry in every.values()}
    fit = [entry for entry in every.values() if telling[entry.name]]
    if name is not None:
        if every[name] not in fit:
            wanted = " or ".join(", ".join(fields) for fields in every[name].fields)
            raise UsageError(f"No row has the fields of {name}: {wanted}. The first has: {', '.join(rows[0])}.")
        return every[name]
    # The one whose rows have more fields that tell it apart, such as those of a pair with its subset.
    fit = [entry for entry in fit if telling[entry.name] == max(telling.values())]
    if len(fit) != 1:
        words = f"could be any of: {', '.join(entry.name for entry in fit)}" if fit else "are of no known benchmark"
        raise UsageError(
            f"These rows {words}. Fields of the first: {', '.join(rows[0])}. Name one with --as: {', '.join(every)}."
        )
    return fit[0]
