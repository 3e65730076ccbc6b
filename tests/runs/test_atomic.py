"""A file is whole or not there, whatever happens while it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rmaudit.runs.atomic import is_temporary, write_atomically


def test_new_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_atomically(path, b"first")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("there", [True, False])
def test_failure_leaves_what_was_there(
    step: str, error: BaseException, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    if there:
        path.write_bytes(b"before")

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"after")
    assert [entry.name for entry in tmp_path.iterdir()] == (["report.json"] if there else [])
    assert not there or path.read_bytes() == b"before"


def test_a_reader_sees_nothing_before_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append([entry.name for entry in tmp_path.iterdir()]))
    write_atomically(path, b"content")
    # The file's content is made safe first, under another name; then its folder, once the name is taken.
    ((name,), after) = seen
    assert after == ["report.json"]
    assert name != "report.json"
    assert is_temporary(Path(name))
    assert not is_temporary(path)


def test_rights_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "private", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "file", b"")
