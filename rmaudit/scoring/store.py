"""The score store: rewards on disk, shared by all runs, so that a conversation meets the same model once.

One file a model, named by a digest of everything that makes a reward: the model's identity by content, how its scalar
is read, number type, attention kernel, kind of device, loading options, and the code and packages that compute it. Its
lines are only ever appended:

    {"key", "batch", "reward", "tokens", "crc"}, and "attributes" and "steps" where there are any

``key`` is the digest of what the model reads (the exact tokens where there is a tokenizer), ``batch`` that of all
conversations it was computed with. A line with ``note`` in place of a reward keeps what else was found out about the
model, such as how its self-test ended or how known texts are read, under the digest of all that it depends on. The
checksum begins with the file's own name, so a line in another model's file is a damaged one. The first value of a key
counts. Texts are not stored.

What is damaged is computed again, and what cannot be read or written is done without: a store never changes what is
said of a model beyond rounding. It holds finite rewards only; what could not be scored is tried again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.metadata
import io
import json
import math
import os
import platform
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from rmaudit.conversation import Conversation
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.models.options import LoadOptions
from rmaudit.runs.sealed import seal, unseal

SCHEMA = "rmaudit.store/1"

Place = Path | Literal["default"] | None
"""A folder, the usual one, or no store at all."""

Tell = Callable[[str], None]

_FACTS = (
    *("format", "architecture", "head", "pooling", "sign", "normalisation", "dtype", "attention", "quantization"),
    *("template", "max_length", "attributes", "additive"),
)
_OTHERWISE_KEPT = ("device", "dtype", "max_length", "batch_size", "revision", "offline", "allow_pickle")
"""Loading options that change no reward, or whose effect is among the facts of the loaded model."""
_PACKAGES = (
    *("torch", "transformers", "tokenizers", "peft", "accelerate", "bitsandbytes", "flash-attn", "kernels"),
    *("numpy", "scipy", "jinja2"),
)
KEY = 32
"""Characters of a key."""
_KEY = len('{"key": "')
_LOCK_PATIENCE = 2.0
_SYNC_EVERY = 5.0


def default_place() -> Path:
    """The folder for stores where the user names none: the platform's place for caches.

    Raises:
        RuntimeError: when the user has no home folder.
    """
    system = platform.system()
    if system == "Windows" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "rmaudit" / "Cache" / "scores"
    if system == "Darwin":
        return Path.home() / "Library" / "Caches" / "rmaudit" / "scores"
    told = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (told if told.is_absolute() else Path.home() / ".cache") / "rmaudit" / "scores"


def open_store(place: Place, model: RewardModel, options: LoadOptions, tell: Tell) -> ScoreStore | None:
    """The store of a loaded model, or ``None`` where its rewards are not to be stored.

    Args:
        place: where stores are.
        model: the loaded model.
        options: how it was loaded.
        tell: hears, once each, of what is wrong with the store.
    """
    wanted = {"always": place is not None, "asked": isinstance(place, Path), "never": False}
    if not wanted[model.storable]:
        return None
    try:
        folder = place if isinstance(place, Path) else default_place()
    except RuntimeError:
        return None
    return ScoreStore(folder.expanduser(), described(model, options), tell)


def described(model: RewardModel, options: LoadOptions) -> dict[str, Any]:
    """Everything that makes a model's rewards, apart from what it reads."""
    facts = model.facts
    asked = {name: value for name, value in asdict(options).items() if name not in _OTHERWISE_KEPT and value}
    return {
        "model": facts.identity.sha256,
        **{name: getattr(facts, name) for name in _FACTS},
        "device": (facts.device or "").partition(":")[0],
        "options": asked,
        "code": _code(),
        "packages": _versions(),
    }


def cache_key(identity: str, options: LoadOptions) -> str:
    """A key for caches of stores: the same as long as a model with these files would find its rewards there."""
    asked = {name: value for name, value in asdict(options).items() if value}
    parts = {"model": identity, "options": asked, "code": _code(), "packages": _versions()}
    return f"rmaudit-{hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]}"


def keys_of(model: RewardModel, conversations: Sequence[Conversation]) -> list[str]:
    """Key of each conversation in the model's store: a digest of what the model reads of it."""
    return [hashlib.sha256(entry).hexdigest()[:KEY] for entry in model.fingerprints(conversations)]


