"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

_SUFFIX = ".part"


def is_temporary(path: Path) -> bool:
    """Whether a file is what `write_atomically` leaves behind when it is killed."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


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
