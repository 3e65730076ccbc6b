"""`openrlhf`: a linear value head whose name the config gives, with the text closed by the EOS token."""

from __future__ import annotations

from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import InputSpec, check_shapes, linear, normalisation
from rmaudit.models.options import LoadOptions

_ARCHITECTURES = ("RewardModel", "CriticModel")


def _prefix(checkpoint: Checkpoint) -> str:
    told = checkpoint.config.get("value_head_prefix")
    if isinstance(told, str) and told:
        return told
    return "value_head" if "value_head.weight" in checkpoint.canonical else "score"


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    told = checkpoint.config.get("value_head_prefix")
    declared = checkpoint.architecture in _ARCHITECTURES or isinstance(told, str)
    if checkpoint.adapter is not None or not (declared or "value_head.weight" in checkpoint.canonical):
        return None
    if "score.bias" in checkpoint.canonical:
        return None
    head = checkpoint.canonical.get(f"{_prefix(checkpoint)}.weight")
    return (
        f"config.json: architecture {checkpoint.architecture}",
        *([f"config.json: value_head_prefix {told}"] if told else []),
        *([f"weights: {head}"] if head else []),
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    config = checkpoint.config
    norm = None
    if config.get("normalize_reward"):
        norm = normalisation(checkpoint, config.get("mean", 0.0), config.get("std", 1.0))
    spec = linear(
        f"{_prefix(checkpoint)}.weight",
        position="last",
        normalisation=norm,
        input=InputSpec(special_tokens=False, strip="\n", close=True),
    )
    check_shapes(checkpoint, spec)
    unused = norm is None and "mean" in config and "std" in config
    risks = ("the config holds mean and std, but does not ask to normalise: rewards are raw",) if unused else ()
    return spec_reading(checkpoint, spec, risks)


FAMILY = Family(
    format="openrlhf",
    examples="OpenRLHF reward models",
    recognised="architecture `RewardModel`, `value_head_prefix` in the config, or `value_head.weight [1, h]`",
    scalar="`<prefix>.weight` at the last token, which is made the EOS token; `(r − mean) / std` of the config where "
    "`normalize_reward` says so (the raw value is reported too)",
    recognise=_recognise,
    read=_read,
    load=load_described,
    heads=(r"value_head\.weight",),
)
