"""Which format a checkpoint has, decided from its files alone: no weight is loaded, no name believed."""

from __future__ import annotations

import difflib

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import refusals, seqcls, seqcls_pair
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family

FAMILIES: tuple[Family, ...] = (seqcls, seqcls_pair)
"""Formats that can be loaded, one module each."""

KNOWN_FORMATS = (
    "seqcls",
    "seqcls-pair",
    "two-label",
    "multi-attribute",
    "odin",
    "token-classification",
    "openrlhf",
    "llamafactory",
    "trl-value-head",
    "peft-seqcls",
    "trl-reward-adapter",
    "trlx",
    "deepspeed-chat",
    "starling",
    "beaver-reward",
    "beaver-cost",
    "ultrarm",
    "eurus",
    "internlm2",
    "qwen2-rm",
    "qwen2-prm",
    "pure-prm",
    "inf-orm",
    "armorm",
    "qrm",
    "urm",
    "grm",
    "ldl",
    "oasst-pythia",
    "pairrm",
    "pair-preference",
    "steamshp",
    "nemotron-hf",
    "yes-no",
    "rlhflow-prm",
    "math-shepherd",
    "skywork-prm",
    "judge",
    "dpo",
    "head-spec",
)
"""Every format name that ``--as`` knows, loadable or not."""


def detect(checkpoint: Checkpoint, forced: str | None = None) -> Detection:
    """Decide the format of a checkpoint.

    Args:
        checkpoint: what was read off its folder.
        forced: format that the user named, which overrides detection but not the check of the head.

    Raises:
        UsageError: when `forced` is no format name.
        LoadRefusedError: when the format is unknown, ambiguous, unsupported, or its head is not there.
    """
    family, evidence = _forced(checkpoint, forced) if forced else _recognised(checkpoint)
    return Detection(
        format=family.FORMAT,
        evidence=evidence,
        head=family.head(checkpoint),
        architecture=checkpoint.architecture,
        model_type=checkpoint.model_type,
        parameters=checkpoint.parameters,
        family=family,
    )


def _recognised(checkpoint: Checkpoint) -> tuple[Family, tuple[str, ...]]:
    other = refusals.other_format(checkpoint)
    if other is not None:
        raise LoadRefusedError(other)
    found = [(family, evidence) for family in FAMILIES if (evidence := family.recognise(checkpoint)) is not None]
    if not found:
        raise LoadRefusedError(refusals.unknown(checkpoint))
    if len(found) > 1:
        names = [family.FORMAT for family, _ in found]
        raise LoadRefusedError(
            f"{checkpoint.root} could be {' or '.join(names)}, and they score differently. "
            f"Say which with {' or '.join(f'--as {name}' for name in names)}."
        )
    return found[0]


def _forced(checkpoint: Checkpoint, name: str) -> tuple[Family, tuple[str, ...]]:
    for family in FAMILIES:
        if name == family.FORMAT:
            return family, (f"format {name} was given by the user", *(family.recognise(checkpoint) or ()))
    supported = ", ".join(family.FORMAT for family in FAMILIES)
    if name in KNOWN_FORMATS:
        raise LoadRefusedError(f"The format {name} is not supported yet. These are: {supported}.")
    match = difflib.get_close_matches(name, KNOWN_FORMATS, n=1)
    hint = f" Did you mean {match[0]}?" if match else ""
    raise UsageError(f"There is no format {name}.{hint} Formats that can be loaded: {supported}.")
