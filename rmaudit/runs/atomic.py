"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

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
    check_output(path)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Give --out another place.") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file through a temporary one in the same folder, so that no reader ever sees half of it.

    Raises:
        OSError: when it cannot be written; a file that was there before is left as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
