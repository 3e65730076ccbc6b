"""GATE.md: its words are written by hand, its tables by the benchmarks, each between two marks."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).with_name("GATE.md")


def put(name: str, table: str) -> None:
    """Put a table in place of the last one of this name."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")
