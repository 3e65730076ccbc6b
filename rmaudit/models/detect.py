"""Which format a checkpoint has, decided from its files alone: no weight is loaded, no name believed."""

from __future__ import annotations

import difflib
import re

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import refusals
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import families
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.options import LoadOptions


def detect(checkpoint: Checkpoint, options: LoadOptions | None = None) -> Detection:
    """Decide the format of a checkpoint.

    Args:
        checkpoint: what was read off its folder.
        options: a format or head that the user named overrides detection, but not the check of the head.

    Raises:
        UsageError: when there is no such format, or it needs an option.
        LoadRefusedError: when the format is unknown or ambiguous, or its head is not whole.
    """
    options = options or LoadOptions()
    if options.head_spec is not None and options.format not in (None, "head-spec"):
        raise UsageError(f"--head-spec describes the head itself. Leave --as {options.format} out.")
    name = "head-spec" if options.head_spec is not None else options.format
    family, evidence = _forced(checkpoint, name, options) if name else _recognised(checkpoint, options)
    reading = family.read(checkpoint, options)
    if not name:
        _refuse_second_head(checkpoint, family, reading)
    return Detection(family, evidence, reading)


def _recognised(checkpoint: Checkpoint, options: LoadOptions) -> tuple[Family, tuple[str, ...]]:
    found = [(family, evidence) for family in families() if (evidence := family.recognise(checkpoint, options))]
    if not found:
        raise LoadRefusedError(refusals.unknown(checkpoint))
    if len(found) > 1:
        raise LoadRefusedError(_ambiguous(checkpoint, [family.format for family, _ in found]))
    return found[0]


def _refuse_second_head(checkpoint: Checkpoint, family: Family, reading: Reading) -> None:
    """Refuse a checkpoint that holds the head of another format beside the one that was recognised."""
    own = {tensor.name for tensor in reading.head}
    for other in families():
        for pattern in other.heads:
            foreign = checkpoint.has(pattern)
            if foreign is None or foreign.name in own or any(_matches(foreign.name, mine) for mine in family.heads):
                continue
            raise LoadRefusedError(
                _ambiguous(checkpoint, [family.format, other.format], f"{foreign} and {reading.head[-1]}")
            )


def _matches(name: str, pattern: str) -> bool:
    return re.fullmatch(rf"(.*\.)?{pattern}", name) is not None


def _ambiguous(checkpoint: Checkpoint, names: list[str], heads: str = "") -> str:
    told = f" (it holds {heads})" if heads else ""
    return (
        f"{checkpoint.root} could be {' or '.join(names)}{told}, and they score differently. "
        f"Say which with {' or '.join(f'--as {name}' for name in names)}."
    )


def _forced(checkpoint: Checkpoint, name: str, options: LoadOptions) -> tuple[Family, tuple[str, ...]]:
    known = {family.format: family for family in families()}
    if name in known:
        family = known[name]
        return family, (f"format {name} was given by the user", *(family.recognise(checkpoint, options) or ()))
    match = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {match[0]}?" if match else ""
    raise UsageError(f"There is no format {name}.{hint} Formats that can be loaded: {', '.join(known)}.")
