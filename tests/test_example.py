"""The published example is what today's code makes of its run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builders import example


def test_the_example_is_current() -> None:
    assert example.stale(example.FOLDER) == []


def test_the_example_has_what_its_readme_names() -> None:
    readme = (example.FOLDER / "README.md").read_text(encoding="utf-8")
    for path in example.FOLDER.iterdir():
        assert path.name in readme or path.name == "README.md"


@pytest.mark.parametrize("name", ["report.html", "report.md", "report.json"])
def test_a_changed_report_is_noticed(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "example"
    shutil.copytree(example.FOLDER, folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content.replace(b"negligible", b"neglected", 1))
    assert [fault for fault in example.stale(folder) if fault.startswith(name)]


def test_a_changed_declaration_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "example"
    shutil.copytree(example.FOLDER, folder)
    declared = folder / example.DISCLOSURE
    declared.write_text(declared.read_text(encoding="utf-8").replace("value: full", "value: weights"), encoding="utf-8")
    assert len(example.stale(folder)) == 3


@pytest.mark.slow
def test_the_stored_scores_give_every_number_of_the_example() -> None:
    assert example.unconfirmed(example.FOLDER) == []
