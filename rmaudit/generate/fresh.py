"""A suite with fresh items: the same probes, other texts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from rmaudit.conversation import conversation_problem
from rmaudit.errors import SuiteError, UsageError
from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.items import item_file
from rmaudit.generate.pools import Answer
from rmaudit.generate.recipe import recipes
from rmaudit.resources import probes_dir
from rmaudit.suites.designs import FEWEST, reader
from rmaudit.suites.load import read_suite
from rmaudit.suites.spec import Item, Suite


def write_suite(name: str, seed: int, out: Path, own: Sequence[Answer] = ()) -> Path:
    """Write a suite's folder with items drawn anew.

    Probes that the drawn items cannot answer are left out: with the user's own answers only probes that edit an
    answer remain. Where the primary probe is among those left out, the first that remains takes its place.

    Args:
        name: a shipped suite.
        seed: of the draw; 0 gives the items that ship.
        out: folder in which the suite's folder is created; nothing there is replaced.
        own: the user's own prompts and answers, in place of the shipped sources.

    Returns:
        The suite's folder.

    Raises:
        UsageError: when the suite has no recipe, the folder exists, or nothing could be made of the answers.
        SuiteError: when what was written is not sound.
    """
    folder = out / name
    if folder.exists():
        raise UsageError(f"{folder} exists. Name another place with --out, or remove it.")
    shipped = probes_dir() / name
    found = recipes(name)
    draw = Draw(seed)
    files: dict[str, bytes] = {}
    for file, recipe in found.items():
        if own and recipe.of_answers is None:
            continue
        items = list(recipe.of_answers(draw, own) if own and recipe.of_answers else recipe.make(draw))
        if items:
            files[file] = item_file(items, draw)
    kept = _answerable(yaml.safe_load((shipped / "suite.yaml").read_text(encoding="utf-8")), files)
    if not kept["probes"]:
        raise UsageError(
            f"None of the probes of {name} could be built from these prompts: too few fit its recipe "
            f"({FEWEST} items at least). See: rmaudit probes show {name}"
        )
    folder.mkdir(parents=True)
    try:
        for file, content in files.items():
            (folder / file).write_bytes(content)
        (folder / "suite.yaml").write_text(yaml.safe_dump(kept, sort_keys=False, width=110), encoding="utf-8")
        (folder / "README.md").write_text(_card(name, seed, bool(own), shipped), encoding="utf-8")
        _, problems = read_suite(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    if problems:
        shutil.rmtree(folder)
        raise SuiteError(f"The new suite is not sound, so it was not kept: {problems[0]}")
    return folder


def _answerable(suite: dict[str, object], files: dict[str, bytes]) -> dict[str, object]:
    """The suite's words with the probes that the items can answer."""
    spec = Suite.model_validate(suite)
    items = [Item.model_validate_json(line) for content in files.values() for line in content.splitlines()]
    fit = {
        probe.id: all(
            sum(reader(measure)(item) is not None for item in items) >= FEWEST
            for measure in (probe.measure, probe.placebo)
            if measure is not None
        )
        for probe in spec.probes
    }
    probes = [dict(probe) for probe in suite["probes"] if fit[probe["id"]]]  # type: ignore[attr-defined]
    if probes and not any(probe.get("primary") for probe in probes):
        probes[0]["primary"] = True
    return suite | {"items": list(files), "probes": probes}


def _card(name: str, seed: int, own: bool, shipped: Path) -> str:
    texts = "your own prompts and answers" if own else "the sources that ship with rmaudit"
    command = f"rmaudit probes new --from {name} --seed {seed}{' --prompts FILE' if own else ''}"
    made = f"> Items drawn from {texts} by `{command}`. What follows is the card of the suite that ships.\n\n"
    return made + (shipped / "README.md").read_text(encoding="utf-8")


def read_answers(path: Path) -> list[Answer]:
    """The user's own prompts and answers: lines ``{"prompt": …, "response": …}``, or ``{"messages": […]}``.

    Only conversations of one question and one answer are used.

    Raises:
        UsageError: when there is no such file, or a line is not of this form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TypeError("is no JSON object")
            if "messages" in row:
                problem = conversation_problem(row["messages"])
                if problem or len(row["messages"]) != 2:
                    raise ValueError(problem or "must be one question and one answer")
                prompt, response = (turn["content"] for turn in row["messages"])
            else:
                prompt, response = row["prompt"], row["response"]
            if not (isinstance(prompt, str) and isinstance(response, str) and prompt.strip() and response.strip()):
                raise ValueError("prompt and response must be texts")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            word = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise UsageError(
                f'{path}, line {number}: {word}. Expected {{"prompt": "…", "response": "…"}} or {{"messages": […]}}.'
            ) from error
        cluster = f"own-{stable_rank(prompt):016x}"
        found.append(Answer(prompt, response, cluster, str(row.get("source", "own")), "your own", "own"))
    if not found:
        raise UsageError(f"{path} holds no prompts.")
    return found
