"""What the builders of source pools need: the raw sources, and which of their prompts may be used."""

from __future__ import annotations

import argparse
import gzip
import json
import re
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
    "is_misprinted",
    "item_file",
    "markers",
    "mean_differences",
    "mended",
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


SLIPS = {
    "9for Marco)": "(for Marco)",
    "1xtra": "1 extra",
    "AD' means": "'AD' means",
    "Eberhand": "Eberhard",
    "It's is": "It is",
    "iwth": "with",
    "wil spend": "will spend",
}
"""Slips of the pen in the sources, and what was meant."""


def mended(text: str) -> str:
    """The text without the slips that are known."""
    for slip, meant in SLIPS.items():
        text = re.sub(rf"(?<![\w'])\b{re.escape(slip)}", meant, text)
    return text


_MISPRINT = re.compile(
    r"\b((?:a|and|as|at|be|by|for|from|in|is|of|on|plus|the|to|with)(?: [a-z]+)?) \1\b"  # a word or two twice over
    r"|\w ,|\w \.(?!\w)|[!?]\.|[a-z]{2}\.(?:A|He|In|It|On|She|The|They|This) "  # blanks and stops out of place
    r"|[a-z]\"[a-z]|^\w+' means"  # quotation marks out of place, or only one of two
    r"|\ba (?!Eu|On)[AEIO][a-z]{2}|\bIt's is\b|\biwth\b|\bEberhand\b|\bwil\b|\d(?:for|xtra)\b"  # other slips
    r"|^\[[A-Z]+\]|\. \[[A-Z]+\]"  # a name left open
)


def is_misprinted(*texts: str) -> bool:
    """Whether one of the texts has a slip that would read as a fault of ours."""
    return any(_MISPRINT.search(text) or _unbalanced(text) for text in texts)


def _unbalanced(text: str) -> bool:
    prose = not re.search(r"[`{}\\]|\n\s*\n|\d\) ", text)
    return prose and (text.count("(") != text.count(")") or text.count('"') % 2 > 0)


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
