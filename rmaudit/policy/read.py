"""Reads policy files; what is wrong with one is said with the place and, for a key, with the one that was meant."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from rmaudit.errors import UsageError
from rmaudit.policy.policy import Policy
from rmaudit.policy.shipped import DEFAULT_POLICY, PRESETS

_MOST_FAULTS = 5


def load_policy(path: Path | None = None, preset: str | None = None) -> Policy:
    """Read a policy file (YAML, or TOML by its ending), or the one that ships.

    What the file leaves out is as in the policy that ships, or in the named preset.

    Args:
        path: the file; ``None`` for the policy that ships.
        preset: takes the place of the file's own ``preset``.

    Raises:
        UsageError: when the file is missing, is not readable, or has an unknown key or a wrong value.
    """
    data = _read(path) if path else {}
    own = data.pop("preset", None)
    named = preset or own or "default"
    if not isinstance(named, str) or named not in PRESETS:
        close = difflib.get_close_matches(str(named), PRESETS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"There is no preset {named!r}.{hint} Use one of: {', '.join(PRESETS)}.")
    changes = PRESETS[named]
    merged = _merged(_merged(_read(DEFAULT_POLICY), _read(changes) if changes else {}), data)
    try:
        return Policy.model_validate(merged)
    except ValidationError as error:
        faults = [_fault(each) for each in error.errors()]
        more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
        raise UsageError(
            f"The policy file {path} is wrong at {'; at '.join(faults[:_MOST_FAULTS] + more)}. "
            "What the keys mean: rmaudit gate --init FILE writes a commented policy."
        ) from error


class _Loader(yaml.SafeLoader):
    """Refuses a key that comes twice: of two lists of rules, YAML would drop the first without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
        if twice is not None:
            raise yaml.YAMLError(f"the key {twice!r} stands twice, in line {node.start_mark.line + 1} or below")
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    kind = "TOML" if path.suffix.lower() == ".toml" else "YAML"
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if kind == "TOML" else yaml.load(text, Loader=_Loader)
    except OSError as error:
        raise UsageError(f"The policy file {path} cannot be read: {error.strerror}. Check --policy.") from error
    except (UnicodeDecodeError, yaml.YAMLError, tomllib.TOMLDecodeError, ValueError) as error:
        raise UsageError(f"The policy file {path} cannot be read as {kind}: {' '.join(str(error).split())}.") from error
    if not isinstance(data, dict) or not data:
        raise UsageError(f"The policy file {path} holds no settings. Start from: rmaudit gate --init policy.yaml")
    return data


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Settings in which those of `above` take the place of those of `below`, section by section."""
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def _fault(error: Any) -> str:
    """One fault of a file: where, what, and the key that may have been meant."""
    place = error["loc"]
    where = repr(".".join(map(str, place)))
    if error["type"] != "extra_forbidden":
        return f"{where}: {error['msg']}"
    close = difflib.get_close_matches(str(place[-1]), list(_keys(place[:-1])), n=1)
    return f"{where}: unknown key{f'; did you mean {close[0]!r}' if close else ''}"


def _keys(place: Sequence[str | int]) -> Iterator[str]:
    """The keys that a section of the policy has."""
    model: type[BaseModel] = Policy
    for part in place:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            model = (get_args(annotation) or (annotation,))[0]
    yield from model.model_fields
    if model is Policy:
        yield "preset"
