"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rmaudit.errors import UsageError

_SUFFIX = ".part"


def is_temporary(path: Path) -> bool:
    """Whether a file is what `write_atomically` leaves behind when it is killed."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


def check_output(path: Path) -> None:
    """Refuse a place where the user's output cannot be, before any work is done for it.

    Raises:
        UsageError: when the folder is missing, or the place is a folder.
    """
    if not path.resolve().parent.is_dir():
        raise UsageError(f"The folder of {path} does not exist. Create it, or give --out another place.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Give --out the name of a file.")


def write_output(path: Path, content: bytes) -> None:
    """Write a file that the user named, whole or not at all.

    Raises:
        UsageError: when it cannot be written.
    """
    with Output(path) as output:
        output.write(content)


class Output:
    """A file that the user named, written part by part: it is there when all went well, and as before otherwise."""

    def __init__(self, path: Path) -> None:
        """Name the file.

        Raises:
            UsageError: when it cannot be there.
        """
        check_output(path)
        self._path = path
        self._parts = contextlib.ExitStack()

    def write(self, content: bytes) -> None:
        """Add a part.

        Raises:
            UsageError: when it cannot be written.
        """
        with self._refusing():
            self._file.write(content)

    def __enter__(self) -> Self:
        """Open a temporary file beside it."""
        with self._refusing():
            self._file = self._parts.enter_context(_atomically(self._path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the file in its place, or leave nothing behind."""
        with self._refusing() if error is None else contextlib.nullcontext():
            self._parts.__exit__(kind, error, trace)

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(f"{self._path} cannot be written: {error.strerror}. Give --out another place.") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file through a temporary one in the same folder, so that no reader ever sees half of it.

    Raises:
        OSError: when it cannot be written; a file that was there before is left as it was.
    """
    with _atomically(path) as file:
        file.write(content)


@contextlib.contextmanager
def _atomically(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder outlive a loss of power, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
