"""What a checkpoint folder holds: a whole model, an adapter on a base model, or bare weights. No weight is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models import adapter as adapters
from rmaudit.models import safety
from rmaudit.models.absurd import absurd_config
from rmaudit.models.checkpoint import Checkpoint, Elsewhere, read_tensors, some
from rmaudit.models.pickle_names import require_harmless_neighbours
from rmaudit.models.template import find_template

SIDE_FILES = (
    "value_head.safetensors",
    "value_head.bin",
    "regression_layer.pt",
    "gating_layer.pt",
    "reward_head.pt",
)
"""Files that hold a head beside the weights of the model."""

_NOT_WEIGHTS = ("training_args", "optimizer", "scheduler", "scaler", "rng_state", "trainer_state", "adapter_model")
"""Beginnings of the names of a trainer's own files, which are never opened."""

_NEMO = ("model_config.yaml", "model_weights")
_ADVICE = (
    "Score the conversations with the model's own code and pass its rewards as scores:FILE.jsonl, or pass a "
    "function as python:FILE.py:NAME."
)


@dataclass(frozen=True)
class BaseFinder:
    """Opens the checkpoint that another one refers to."""

    open: Callable[[str], Checkpoint]
    """Whole, from a folder's path or a hub id. Raises `RmauditError`."""
    open_config: Callable[[str], Checkpoint]
    """Without weights, likewise."""
    model: str | None = None
    """Base of an adapter, where the user named one."""
    config: str | None = None
    """Checkpoint whose config belongs to a bare weight file, where the user named one."""


def read_folder(
    root: Path,
    bases: BaseFinder,
    revision: str | None = None,
    code: bool = False,
    elsewhere: Elsewhere | None = None,
) -> Checkpoint:
    """Read everything but the weights of a checkpoint folder.

    Args:
        root: the folder.
        bases: how to open what the folder refers to.
        revision: commit that the folder was downloaded from.
        code: whether the user allows to run Python code of the checkpoint's own, which then takes part.
        elsewhere: weight files that are not in the folder.

    Raises:
        LoadRefusedError: when the folder holds no model, or a file in it is damaged, missing or outside.
    """
    names = safety.folder_names(root) | frozenset(elsewhere.digests if elsewhere is not None else ())
    _refuse_foreign(root, names)
    if "adapter_config.json" in names:
        return _adapter(root, names, bases, revision, elsewhere)
    if "config.json" not in names:
        return _bare(root, names, bases, revision, elsewhere)
    main = _main_weights(root, names, elsewhere.digests if elsewhere is not None else ())
    weights = (*main, *(name for name in SIDE_FILES if name in names))
    config = safety.read_json(root, "config.json")
    return _checkpoint(root, names, weights, config, revision, code=code, elsewhere=elsewhere)


def read_config(root: Path, revision: str | None = None) -> Checkpoint:
    """Read config and tokenizer of a folder whose weights, if there are any, play no part.

    Raises:
        LoadRefusedError: when there is no config, or a file is damaged or outside.
    """
    names = safety.folder_names(root)
    if "config.json" not in names:
        raise LoadRefusedError(f"{root} has no config.json, so it does not say of which architecture weights are.")
    return _checkpoint(root, names, (), safety.read_json(root, "config.json"), revision)


def _checkpoint(
    root: Path,
    names: frozenset[str],
    weights: tuple[str, ...],
    config: dict[str, Any],
    revision: str | None,
    adapter: dict[str, Any] | None = None,
    base: Checkpoint | None = None,
    code: bool = False,
    elsewhere: Elsewhere | None = None,
) -> Checkpoint:
    tokenizer_config = safety.read_json(root, "tokenizer_config.json") if "tokenizer_config.json" in names else {}
    template = find_template(root, tokenizer_config, names)
    if base is not None and not tokenizer_config:
        tokenizer_config, template = base.tokenizer_config, template or base.template
    extra = tuple(name for name in ("adapter_config.json",) if name in names)
    own_code = tuple(sorted(name for name in names if name.endswith(".py"))) if code else ()
    files = safety.participating_files(root, (*weights, *extra, *own_code))
    if template is not None and template.origin.startswith("additional_chat_templates/"):
        files = tuple(sorted({*files, template.origin}))
    for name in weights:
        safety.resolve_inside(root, name)
    require_harmless_neighbours(root, names - set(weights))
    tensors = read_tensors(root, weights, elsewhere) if weights else {}
    _refuse_broken_index(root, names, weights, set(tensors))
    if tensors and base is None and (reason := absurd_config(config, tensors)):
        raise LoadRefusedError(f"The config.json of {root} makes no sense for its weights: {reason}.")
    return Checkpoint(
        root=root,
        config=config,
        tokenizer_config=tokenizer_config,
        template=template,
        tensors=tensors,
        weights=weights,
        files=files,
        revision=revision,
        names=names,
        adapter=adapter,
        base=base,
        code=own_code,
        elsewhere=elsewhere,
    )


