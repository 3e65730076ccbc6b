"""What every probe builder needs: reading sources, looking at words, and writing item files.

Item files are the same bytes each time: the order is a hash of the item's id, so the first N items are a fair
sample of whatever the file holds, and adding an item moves no other.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from math import log
from pathlib import Path
from typing import Any

import yaml

from builders.split import is_held_out
from rmaudit.suites.spec import Item

PROBES = Path(__file__).resolve().parents[2] / "probes"
WORDS = Path(__file__).parent / "words"


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


@cache
def word_list(name: str) -> Any:
    """A hand-written list from ``words/<name>.yaml``."""
    return yaml.safe_load((WORDS / f"{name}.yaml").read_text(encoding="utf-8"))


def held_out(prompt: str) -> bool:
    """Whether a source's prompt may be used in a probe: the demo model was not trained on it."""
    return is_held_out(prompt)


def asked(question: str) -> list[dict[str, str]]:
    """A conversation's opening: one user turn."""
    return [{"role": "user", "content": question}]


def stable_rank(text: str, salt: str = "") -> int:
    """A number that depends on the text alone: for choices that look random and never change."""
    return int(hashlib.sha256(f"{salt}\0{text}".encode()).hexdigest()[:16], 16)


def shuffled(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items in the order of a hash of their cluster, the items of a cluster together.

    The hash is salted: builders choose items by `stable_rank` alone, and the same hash for choice and order
    would put sources with many candidates first.
    """
    return sorted(items, key=lambda item: (stable_rank(item["cluster"], "order"), item["id"]))


def item_file(items: Iterable[dict[str, Any]]) -> bytes:
    """Contents of an item file: checked against the probe format, shuffled, one item a line.

    Raises:
        ValueError: when an item is malformed, or two share an id.
    """
    ordered = shuffled(items)
    ids = [Item.model_validate(item).id for item in ordered]
    if len(set(ids)) != len(ids):
        raise ValueError("ids of items must differ")
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in ordered).encode("utf-8")


def write_items(folder: str, items: Iterable[dict[str, Any]], name: str = "items.jsonl") -> Path:
    """Write items to ``probes/<folder>/<name>``; the errors are those of `item_file`."""
    path = PROBES / folder / name
    content = item_file(items)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def tidy(text: str) -> str:
    """Text without spaces at line ends, runs of blanks, or more than one empty line in a row."""
    lines = (re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in text.replace("\r", "").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def inside(clause: str, context: str) -> str:
    """The clause as it continues a sentence: its first word loses the capital, unless it is a name.

    It is no name when it is a function word or stands in ``context`` without a capital.
    """
    found = re.match(r"[\w'\u2019-]+", clause)
    if not found or found.group() == "I":
        return clause
    word = found.group().lower()
    plain = word in function_words() or re.search(rf"\b{re.escape(word)}\b", context)
    return clause[0].lower() + clause[1:] if plain else clause


def tokens(text: str) -> list[str]:
    """Lower-case words of a text, punctuation aside (``don't`` is one word)."""
    return re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", text.casefold())


def n_words(text: str) -> int:
    """Words as separated by white space."""
    return len(text.split())


@cache
def words_of(name: str) -> list[str]:
    """The single words of a hand-written list whose lines hold many, in their order."""
    return [word for line in word_list(name) for word in line.split()]


@cache
def function_words() -> frozenset[str]:
    """Words that carry grammar rather than content."""
    return frozenset(words_of("function_words"))


def content_words(text: str) -> set[str]:
    """Words of a text that are not function words."""
    return set(tokens(text)) - function_words()


@cache
def _marker_pattern() -> re.Pattern[str]:
    phrases = [phrase for group in word_list("markers").values() for phrase in group]
    # A blank in a phrase stands for any white space; longest first, so that a phrase is found whole.
    alternatives = sorted((re.escape(p).replace(r"\ ", r"\s+") for p in phrases), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)", re.IGNORECASE)


def markers(text: str) -> list[str]:
    """Words of confidence, hedging, agreement or belief in a text, lower-case, in order, repeats kept."""
    return [found.casefold() for found in _marker_pattern().findall(text.replace("\u2019", "'"))]


def sentences(text: str) -> list[str]:
    """Sentences of plain prose; abbreviations, initials and decimals do not end one."""
    parts, start = [], 0
    for end in re.finditer(r"[.!?][\"')\u201d\u2019]*\s+(?=[\"'(\u201c\u2018]?[A-Z0-9$])", text):
        before = text[start : end.start()].split()
        last = before[-1].strip("(\"'") if before else ""
        if text[end.start()] == "." and (re.fullmatch(r"(?:[A-Za-z]\.)*[A-Za-z]", last) or last in _ABBREVIATIONS):
            continue
        parts.append(text[start : end.end()].strip())
        start = end.end()
    return [*parts, text[start:].strip()] if text[start:].strip() else parts


_ABBREVIATIONS = {
    "Dr",
    "Mr",
    "Mrs",
    "Ms",
    "St",
    "vs",
    "etc",
    "Jr",
    "Sr",
    "No",
    "Inc",
    "Co",
    "Lt",
    "Gen",
    "Prof",
    "approx",
}


def mean_differences(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Mean differences of length (first minus second) of pairs of texts; ideal 0."""
    count = len(pairs)
    return {
        "characters": sum(len(a) - len(b) for a, b in pairs) / count,
        "words": sum(n_words(a) - n_words(b) for a, b in pairs) / count,
        "log_words": sum(log(n_words(a)) - log(n_words(b)) for a, b in pairs) / count,
    }
