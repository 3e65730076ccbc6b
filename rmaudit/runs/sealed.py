"""JSON lines that carry their own checksum.

The last field, ``crc``, is the CRC-32 of all that stands before it in the line, so that a byte that changed on the disk
is noticed even where it makes another number.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

_CRC = b', "crc": "'


def seal(entry: dict[str, Any], start: int = 0) -> bytes:
    """The line of an entry, without its end.

    Args:
        entry: what is written; at least one field.
        start: what the checksum begins with; lines of another beginning do not open.
    """
    body = json.dumps(entry, ensure_ascii=True, allow_nan=False).encode("ascii")[:-1]
    return body + _CRC + b'%08x"}' % zlib.crc32(body, start)


def unseal(line: bytes, start: int = 0) -> bytes | None:
    """The entry of a line as JSON, or ``None`` when the line is damaged."""
    body, _, crc = line.rpartition(_CRC)
    return body + b"}" if crc == b'%08x"}' % zlib.crc32(body, start) else None