def batch_digest(keys: Sequence[str]) -> str:
    """Digest of conversations that are computed together, by their keys."""
    return hashlib.sha256("".join(keys).encode("ascii")).hexdigest()[:16]


class ScoreStore:
    """Rewards of one model on disk. Nothing that goes wrong here is raised."""

    def __init__(self, folder: Path, description: dict[str, Any], tell: Tell) -> None:
        """Open the store of a model in a folder; what is not there yet is made.

        Args:
            folder: of all stores.
            description: what makes the model's rewards.
            tell: hears, once each, of what is wrong.
        """
        self._name = hashlib.sha256(json.dumps(description, sort_keys=True).encode("ascii")).hexdigest()[:32]
        self._start = zlib.crc32(self._name.encode("ascii"))
        self._header = seal({"schema": SCHEMA, **description}, self._start) + b"\n"
        self._tell = tell
        self._told: set[str] = set()
        self.path = folder / f"{self._name}.jsonl"
        self._places: dict[bytes, int] = {}
        """Where the line of each key begins."""
        self._read = 0
        """Bytes that have been looked at."""
        self._reader: io.BufferedReader | None = None
        self._writer: io.FileIO | None = None
        self._pending: list[bytes] = []
        """Lines that could not be written yet, because another process held the file for long."""
        self._synced = time.monotonic()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.path.exists() and not self.path.is_file():
                raise OSError(errno.EINVAL, "not a plain file")
            self._writer = io.FileIO(self.path, "a+")
        except OSError as error:
            self._unwritable(error)
        try:
            self._reader = self.path.open("rb") if self.path.is_file() else None
        except OSError as error:
            self._unreadable(error)

    def recall(self, keys: Sequence[str], batch: str) -> list[Scored | None]:
        """What is stored under each key, or ``None``.

        Args:
            keys: of conversations that are asked for together.
            batch: their digest.
        """
        try:
            self._look()
            found = [self._stored(key, batch) for key in keys]
        except OSError as error:
            self._unreadable(error)
            return [None] * len(keys)
        seen: set[str] = set()
        for place, (key, scored) in enumerate(zip(keys, found, strict=True)):
            if scored is not None and key in seen:  # computed twice in its batch, and stored once
                found[place] = replace(scored, stored="other-batch")
            seen.add(key)
        return found

    def keep(self, keys: Sequence[str], scored: Sequence[Scored], batch: str | None) -> None:
        """Store what was computed.

        Args:
            keys: of the conversations.
            scored: their results; those without a finite reward are left out.
            batch: digest of the conversations that went through the model together, ``None`` where it is not known.
        """
        rows = [_row(key, result, batch) for key, result in zip(keys, scored, strict=True) if _whole(result)]
        self._pending += [seal(row, self._start) + b"\n" for row in rows]
        self._write()

    def recall_note(self, about: Any) -> Any:
        """What was noted about something, as JSON gives it back, or ``None``.

        Args:
            about: everything that the note depends on beside the model, as JSON can write it.
        """
        try:
            self._look()
            body = self._line(_note_key(about))
        except OSError as error:
            self._unreadable(error)
            return None
        return None if body is None else json.loads(body).get("note")

    def keep_note(self, about: Any, note: Any) -> None:
        """Note something about the model; see `recall_note`."""
        self._pending.append(seal({"key": _note_key(about), "note": note}, self._start) + b"\n")
        self._write()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, and close the files."""
        self._write()
        with contextlib.suppress(OSError):
            if self._writer is not None:
                os.fsync(self._writer.fileno())
        for file in (self._writer, self._reader):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
        self._writer = self._reader = None

    def _look(self) -> None:
        """Read the lines that were added since the last look, by whichever process."""
        if self._reader is None:
            return
        if os.fstat(self._reader.fileno()).st_size < self._read:  # cut short by someone
            self._places, self._read = {}, 0
        self._reader.seek(self._read)
        damaged = 0
        for line in self._reader:
            if not line.endswith(b"\n"):
                break  # being written, or torn by a crash
            body = unseal(line[:-1], self._start)
            if body is None:
                damaged += 1
            elif body.startswith(b'{"key": "'):
                self._places.setdefault(body[_KEY : _KEY + KEY], self._read)
            self._read += len(line)
        if damaged:
            self._warn(
                f"{damaged:,} lines of the score store {self.path} are damaged; what they held is computed again. "
                "Delete the file to be rid of them"
            )

    def _stored(self, key: str, batch: str) -> Scored | None:
        body = self._line(key)
        row = None if body is None else _read_row(body, batch)
        if body is not None and row is None:
            self._places.pop(key.encode("ascii"))
        return row

    def _line(self, key: str) -> bytes | None:
        """The line of a key as JSON, or ``None``."""
        place = self._places.get(key.encode("ascii"))
        if place is None or self._reader is None:
            return None
        self._reader.seek(place)
        body = unseal(self._reader.readline().rstrip(b"\n"), self._start)
        if body is None or body[_KEY : _KEY + KEY] != key.encode("ascii"):
            self._places.pop(key.encode("ascii"))
            self._warn(f"The score store {self.path} was changed while it was read; what is missing is computed again")
            return None
        return body

    def _write(self) -> None:
        if self._writer is None:
            self._pending = []
        if self._writer is None or not self._pending:
            return
        try:
            with _locked(self._writer) as locked:
                if locked is False:
                    return
                self._repair(cut=locked is True)
                content = memoryview(b"".join(self._pending))
                while content:
                    content = content[self._writer.write(content) or 0 :]
            self._pending = []
            if time.monotonic() - self._synced > _SYNC_EVERY:
                os.fsync(self._writer.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            self._unwritable(error)

    def _repair(self, *, cut: bool) -> None:
        """See to it that the file has its header and ends with a whole line; half a one is of a process that died."""
        assert self._writer is not None
        size = self._writer.seek(0, os.SEEK_END)
        if size == 0:
            self._pending.insert(0, self._header)
            return
        self._writer.seek(size - 1)
        if self._writer.read(1) == b"\n":
            return
        if not cut:  # without a lock, the half line may be one that is just being written
            self._pending.insert(0, b"\n")
            return
        start = size
        while start > 0:
            start = max(0, start - 4096)
            self._writer.seek(start)
            end = self._writer.read(min(4096, size - start)).rfind(b"\n")
            if end >= 0:
                self._writer.truncate(start + end + 1)
                return
        self._writer.truncate(0)
        self._pending.insert(0, self._header)

    def _unwritable(self, error: OSError) -> None:
        self._writer, self._pending = None, []
        self._warn(f"The score store {self.path} cannot be written ({error.strerror}), so it learns nothing new")

    def _unreadable(self, error: OSError) -> None:
        self._reader = None
        self._warn(f"The score store {self.path} cannot be read ({error.strerror}), so all is computed")

    def _warn(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


def _row(key: str, scored: Scored, batch: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"key": key, "batch": batch, "reward": scored.reward, "tokens": scored.tokens}
    row |= {"attributes": dict(scored.attributes)} if scored.attributes else {}
    return row | ({"steps": list(scored.steps)} if scored.steps else {})


def _whole(scored: Scored) -> bool:
    """Whether everything in a result is a finite number."""
    if scored.truncated or scored.reward is None or not math.isfinite(scored.reward):
        return False
    return all(map(math.isfinite, (*scored.attributes.values(), *scored.steps)))


def _note_key(about: Any) -> str:
    text = json.dumps(["note", about], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:KEY]


def _read_row(body: bytes, batch: str) -> Scored | None:
    try:
        row = json.loads(body.decode("ascii"))  # which saves it from guessing the encoding
        scored = Scored(
            float(row["reward"]),
            tokens=row["tokens"],
            attributes={str(name): float(value) for name, value in row.get("attributes", {}).items()},
            steps=tuple(map(float, row.get("steps", ()))),
            stored="same-batch" if row["batch"] == batch else "other-batch",
        )
        return scored if _whole(scored) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


@contextlib.contextmanager
def _locked(file: io.FileIO) -> Iterator[bool | None]:
    """Keep a file to this process; ``None`` where the system has no locks, ``False`` where another holds it long."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield None
        return
    deadline = time.monotonic() + _LOCK_PATIENCE
    got: bool | None = None
    while got is None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            got = True
        except BlockingIOError:
            if time.monotonic() > deadline:
                got = False
            else:
                time.sleep(0.002)
        except OSError:  # a file system without locks
            break
    try:
        yield got
    finally:
        if got:
            fcntl.flock(file, fcntl.LOCK_UN)


@cache
def _code() -> str:
    """Digest of our own code that loads and runs models: a version says too little where one works on it."""
    root = Path(__file__).parents[1] / "models"
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    for point in importlib.metadata.entry_points(group="rmaudit.families"):
        if point.dist is not None:
            found[point.dist.name] = point.dist.version
    return found