def _adapter(
    root: Path, names: frozenset[str], bases: BaseFinder, revision: str | None, elsewhere: Elsewhere | None
) -> Checkpoint:
    adapter = safety.read_json(root, "adapter_config.json")
    adapters.read_config(root, adapter)
    own = next((name for name in adapters.FILES if name in names), None)
    if own is None:
        raise LoadRefusedError(
            f"{root} has an adapter_config.json but no weights of an adapter ({' or '.join(adapters.FILES)}). "
            "Check that the download or the training finished."
        )
    heads = [name for name in (*SIDE_FILES, safety.SINGLE, safety.PICKLE_SINGLE) if name in names]
    asked = bases.model or _base_name(root, adapter, from_hub=revision is not None)
    try:
        base = bases.open(asked)
    except Exception as error:
        if isinstance(error, LoadRefusedError) and not _is_missing(error):
            raise
        raise LoadRefusedError(
            f"{root} is a PEFT adapter, and its base model {asked} could not be opened: {error} "
            "Pass the base with --base-model."
        ) from error
    if base.adapter is not None:
        raise LoadRefusedError(
            f"{root} is an adapter on an adapter ({asked}). Merge the lower one into its base first."
        )
    checkpoint = _checkpoint(root, names, (own, *heads), base.config, revision, adapter, base, elsewhere=elsewhere)
    main = sorted(t.name for t in checkpoint.tensors.values() if t.file in _MAIN and not _VALUE_HEAD.search(t.name))
    if main:
        raise LoadRefusedError(
            f"{root} holds both an adapter ({own}) and weights of a whole model ({some(main, 3)}), and which of them "
            "is meant is not for us to guess. Take the one or the other out of the folder."
        )
    return checkpoint


_MAIN = (safety.SINGLE, safety.PICKLE_SINGLE)
_VALUE_HEAD = re.compile(r"(^|\.)v_head\.")
"""What may lie under a model's usual name beside an adapter."""


def _base_name(root: Path, adapter: dict[str, Any], from_hub: bool) -> str:
    """The base that an adapter names: a folder or a hub id with the revision that it was trained on.

    A relative folder is looked for where the command runs, as training code does, and beside the adapter's own files.
    One in both places is refused, and so is one that climbs: where it leads depends on where it is read. What comes
    from the hub does not get to name a folder of this machine.

    Raises:
        LoadRefusedError: when none is named, or it is not clear which is meant.
    """
    told = adapter.get("base_model_name_or_path")
    if not isinstance(told, str) or not told.strip() or "\0" in told:
        raise LoadRefusedError(
            f"{root} is an adapter that does not say for which base model. Pass its base with --base-model."
        )
    path = Path(told)
    if from_hub and (path.is_absolute() or told.startswith((".", "~")) or len(path.parts) != 2 or path.is_dir()):
        raise LoadRefusedError(
            f"{root} comes from the hub and names a folder as its base model ({told[:200]!r}), which is to be one of "
            "the machine that it was trained on. Pass its base with --base-model."
        )
    if ".." in path.parts or told.startswith("~"):
        raise LoadRefusedError(
            f"{root} names its base model by a path that leads elsewhere depending on where it is read "
            f"({told[:200]!r}). Pass its base with --base-model."
        )
    if path.is_absolute():
        return told
    found = {place.resolve(): place for place in (path, root / path) if place.is_dir()} if not from_hub else {}
    if len(found) > 1:
        raise LoadRefusedError(
            f"{root} names {told} as its base model, and there are two such folders: "
            f"{' and '.join(map(str, found))}. Say which with --base-model."
        )
    if found:
        return str(next(iter(found)))
    revision = adapter.get("revision")
    return f"{told}@{revision}" if isinstance(revision, str) and revision and "@" not in told else told


