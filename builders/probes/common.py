"""What the builders of source pools need: the raw sources, and which of their prompts may be used."""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from builders.split import is_held_out
from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.items import asked, item_file
from rmaudit.generate.texts import (
    content_words,
    function_words,
    inside,
    markers,
    mean_differences,
    n_words,
    sentences,
    tidy,
    tokens,
    word_list,
    words_of,
)

__all__ = [
    "asked",
    "content_words",
    "function_words",
    "held_out",
    "inside",
    "item_file",
    "markers",
    "mean_differences",
    "n_words",
    "rows",
    "sentences",
    "sources_argument",
    "stable_rank",
    "tidy",
    "tokens",
    "word_list",
    "words_of",
    "write_items",
    "write_pool",
]

PROBES = Path(__file__).resolve().parents[2] / "probes"


def sources_argument(description: str | None) -> Path:
    """The folder of source texts (it holds ``ship/``) from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sources", type=Path, required=True, help="folder that holds ship/")
    sources: Path = parser.parse_args().sources
    if not (sources / "ship").is_dir():
        parser.error(f"{sources} has no folder ship/")
    return sources


def rows(sources: Path, name: str) -> Iterator[dict[str, Any]]:
    """Rows of a source file under ``ship/``, gzipped or not, in their order."""
    path = sources / "ship" / name
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def held_out(prompt: str) -> bool:
    """Whether a source's prompt may be used in a probe: the demo model was not trained on it."""
    return is_held_out(prompt)


def write_items(folder: str, items: Iterable[dict[str, Any]], name: str = "items.jsonl") -> Path:
    """Write items to ``probes/<folder>/<name>``; the errors are those of `item_file`."""
    path = PROBES / folder / name
    content = item_file(items, Draw())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_pool(name: str, texts: Iterable[dict[str, Any]]) -> Path:
    """Write a pool of source texts to ``probes/sources/<name>.jsonl``, one a line, in the order given."""
    path = PROBES / "sources" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts), encoding="utf-8")
    return path
