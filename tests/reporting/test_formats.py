"""The registry of formats: found by name or by file, and every file written whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rmaudit.errors import UsageError
from rmaudit.reporting import formats
from tests.docs.pages import DOCS
from tests.reporting.sample import sample_report


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.html", "html"),
        ("a.MD", "md"),
        ("a.markdown", "md"),
        ("a.json", "json"),
        ("a.csv", "csv"),
        ("a.parquet", "parquet"),
        ("a.cdx.json", "cyclonedx"),
    ],
)
def test_the_name_of_a_file_tells_the_format(file: str, name: str) -> None:
    assert formats.find(None, Path(file)).name == name


def test_the_name_of_the_format_counts_more() -> None:
    assert formats.find("cyclonedx", Path("a.json")).name == "cyclonedx"


@pytest.mark.parametrize(("name", "file"), [(None, "a.txt"), (None, "README"), ("pdff", "a.html")])
def test_an_unknown_format_names_those_that_there_are(name: str | None, file: str) -> None:
    with pytest.raises(UsageError) as refusal:
        formats.find(name, Path(file))
    assert all(known in str(refusal.value) for known in formats.FORMATS)


def test_the_command_and_its_page_name_every_format() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| `--format NAME`")]
    assert re.findall(r"[a-z-]+", row.split("|")[2].partition(".")[0].replace(" or ", ", ")) == list(formats.FORMATS)


@pytest.mark.parametrize("name", [name for name in formats.FORMATS if name not in ("parquet", "pdf")])
def test_the_same_report_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    out = "" if name == "hf" else "out"
    first = formats.write(sample_report(), formats.FORMATS[name], tmp_path / "a" / out)
    second = formats.write(sample_report(), formats.FORMATS[name], tmp_path / "b" / out)
    assert first
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_nothing_is_written_where_a_folder_is_missing(tmp_path: Path) -> None:
    for name, chosen in formats.FORMATS.items():
        if name == "parquet":
            continue
        with pytest.raises(UsageError, match="does not exist"):
            formats.write(sample_report(), chosen, tmp_path / "nowhere" / "out")
    assert not list(tmp_path.iterdir())
