"""Pages of the documentation that code writes, whole or between two marks, and the check that they are current."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"

BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def main(page: Path, text: str, command: str, description: str | None) -> None:
    """Write a page, or with ``--check`` compare it.

    Args:
        page: the file.
        text: what it is to hold.
        command: the module that writes it, for messages.
        description: for ``--help``.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the page is stale")
    if not parser.parse_args().check:
        page.write_text(text, encoding="utf-8")
    elif not page.is_file() or page.read_text(encoding="utf-8") != text:
        sys.exit(f"{page} is stale. Write it again with: python -m {command}")


def between_marks(page: Path, text: str) -> str:
    """A page with the part between its two marks replaced."""
    before, found, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        sys.exit(f"{page} has no place for what is generated. Put {BEGIN} and {END} into it.")
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; cells are Markdown of one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
