"""Rows of a benchmark's files, in whichever of the usual containers they come."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rmaudit.errors import UsageError

Row = dict[str, Any]
FILE = "_file"
"""Key under which a row names its file, relative to what was given, without its ending."""
_ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".csv", ".parquet")


def read_rows(source: Path) -> list[Row]:
    """Rows of a file, or of all files below a folder that hold rows, in the order of their names.

    Raises:
        UsageError: when there is none, or one cannot be read.
    """
    if not source.exists():
        raise UsageError(f"There is no file or folder {source}.")
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if _ending(path))
    if not files:
        raise UsageError(f"{source} holds none of: {', '.join(_ENDINGS)}.")
    rows: list[Row] = []
    for file in files:
        name = str((file if file == source else file.relative_to(source)).as_posix()).removesuffix(_ending(file))
        label = Path(name).name if file == source else name
        try:
            rows += [{FILE: label} | row for row in _rows(file)]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(f"{file} cannot be read: {' '.join(str(error).split())[:300]}") from error
    if not rows:
        raise UsageError(f"{source} holds no rows.")
    return rows


def _ending(path: Path) -> str:
    return next((ending for ending in sorted(_ENDINGS, key=len, reverse=True) if path.name.endswith(ending)), "")


def _rows(file: Path) -> Iterator[Row]:
    ending = _ending(file)
    if ending == ".parquet":
        yield from _parquet(file)
        return
    raw = gzip.decompress(file.read_bytes()) if file.name.endswith(".gz") else file.read_bytes()
    text = raw.decode("utf-8")
    if ending == ".csv":
        yield from csv.DictReader(text.splitlines(keepends=True))
        return
    data = json.loads(text) if ending.startswith(".json") and not ending.startswith(".jsonl") else _lines(text)
    if isinstance(data, dict):
        # Some files hold the columns, each with its values by row.
        columns = {key: values for key, values in data.items() if isinstance(values, list)}
        data = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for row in data:
        if not isinstance(row, dict):
            raise ValueError("a row is no JSON object")
        yield row


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _parquet(file: Path) -> Iterator[Row]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise UsageError(
            f"Reading {file} needs pyarrow. Install it (pip install pyarrow), or convert the file to JSON lines."
        ) from None
    yield from parquet.read_table(file).to_pylist()
