"""Writes the table of ``docs/formats.md`` from the formats themselves and from the tests that there are for them.

python -m builders.formats            write the page
python -m builders.formats --check    exit code 1 when the page is stale
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from builders import pages
from rmaudit.models.families import families
from rmaudit.models.family import Family
from tests.models.rows import ROWS
from tests.models.rows.common import Row

PAGE = pages.DOCS / "formats.md"
TESTS = Path(__file__).resolve().parents[1] / "tests"

UNTESTED = "**not tested**"


def main() -> None:
    """Write the page, or check it."""
    pages.main(PAGE, render(), "builders.formats", __doc__)


def render() -> str:
    """The page as Markdown."""
    head = ("format", "example models", "recognised by", "how the scalar is computed", "needs", "tested how")
    rows = [
        (f"`{family.format}`", family.examples, family.recognised, family.scalar, _code(family.needs), how)
        for family in ordered()
        for how in [how_tested(family.format, ROWS)]
    ]
    return pages.between_marks(PAGE, pages.table(head, rows))


def ordered() -> list[Family]:
    """The formats of this package, those with rows in the order of the rows."""
    order = {row.format: place for place, row in reversed(list(enumerate(ROWS)))}
    own = [family for family in families() if family.recognise.__module__.startswith("rmaudit.")]
    return sorted(own, key=lambda family: (order.get(family.format, len(ROWS)), family.format))


def how_tested(format: str, rows: Sequence[Row], folder: Path = TESTS) -> str:
    """How a format is tested, told from the rows and the test files that name it."""
    own = [row for row in rows if row.format == format]
    told = [
        _told("independent forward", [row for row in own if row.expected]),
        _told("independent comparison in both orders", [row for row in own if row.prefer]),
        "values of the steps" if any(row.steps for row in own) else "",
        "each tensor of the head removed" if any(row.head for row in own) else "",
        ", ".join(f"`{path.name}`" for path in _files(format, folder)),
    ]
    return "; ".join(part for part in told if part) or UNTESTED


def _told(what: str, rows: Sequence[Row]) -> str:
    kinds = Counter(row.id.split("-")[0] for row in rows)
    shown = (kind if count == 1 else f"{kind} in {count} variants" for kind, count in kinds.items())
    return f"{what} ({', '.join(shown)})" if rows else ""


def _files(format: str, folder: Path) -> list[Path]:
    """Test files that name a format and are not another one's."""
    modules = {family.format: family.recognise.__module__.rpartition(".")[2] for family in families()}
    others = {f"test_{module}.py" for module in modules.values()} - {f"test_{modules.get(format)}.py"}
    found = [*folder.glob("models/families/test_*.py"), *folder.glob("*/test_head*spec.py")]
    return sorted(path for path in found if path.name not in others and format in _texts(path))


def _texts(path: Path) -> set[str]:
    """Every text of a Python file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _code(text: str) -> str:
    """A text with its options as code."""
    return re.sub(r"--as [\w-]+|--[a-z-]+(?: [A-Z]+\b)?", lambda match: f"`{match[0]}`", text)


if __name__ == "__main__":
    main()
