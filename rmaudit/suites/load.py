"""Reads probe folders. What is wrong with one is said with file and line, and nothing of it is used."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rmaudit.errors import SuiteError
from rmaudit.suites import groups
from rmaudit.suites.designs import FEWEST, reader
from rmaudit.suites.spec import Groups, Item, Suite

_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C, where the installation has it."""

TIERS = {"smoke": 150, "standard": 300, "reference": 1000}
"""Clusters of each item file that a tier uses."""


@dataclass(frozen=True)
class LoadedSuite:
    """A suite with its items, as read from disk."""

    spec: Suite
    folder: Path
    items: tuple[Item, ...]
    """All items, in file order."""
    sha256: str
    """Digest of the suite file and its item files."""
    files: tuple[tuple[str, int], ...]
    """Item files and how many items each holds, in the order of `items`."""

    def tier(self, name: str) -> tuple[Item, ...]:
        """Items of the first clusters of every item file, as many clusters as the tier asks for."""
        chosen: list[Item] = []
        start = 0
        limit = {str(tier): count for tier, count in self.spec.clusters.items()}.get(name, TIERS[name])
        for _, count in self.files:
            chosen += first_clusters(self.items[start : start + count], limit)
            start += count
        return tuple(chosen)


@dataclass(frozen=True)
class Problem:
    """One fault of a probe folder."""

    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        """``file:line: message``, as editors understand it."""
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


def first_clusters(items: Sequence[Item], limit: int) -> list[Item]:
    """The items of the first `limit` clusters, in order."""
    allowed = set(list(dict.fromkeys(item.cluster for item in items))[:limit])
    return [item for item in items if item.cluster in allowed]


def suite_folders(folder: Path) -> dict[str, Path]:
    """Suite folders below a probe folder (or the folder itself when it is a suite), by name."""
    if (folder / "suite.yaml").is_file():
        return {folder.name: folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/suite.yaml"))}


def load_suites(folder: Path, names: Sequence[str] = ()) -> list[LoadedSuite]:
    """Load the named suites of a probe folder, or all of them.

    Raises:
        SuiteError: when there is no such folder or suite, or a suite is broken.
    """
    if not folder.is_dir():
        raise SuiteError(f"There is no probe folder {folder}. Give --probes a folder that holds suites.")
    known = suite_folders(folder)
    if not known:
        raise SuiteError(f"{folder} holds no suite: expected a folder with a suite.yaml in it.")
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise SuiteError(f"There is no suite {name!r} in {folder}.{hint} Known: {', '.join(known)}.")
    return [load_suite(known[name]) for name in (dict.fromkeys(names) if names else known)]


def load_suite(folder: Path) -> LoadedSuite:
    """Load one suite folder.

    Raises:
        SuiteError: when anything is wrong with it; the message names the first faults.
    """
    suite, problems = read_suite(folder)
    if suite is None or problems:
        shown = "\n  ".join(str(problem) for problem in problems[:5])
        more = f"\n  … and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise SuiteError(
            f"The suite in {folder} is broken, so it was not run:\n  {shown}{more}\n"
            f"Mend it, then look again with: rmaudit probes check {folder}"
        )
    return suite


def read_suite(folder: Path) -> tuple[LoadedSuite | None, list[Problem]]:
    """Read a suite folder and say everything that is wrong with it."""
    path = folder / "suite.yaml"
    spec, problems = _read_spec(path)
    if spec is None:
        return None, problems
    items: list[Item] = []
    files: list[tuple[str, int]] = []
    digest = hashlib.sha256(path.read_bytes())
    for name in spec.items:
        file = folder / name
        if lies_outside(folder, file):
            problems.append(Problem(path, None, f"item file {name!r} lies outside the suite's folder"))
            continue
        read, faults = read_items(file)
        items += read
        problems += faults
        files.append((name, len(read)))
        if file.is_file():
            digest.update(file.read_bytes())
    if not problems:
        problems += _inconsistencies(spec, path, items)
    return LoadedSuite(spec, folder, tuple(items), digest.hexdigest(), tuple(files)), problems


