"""The zip container that torch writes: which records are in it and where, with no room for a second opinion.

Two readers that take one file for two different things are how a checked file becomes another when it is loaded. So
only the plainest container is read: every record stored as it is, under a name of its own, none over another. The
layout is that of PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rmaudit.errors import LoadRefusedError
from rmaudit.models import safety

MAX_RECORDS = 200_000
"""Most records of a container; a tensor is one."""
MAX_DIRECTORY_BYTES = 64 << 20

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_NOT_HERE = 0xFFFFFFFF
"""In a 32-bit field: the value is in the 64-bit extra field."""


@dataclass(frozen=True)
class Record:
    """Where the bytes of a record are in the file."""

    offset: int
    size: int


class _ContainerError(Exception):
    """The file is not the container that it should be; says why."""


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip container does.

    Raises:
        LoadRefusedError: when it cannot be read.
    """
    with safety.open_file(path) as stream:
        return stream.read(4) == b"PK\x03\x04"


def read_records(path: Path) -> dict[str, Record]:
    """Records of a torch file by name, without the folder that all of them share.

    Raises:
        LoadRefusedError: when it is no zip container, or one that torch would not have written: a record is
            compressed or encrypted, lies over another or beyond the file, has an unsafe name or that of another.
    """
    with safety.open_file(path) as stream:
        size = stream.seek(0, 2)
        try:
            return _without_folder(_checked(stream, *_directory(stream, size)))
        except (_ContainerError, struct.error) as error:
            raise LoadRefusedError(
                f"{path} is not a container as torch writes it ({error}), so it was not opened. Copy or download "
                "the file again, or convert it to safetensors in a place where you trust it."
            ) from error


def read_record(path: Path, record: Record) -> bytes:
    """Bytes of one record."""
    with safety.open_file(path) as stream:
        stream.seek(record.offset)
        return stream.read(record.size)


def _directory(stream: BinaryIO, size: int) -> tuple[list[tuple[str, int, int]], int]:
    """Name, place of the header and size of every record, and where the list of them begins."""
    tail = _read(stream, size - _END.size, _END.size)
    mark, *disks, count, length, start, comment = _END.unpack(tail)
    if mark != b"PK\x05\x06" or comment or disks[0] or disks[1]:
        raise _ContainerError("it does not end in a zip directory; it may be cut short")
    end = size - _END.size
    if end >= _LOCATOR.size + _END64.size:
        locator, _, place, _ = _LOCATOR.unpack(_read(stream, end - _LOCATOR.size, _LOCATOR.size))
        if locator == b"PK\x06\x07":
            end -= _LOCATOR.size + _END64.size
            mark, _, _, _, _, _, _, *large = _END64.unpack(_read(stream, end, _END64.size))
            if mark != b"PK\x06\x06" or place != end:
                raise _ContainerError("its 64-bit directory is not where it should be")
            if any(small not in (big, limit) for small, big, limit in _both((count, length, start), large)):
                raise _ContainerError("its two directories disagree")
            count, length, start = large
    if count > MAX_RECORDS or length > MAX_DIRECTORY_BYTES:
        raise _ContainerError(f"it announces {count:,} records")
    if start + length != end:
        raise _ContainerError("its directory does not fill its place")
    return _entries(_read(stream, start, length), count), start


def _both(small: tuple[int, int, int], large: list[int]) -> list[tuple[int, int, int]]:
    return list(zip(small, large, (0xFFFF, _NOT_HERE, _NOT_HERE), strict=True))


def _entries(raw: bytes, count: int) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    position = 0
    for _ in range(count):
        mark, _, _, flags, method, _, _, _, packed, size, n_name, n_extra, n_comment, disk, _, _, place = (
            _CENTRAL.unpack_from(raw, position)
        )
        position += _CENTRAL.size
        name = _name(raw[position : position + n_name])
        extra = raw[position + n_name : position + n_name + n_extra]
        position += n_name + n_extra + n_comment
        if mark != b"PK\x01\x02" or position > len(raw) or disk:
            raise _ContainerError("its directory is damaged")
        size, packed, place = _large((size, packed, place), extra)
        if method != 0 or packed != size:
            raise _ContainerError(f"its record {name} is compressed")
        if flags & 0x2041:
            raise _ContainerError(f"its record {name} is encrypted")
        found.append((name, place, size))
    if position != len(raw):
        raise _ContainerError("its directory is damaged")
    return found


def _large(values: tuple[int, int, int], extra: bytes) -> list[int]:
    """The three values, those that do not fit 32 bits taken from the 64-bit extra field, in the field's order."""
    large: list[int] = []
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            large += [struct.unpack_from("<Q", extra, position + 4 + at)[0] for at in range(0, length - length % 8, 8)]
        position += 4 + length
    wanted = values.count(_NOT_HERE)
    if len(large) < wanted:
        raise _ContainerError("a size is missing from its directory")
    return [large.pop(0) if value == _NOT_HERE else value for value in values]


def _checked(stream: BinaryIO, entries: list[tuple[str, int, int]], end: int) -> dict[str, Record]:
    """Records whose headers say what the directory says, none over another."""
    found: dict[str, Record] = {}
    folded: set[str] = set()
    position = 0
    for name, place, size in sorted(entries, key=lambda entry: entry[1]):
        if place < position:
            raise _ContainerError(f"its record {name} lies over another")
        mark, _, flags, method, _, _, _, _, _, n_name, n_extra = _LOCAL.unpack(_read(stream, place, _LOCAL.size))
        if mark != b"PK\x03\x04" or method != 0 or flags & 0x2041:
            raise _ContainerError(f"the header of its record {name} is damaged")
        if _name(_read(stream, place + _LOCAL.size, n_name)) != name:
            raise _ContainerError(f"its record {name} has another name in its header")
        offset = place + _LOCAL.size + n_name + n_extra
        position = offset + size
        if position > end:
            raise _ContainerError(f"its record {name} claims {size:,} bytes, which are not there")
        if name.casefold() in folded:
            raise _ContainerError(f"it has the record {name} twice")
        folded.add(name.casefold())
        found[name] = Record(offset, size)
    return found


def _without_folder(records: dict[str, Record]) -> dict[str, Record]:
    folders = {name.split("/", 1)[0] for name in records if "/" in name}
    if len(folders) != 1 or not all("/" in name for name in records):
        raise _ContainerError("its records are not all in one folder")
    return {name.split("/", 1)[1]: record for name, record in records.items()}


def _name(raw: bytes) -> str:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _ContainerError("the name of a record is not text") from error
    if not name.isprintable() or "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise _ContainerError(f"the name of a record is {name[:100]!r}")
    return name


def _read(stream: BinaryIO, place: int, size: int) -> bytes:
    if place < 0:
        raise _ContainerError("it is cut short")
    stream.seek(place)
    raw = stream.read(size)
    if len(raw) < size:
        raise _ContainerError("it is cut short")
    return raw
