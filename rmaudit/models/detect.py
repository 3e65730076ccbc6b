"""Which format a checkpoint has, decided from its files alone: no weight is loaded, no name believed."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import refusals
from rmaudit.models.checkpoint import Checkpoint, Tensor
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
    foreign = _foreign_heads(checkpoint, family, reading)
    if foreign and not name:
        other, tensor = foreign[0]
        both = f"{tensor} and {reading.head[-1]}"
        raise LoadRefusedError(_ambiguous(checkpoint, [family.format, other], both))
    aside = tuple(dict.fromkeys(tensor for _, tensor in foreign))
    if aside:
        told = f"the head of another format was left aside, as asked ({', '.join(map(str, aside))})"
        reading = replace(reading, risks=(*reading.risks, told))
    return Detection(family, evidence, reading, tuple(tensor.name for tensor in aside))


def _recognised(checkpoint: Checkpoint, options: LoadOptions) -> tuple[Family, tuple[str, ...]]:
    found = [(family, evidence) for family in families() if (evidence := family.recognise(checkpoint, options))]
    found = [one for one in found if not one[0].last_resort] or found
    if not found:
        raise LoadRefusedError(refusals.unknown(checkpoint) + refusals.last_resort(checkpoint))
    if len(found) > 1:
        heads = [line.removeprefix("weights: ") for _, told in found for line in told if line.startswith("weights: ")]
        both = " and ".join(dict.fromkeys(heads))
        raise LoadRefusedError(_ambiguous(checkpoint, [family.format for family, _ in found], both))
    return found[0]


def _foreign_heads(checkpoint: Checkpoint, family: Family, reading: Reading) -> list[tuple[str, Tensor]]:
    """Heads of other formats beside the one that was recognised: format and tensor."""
    own = {tensor.name for tensor in reading.head}
    if family.last_resort:
        return []
    return [
        (other.format, tensor)
        for other in families()
        for pattern in other.heads
        for name, tensor in checkpoint.canonical.items()
        if re.fullmatch(pattern, name)
        and tensor.name not in own
        and not any(re.fullmatch(mine, name) for mine in family.heads)
    ]


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