def _read_spec(path: Path) -> tuple[Suite | None, list[Problem]]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _SafeLoader)
    except FileNotFoundError:
        return None, [Problem(path, None, "there is no such file")]
    except (OSError, UnicodeDecodeError) as error:
        return None, [Problem(path, None, f"cannot be read: {error}")]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return None, [
            Problem(path, mark.line + 1 if mark else None, f"is not YAML: {getattr(error, 'problem', error)}")
        ]
    if not isinstance(data, dict):
        return None, [Problem(path, 1, "must be a mapping with suite, question, items and probes")]
    try:
        return Suite.model_validate(data), []
    except ValidationError as error:
        return None, [Problem(path, None, text) for text in _faults(error, data)]


def lies_outside(folder: Path, file: Path) -> bool:
    """Whether a file is not in a folder, links followed: a suite must not make others' files its items."""
    return not file.resolve().is_relative_to(folder.resolve())


def read_items(path: Path, check: Callable[[Item], str | None] = lambda item: None) -> tuple[list[Item], list[Problem]]:
    """Read an item file: the good items, and what is wrong with the other lines.

    Args:
        path: the file.
        check: says what else is wrong with an item, or ``None``.
    """
    if not path.is_file():
        return [], [Problem(path, None, "there is no such item file")]
    items: list[Item] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(path, None, f"cannot be read: {error}")]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(path, number, f"is not JSON: {error}"))
            continue
        try:
            item = Item.model_validate(data)
        except ValidationError as error:
            problems += [Problem(path, number, text) for text in _faults(error, None)]
            continue
        fault = f"item id {item.id!r} is used twice" if item.id in seen else check(item)
        problems += [Problem(path, number, fault)] if fault else []
        seen.add(item.id)
        items.append(item)
    if not items and not problems:
        problems.append(Problem(path, None, "holds no items"))
    return items, problems


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _inconsistencies(spec: Suite, path: Path, items: Sequence[Item]) -> list[Problem]:
    problems = []
    if spec.suite != path.resolve().parent.name:
        words = f"the suite is called {spec.suite!r}, but its folder {path.resolve().parent.name!r}; they must agree"
        problems.append(Problem(path, None, words))
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            problems.append(Problem(path, None, f"item id {item.id!r} is used in two files"))
        seen.add(item.id)
    for probe in spec.probes:
        for name, measure in (("measure", probe.measure), ("placebo", probe.placebo)):
            if measure is None:
                continue
            usable = (item for item in items if reader(measure)(item) is not None)
            found = len(list(itertools.islice(usable, FEWEST)))
            if found < FEWEST:
                problems.append(
                    Problem(
                        path,
                        None,
                        f"probe {probe.id!r}: {found} items have the arms that its {name} needs "
                        f"({measure.design} on {_factors(measure)}); at least {FEWEST} must",
                    )
                )
            elif isinstance(measure, Groups):
                shortage = groups.shortage(measure, items)
                problems += [Problem(path, None, f"probe {probe.id!r}: {shortage}")] if shortage else []
        if probe.placebo is None and not probe.no_placebo:
            problems.append(Problem(path, None, f"probe {probe.id!r} has no placebo; say why under no_placebo"))
    return problems


def _factors(measure: Any) -> str:
    fields = ("factor", "factors", "prompt", "response")
    return ", ".join(str(getattr(measure, field)) for field in fields if hasattr(measure, field))


def _faults(error: ValidationError, data: Any) -> list[str]:
    texts = []
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"])
        if isinstance(data, dict) and fault["loc"][:1] == ("probes",) and len(fault["loc"]) > 1:
            entries = data.get("probes")
            index = fault["loc"][1]
            if isinstance(entries, list) and isinstance(index, int) and isinstance(entries[index], dict):
                where += f" (probe {entries[index].get('id')!r})"
        texts.append(f"{where}: {fault['msg']}" if where else str(fault["msg"]))
    return texts
