"""Writes the suite that a benchmark becomes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rmaudit.errors import SuiteError, UsageError
from rmaudit.generate.items import item_file
from rmaudit.importing.benchmark import Benchmark, find
from rmaudit.importing.rows import read_rows
from rmaudit.suites.load import read_suite


@dataclass(frozen=True)
class Imported:
    """What an import wrote."""

    folder: Path
    benchmark: str
    rows: int
    items: int
    probes: int


def import_benchmark(source: Path, out: Path, name: str | None = None) -> Imported:
    """Write a suite's folder from a user's copy of a benchmark.

    Args:
        source: file, or folder of files.
        out: folder in which the suite's folder is created.
        name: of the benchmark; found from the rows' fields when ``None``.

    Raises:
        UsageError: when nothing can be read, no benchmark fits, or the folder exists.
        SuiteError: when the suite would not be sound.
    """
    rows = read_rows(source)
    benchmark = find(rows, name)
    folder = out / benchmark.name
    if folder.exists():
        raise UsageError(f"{folder} exists. Name another place with --out, or remove it.")
    used = [row for row in rows if benchmark.recognises(row)]
    items = {file: made for file, made in benchmark.items(used).items() if made}
    if not items:
        raise UsageError(f"None of the {len(rows):,} rows of {source} could be used as {benchmark.name}.")
    probes = benchmark.probes(items)
    probes[0]["primary"] = True
    folder.mkdir(parents=True)
    try:
        for file, made in items.items():
            (folder / file).write_bytes(item_file(made))
        words = yaml.safe_dump(_suite(benchmark, items, probes), sort_keys=False, width=110, allow_unicode=True)
        (folder / "suite.yaml").write_text(words, encoding="utf-8")
        (folder / "README.md").write_text(_card(benchmark, source, len(rows), items), encoding="utf-8")
        _, problems = read_suite(folder)
        if problems:
            raise SuiteError(f"The suite would not be sound, so it was not kept: {problems[0]}")
    except BaseException:
        shutil.rmtree(folder)
        raise
    count = sum(map(len, items.values()))
    return Imported(folder, benchmark.name, len(rows), count, len(probes))


def _suite(
    benchmark: Benchmark, items: dict[str, list[dict[str, Any]]], probes: list[dict[str, Any]]
) -> dict[str, Any]:
    most = max(len({item["cluster"] for item in made}) for made in items.values())
    return {
        "suite": benchmark.name,
        "title": benchmark.title,
        "version": 1,
        "question": benchmark.question,
        "hypothesis": f"As stated by its authors: {benchmark.citation}.",
        "items": list(items),
        "licence": benchmark.licence,
        "clusters": {"reference": most},
        "sensitive": benchmark.sensitive,
        "probes": probes,
    }


def _card(benchmark: Benchmark, source: Path, rows: int, items: dict[str, list[dict[str, Any]]]) -> str:
    counts = "\n".join(
        f"| `{file}` | {len(made):,} | {len({item['cluster'] for item in made}):,} |" for file, made in items.items()
    )
    return (
        f"# {benchmark.title}\n\nImported from `{source.name}` ({rows:,} rows).\n\n"
        f"Source: {benchmark.citation}. Licence as published: {benchmark.licence}.\n\n"
        f"| file | items | prompts |\n| --- | --- | --- |\n{counts}\n\n"
        "The reference tier takes every prompt; smoke and standard take the first ones of a fixed shuffle.\n"
    )
