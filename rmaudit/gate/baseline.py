"""Blessed runs: which earlier run a new one is held against, promoted explicitly, with its history.

A baseline folder holds copies of blessed runs under ``runs/`` and ``baseline.json``, which names the current one and
every earlier one. A copy is complete before the name is changed, and the change is one atomic replacement.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rmaudit.errors import RunError, UsageError
from rmaudit.runs.atomic import write_atomically
from rmaudit.runs.folder import RunFolder

FILES = ("run.json", "scores.jsonl", "report.json")


class Blessing(BaseModel):
    """One run that was made the baseline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    """Folder under ``runs/``."""
    model: str
    """Identity of the model that was scored."""
    source: str
    blessed: dt.datetime
    policy: str
    """Policy, with version, that the run passed."""


class Baseline(BaseModel):
    """`baseline.json`: the current baseline is the last of the history."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["rmaudit.baseline/1"] = Field(alias="schema", default="rmaudit.baseline/1")
    history: tuple[Blessing, ...]


def read_baseline(folder: Path) -> Baseline | None:
    """The blessed runs of a folder, or ``None`` where nothing was blessed there yet.

    Raises:
        RunError: when `baseline.json` is damaged.
    """
    file = folder / "baseline.json"
    if not file.exists():
        return None
    try:
        return Baseline.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{file} is damaged or of another version: {str(error).splitlines()[0]}.") from error


def baseline_run(path: Path) -> tuple[Path, Blessing | None]:
    """The run folder that a ``--baseline`` names: a run itself, or the current one of a baseline folder.

    Raises:
        RunError: when there is neither.
    """
    if (path / "run.json").is_file():
        return path, None
    found = read_baseline(path)
    if found is None or not found.history:
        raise RunError(
            f"There is no baseline in {path}: it is neither a run nor a folder in which one was blessed. "
            f"Bless one with: rmaudit gate RUN --baseline {path} --bless"
        )
    current = found.history[-1]
    return path / "runs" / current.run, current


def is_empty(folder: Path) -> bool:
    """Whether nothing was blessed in a folder yet.

    Raises:
        UsageError: when the folder is a run: a baseline folder holds runs and is none.
        RunError: when `baseline.json` is damaged.
    """
    if (folder / "run.json").exists():
        raise UsageError(f"{folder} is a run. Runs are blessed in a folder of their own: name that with --baseline.")
    return read_baseline(folder) is None


def bless(run: Path, folder: Path, policy: str, now: dt.datetime) -> Blessing:
    """Make a finished run the baseline of a folder.

    Raises:
        RunError: when the run is not complete.
    """
    manifest = RunFolder(run).complete_manifest()
    earlier = read_baseline(folder)
    history = earlier.history if earlier else ()
    name = f"{len(history) + 1:04d}-{manifest.model.identity[:12]}"
    place = folder / "runs" / name
    half = folder / "runs" / f".{name}.copying"
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)  # left by a blessing that was killed before it was named
    half.mkdir(parents=True)
    for file in FILES:
        shutil.copyfile(run / file, half / file)
    half.rename(place)
    blessing = Blessing(
        run=name, model=manifest.model.identity, source=manifest.model.source, blessed=now, policy=policy
    )
    content = Baseline(history=(*history, blessing)).model_dump(mode="json", by_alias=True)
    write_atomically(folder / "baseline.json", json.dumps(content, indent=1).encode("ascii") + b"\n")
    return blessing


def age(moment: dt.datetime, now: dt.datetime) -> int:
    """Whole days since a moment."""
    return max(0, (now - moment).days)
