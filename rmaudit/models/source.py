"""What the user named as SOURCE, sorted into the kinds that can be loaded. Reads no content."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rmaudit.errors import UsageError

KINDS = (
    "demo, a checkpoint folder, owner/name[@revision], python:FILE.py:NAME, scores:FILE.jsonl or http://HOST:PORT of a "
    "served model"
)

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class DemoSource:
    """The reward model that ships with the package."""


@dataclass(frozen=True)
class FolderSource:
    """A checkpoint folder on this machine."""

    path: Path


@dataclass(frozen=True)
class HubSource:
    """A checkpoint on the Hugging Face hub."""

    repo: str
    revision: str | None
    """Commit, tag or branch; ``None`` is the default branch."""


@dataclass(frozen=True)
class CallableSource:
    """A Python function in a file of the user's."""

    file: Path
    name: str


@dataclass(frozen=True)
class ScoresSource:
    """Rewards that were computed elsewhere."""

    file: Path


@dataclass(frozen=True)
class ServerSource:
    """A reward model behind a server."""

    url: str
    """Without a slash at its end."""


Source = DemoSource | FolderSource | HubSource | CallableSource | ScoresSource | ServerSource


def parse_source(text: str, revision: str | None = None, by_content: bool = False) -> Source:
    """Sort a SOURCE into its kind.

    Args:
        text: the SOURCE as the user typed it.
        revision: the revision given beside it, or ``None``.
        by_content: whether a revision may also be the identity of a folder's content.

    Raises:
        UsageError: when it is none of the kinds, when it names a file or folder that is not there, or
            when a revision is given for something that has none.
    """
    source = _parse(text.strip(), revision)
    if by_content and isinstance(source, FolderSource):
        return source
    if revision is not None and not isinstance(source, HubSource):
        raise UsageError(f"A revision ({revision}) was given, but {text} is not on the hub and has none. Leave it out.")
    return source


def _parse(text: str, revision: str | None) -> Source:
    if not text:
        raise UsageError(f"No SOURCE was given. It is one of: {KINDS}.")
    if text.startswith(("http://", "https://")):
        return _server(text)
    if text.startswith("python:"):
        return _callable(text)
    if text.startswith("scores:"):
        return ScoresSource(_existing_file(text.removeprefix("scores:"), "scores:FILE.jsonl"))
    path = Path(text).expanduser()
    if text == "demo":
        return DemoSource()
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        raise UsageError(_file_advice(path))
    repo, _, tag = text.partition("@")
    if _HUB_ID.fullmatch(repo) and not Path(repo).parent.is_dir():
        if tag and revision and tag != revision:
            raise UsageError(f"Two revisions were given, {tag} in the SOURCE and {revision} beside it. Give one.")
        return HubSource(repo, tag or revision)
    raise UsageError(f"There is no folder {text}.{_close(path)} SOURCE is one of: {KINDS}.")


def _server(text: str) -> ServerSource:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    if not named:
        raise UsageError(f"{text} is not the address of a server. Write http://HOST:PORT.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError(
            "The address of a server is part of every report, so nothing secret may stand in it. Leave out what is "
            "before @, or after ? or #; a key goes into the environment variable RMAUDIT_API_KEY."
        )
    return ServerSource(text.rstrip("/"))


def _callable(text: str) -> CallableSource:
    file, separator, name = text.removeprefix("python:").rpartition(":")
    if not separator or not file or not name or name.endswith(".py"):
        raise UsageError(f"{text} does not say which function to call. Write python:FILE.py:NAME.")
    return CallableSource(_existing_file(file, "python:FILE.py:NAME"), name)


def _existing_file(name: str, form: str) -> Path:
    path = Path(name).expanduser()
    if path.is_file():
        return path
    what = "is a folder, not a file" if path.is_dir() else "does not exist"
    raise UsageError(f"The file {name or '(no name)'} {what}.{_close(path)} The form is {form}.")


def _file_advice(path: Path) -> str:
    if path.suffix == ".py":
        return f"{path} is a Python file. To score with a function in it, write python:{path}:NAME."
    if path.suffix == ".jsonl":
        return f"{path} is a file of JSON lines. If it holds rewards, write scores:{path}."
    return f"{path} is a file; a checkpoint is the folder around it. Pass {path.parent}."


def _close(path: Path) -> str:
    """' Did you mean …?' when something beside it has almost the same name, else nothing."""
    try:
        siblings = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    match = difflib.get_close_matches(path.name, siblings, n=1)
    if match:
        return f" Did you mean {path.parent / match[0]}?"
    return " Did you mean demo?" if difflib.get_close_matches(str(path), ["demo"]) else ""