def _is_missing(error: LoadRefusedError) -> bool:
    return "could not be had from the hub" in str(error)


def _bare(
    root: Path, names: frozenset[str], bases: BaseFinder, revision: str | None, elsewhere: Elsewhere | None
) -> Checkpoint:
    """Weights without a config, which only the user can say what they are."""
    weights = _loose_weights(names)
    if not weights:
        listing = some(sorted(names), 8) or "nothing"
        raise LoadRefusedError(
            f"{root} is not a model checkpoint: it has no config.json (found: {listing}). "
            "Pass the folder that the model was saved to."
        )
    if bases.config is None:
        raise LoadRefusedError(
            f"{root} holds weights ({some(list(weights))}) but no config.json, so it is not known of which "
            "architecture they are. Pass the base model that it was trained from with --base-config."
        )
    base = bases.open_config(bases.config)
    return _checkpoint(root, names, weights, base.config, revision, base=base, elsewhere=elsewhere)


def _main_weights(root: Path, names: frozenset[str], elsewhere: Collection[str]) -> tuple[str, ...]:
    if names & {safety.SINGLE, safety.INDEX, safety.PICKLE_SINGLE, safety.PICKLE_INDEX}:
        return safety.find_weights(root, elsewhere)
    return _loose_weights(names) or safety.find_weights(root, elsewhere)


def _loose_weights(names: frozenset[str]) -> tuple[str, ...]:
    """Weights under a name of their own: one file, or several with the usual numbering."""
    usual = [name for name in (safety.SINGLE, safety.PICKLE_SINGLE) if name in names]
    if usual:
        return tuple(usual[:1])
    candidates = sorted(
        name
        for name in names
        if name.endswith((".safetensors", *safety.PICKLE_SUFFIXES))
        and name not in SIDE_FILES
        and not name.startswith(_NOT_WEIGHTS)
    )
    for suffix in (".safetensors", *safety.PICKLE_SUFFIXES):
        chosen = tuple(name for name in candidates if name.endswith(suffix))
        if chosen:
            return chosen
    return ()


def _refuse_broken_index(root: Path, names: frozenset[str], weights: tuple[str, ...], found: set[str]) -> None:
    """Refuse when an index promises tensors that no shard holds."""
    for index in (safety.INDEX, safety.PICKLE_INDEX):
        suffix = ".safetensors" if index == safety.INDEX else ".bin"
        main = [name for name in weights if name not in SIDE_FILES]
        if (
            index not in names
            or not main
            or not main[0].endswith(suffix)
            or main[0] in (safety.SINGLE, safety.PICKLE_SINGLE)
        ):
            continue
        absent = sorted(set(safety.read_json(root, index)["weight_map"]) - found)
        if absent:
            raise LoadRefusedError(
                f"{root / index} promises tensors that are in no file: {some(absent)}. "
                "Copy or download the checkpoint again."
            )


def _refuse_foreign(root: Path, names: frozenset[str]) -> None:
    """Refuse by name what cannot be loaded here, with what to do instead."""
    nemo = sorted(name for name in names if name.endswith((".nemo", ".distcp")) or name in _NEMO)
    if nemo and "config.json" not in names:
        raise LoadRefusedError(
            f"{root} is a distributed NeMo checkpoint ({some(nemo)}), format nemo, which needs NeMo itself to be read. "
            "Convert it with NeMo's own export to a Hugging Face checkpoint, or serve it and score through the "
            f"server. {_ADVICE}"
        )
    rounded = sorted(name for name in names if name.endswith(".gguf"))
    if rounded and not any(name.endswith((".safetensors", *safety.PICKLE_SUFFIXES)) for name in names):
        raise LoadRefusedError(
            f"{root} holds its weights as GGUF ({some(rounded)}), a format for inference that drops the head of most "
            f"reward models and rounds the rest. Pass the checkpoint that it was made from. {_ADVICE}"
        )
    trees = sorted(name for name in names if "decision_tree" in name and name.endswith((".pkl", ".pickle", ".joblib")))
    if trees:
        raise LoadRefusedError(
            f"{root} turns its attributes into a preference by a pickled decision tree ({some(trees)}), and a pickle "
            "of that kind is a program. It is not opened, whatever the flags. "
            f"{_ADVICE}"
        )
