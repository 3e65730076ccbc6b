"""PEFT adapters: what their config may say, and how their tensors go into a base model that was loaded already.

An adapter's config is a stranger's. It can ask for modules to be imported, for patterns that take for ever to match
and for layers to be multiplied, so none of it reaches the library: which layers are adapted is told by the tensors,
and the few numbers that the arithmetic needs are checked here. The arithmetic itself is the library's, unmerged.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint, some

if TYPE_CHECKING:
    import torch

FILES = ("adapter_model.safetensors", "adapter_model.bin")
"""Names of the file that holds an adapter's own tensors."""

INPUT_TYPES = frozenset(
    ("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT", "ADAPTION_PROMPT", "CARTRIDGE")
)
"""Adapters that put something of their own before the text."""

_NAME = "rmaudit"
_MAX_PATTERNS = 20_000
_PATTERN = re.compile(r"(?P<anchor>\^)?(?P<name>(?:[\w-]|\\?\.)+)\$?")
"""A name of a module, as such or as a regular expression that means just that."""
_LOW_RANK = re.compile(r"(?P<module>.+?)\.(?P<part>lora_\w+)(?:\.(?P<kind>weight|bias))?")
_KEEPS_BASE = ("gaussian", "orthogonal", "eva")
"""Ways to begin the training that leave the base model's weights alone."""
_NO_PART = frozenset(
    (
        *("base_model_name_or_path", "revision", "auto_mapping", "inference_mode", "peft_version", "lora_dropout"),
        *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "megatron_core"),
        *("eva_config", "runtime_config", "qalora_group_size", "fan_in_fan_out"),
    )
)
"""Entries of a config that say nothing that the tensors do not, or that matter in training alone."""
_MERGE = "Merge it into its base where it was trained (merge_and_unload), save the whole model and pass that."


class AdapterConfig(BaseModel):
    """What an ``adapter_config.json`` says that changes a forward pass."""

    model_config = ConfigDict(frozen=True, extra="allow")

    peft_type: str
    task_type: str | None = None
    r: int = Field(default=8, ge=1, le=1 << 20)
    lora_alpha: float = Field(default=8, allow_inf_nan=False)
    rank_pattern: dict[str, int] | None = Field(default=None, max_length=_MAX_PATTERNS)
    alpha_pattern: dict[str, float] | None = Field(default=None, max_length=_MAX_PATTERNS)
    use_rslora: bool = False
    use_dora: bool = False
    lora_bias: bool = False
    bias: Literal["none", "all", "lora_only"] = "none"
    init_lora_weights: bool | str | None = True
    modules_to_save: list[str] | None = Field(default=None, max_length=_MAX_PATTERNS)


def read_config(root: Path, raw: Mapping[str, Any]) -> AdapterConfig:
    """What an adapter's config says, if it can be followed.

    Args:
        root: the adapter's folder, for messages.
        raw: its ``adapter_config.json``.

    Raises:
        LoadRefusedError: when it is not one, or asks for something that is not understood here.
    """
    kind = str(raw.get("peft_type"))[:50]
    if kind in INPUT_TYPES:
        raise LoadRefusedError(
            f"{root} is a PEFT adapter of type {kind}, which puts trained vectors before the text; such a model is not "
            "loaded here. Score the conversations with its own code and pass its rewards as scores:FILE.jsonl."
        )
    if kind != "LORA":
        raise LoadRefusedError(
            f"{root} is a PEFT adapter of type {kind}, and only LORA (with rsLoRA and DoRA) is loaded here. {_MERGE}"
        )
    try:
        config = AdapterConfig.model_validate(raw)
        _tamed(config.rank_pattern), _tamed(config.alpha_pattern)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))[:80]}: {e['msg']}" for e in error.errors()[:3])
        raise LoadRefusedError(f"The adapter_config.json of {root} makes no sense ({told}). {_MERGE}") from error
    except ValueError as error:
        raise LoadRefusedError(f"The adapter_config.json of {root} cannot be followed: {error}. {_MERGE}") from error
    unknown = sorted(name for name, value in (config.model_extra or {}).items() if value and name not in _NO_PART)
    if unknown:
        raise LoadRefusedError(
            f"The adapter_config.json of {root} asks for {some(unknown)}, which may change the rewards and is not "
            f"known here. {_MERGE}"
        )
    if isinstance(config.init_lora_weights, str) and config.init_lora_weights not in _KEEPS_BASE:
        raise LoadRefusedError(
            f"{root} was trained on a base whose weights were changed first (init_lora_weights: "
            f"{config.init_lora_weights[:50]}), so it does not fit the base that it names. Save it as a plain LoRA "
            "(save_pretrained with path_initial_model_for_weight_conversion), or merged into its base."
        )
    return config


def apply_adapter(model: Any, checkpoint: Checkpoint, skip: Collection[str] = (), absent: Collection[str] = ()) -> Any:
    """Put an adapter into its base model, which then computes what the two together do.

    Tensors that the adapter brings whole (a head, biases, embeddings) take the place of the base's. The low-rank ones
    become layers of the PEFT library around the base's own, without merging and without dropout.

    Args:
        model: the base model; changed in place.
        checkpoint: the adapter.
        skip: canonical names of tensors that are read elsewhere, such as a head.
        absent: names of the model's parameters that the base does not bring, so that the adapter must.

    Raises:
        LoadRefusedError: when a tensor of the adapter is left over or does not fit, or the model would be left with a
            parameter that is in no file.
    """
    from rmaudit.models.backbone import read_state

    root, config = checkpoint.root, read_config(checkpoint.root, checkpoint.adapter or {})
    names = [name for name in checkpoint.canonical if name not in skip]
    state = read_state(checkpoint, names)
    homes = _Homes(model)
    whole: dict[str, torch.Tensor] = {}
    layers: dict[str, _Layer] = {}
    left: list[str] = []
    for name, tensor in sorted(state.items()):
        if found := _LOW_RANK.fullmatch(name):
            home = homes.module(found["module"])
            if home is not None:
                layer = layers.setdefault(home, _Layer(found["module"]))
                layer.tensors[(found["part"], found["kind"])] = tensor
                continue
        elif (own := homes.parameter(name)) is not None:
            whole[own] = tensor
            continue
        if not (homes.bare and _OUTPUT.match(name)):
            left.append(checkpoint.canonical[name].name)
    if left:
        raise LoadRefusedError(
            f"The adapter {root} does not fit its base model {_base(checkpoint)}: these tensors of it have no place "
            f"there: {some(left)}. Pass the base that it was trained on with --base-model."
        )
    missing = sorted(set(absent) - set(whole))
    if missing:
        raise LoadRefusedError(
            f"{root} has no whole score head: neither it nor its base model {_base(checkpoint)} brings "
            f"{some(missing)}. Loading it would fill the gap with random numbers. Train again with the head named in "
            "modules_to_save."
        )
    _replace(model, whole, root)
    if layers:
        _wrap(model, layers, config, root)
    return model.requires_grad_(False).eval()


_OUTPUT = re.compile(r"(lm_head|embed_out|cls)\.")
"""Output layers of language models, which play no part where hidden states are read."""


class _Layer:
    """The low-rank tensors of one module."""

    def __init__(self, trained: str) -> None:
        self.trained = trained
        """The module's name in training."""
        self.tensors: dict[tuple[str, str | None], torch.Tensor] = {}

    @property
    def rank(self) -> int | None:
        """Rows of A, as the tensor has them."""
        a = self.tensors.get(("lora_A", "weight"), self.tensors.get(("lora_embedding_A", None)))
        return None if a is None else int(a.shape[0])


class _Homes:
    """Where in a model the adapter's tensors belong, which may have been trained inside a larger class."""

    def __init__(self, model: Any) -> None:
        self._modules = {name for name, _ in model.named_modules()}
        self._parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
        self._prefix = f"{model.base_model_prefix}." if model.base_model_prefix else ""
        self.bare = model.get_output_embeddings() is None

    def module(self, name: str) -> str | None:
        """The model's module of a name, or ``None``."""
        return self._found(name, self._modules)

    def parameter(self, name: str) -> str | None:
        """The model's parameter of a name, or ``None``."""
        return self._found(name.replace(".base_layer.", "."), self._parameters)

    def _found(self, name: str, known: set[str]) -> str | None:
        return next((n for n in (name, name.removeprefix(self._prefix), self._prefix + name) if n in known), None)


def _replace(model: Any, whole: Mapping[str, torch.Tensor], root: Path) -> None:
    """Put tensors in the place of parameters, each in its own module: a tied one elsewhere stays as it is."""
    import torch

    for name, tensor in whole.items():
        parent, _, leaf = name.rpartition(".")
        module = model.get_submodule(parent)
        old = getattr(module, leaf)
        if old.shape != tensor.shape:
            raise LoadRefusedError(
                f"The adapter {root} does not fit its base model: {name} is {list(tensor.shape)} in the one and "
                f"{list(old.shape)} in the other. If tokens were added in training, pass a base that has them with "
                "--base-model."
            )
        new = tensor.to(device=old.device, dtype=old.dtype)
        setattr(module, leaf, torch.nn.Parameter(new, requires_grad=False))


def _wrap(model: Any, layers: Mapping[str, _Layer], config: AdapterConfig, root: Path) -> None:
    """Put the library's layers around the adapted modules, and fill every parameter of theirs."""
    from peft import LoraConfig, inject_adapter_in_model

    ranks, alphas = _tamed(config.rank_pattern), _tamed(config.alpha_pattern)
    for layer in layers.values():
        told = int(_matching(ranks, layer.trained, config.r))
        if layer.rank != told:
            raise LoadRefusedError(
                f"The adapter {root} gives {layer.trained} rank {told} in its config and {layer.rank} in its "
                "tensors, so their scale is not known. Save it again with the config that it was trained with."
            )
    exact = {home: f"^{re.escape(home)}" for home in layers}
    exact_alphas: dict[str, Any] = {  # the library says that these are integers, and takes others as well
        exact[home]: _matching(alphas, layer.trained, config.lora_alpha) for home, layer in layers.items()
    }
    made = LoraConfig(
        r=config.r,
        rank_pattern={exact[home]: layer.rank for home, layer in layers.items()},
        alpha_pattern=exact_alphas,
        target_modules=sorted(layers),
        lora_dropout=0.0,
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        lora_bias=config.lora_bias,
        inference_mode=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            inject_adapter_in_model(made, model, _NAME, low_cpu_mem_usage=True, state_dict=_keys(layers))
        except Exception as error:
            from rmaudit.models.backbone import first_line

            raise LoadRefusedError(
                f"The adapter {root} could not be put on its base model: {first_line(error)}. {_MERGE}"
            ) from error
    for home, layer in layers.items():
        _fill(model, home, layer, root)


def _keys(layers: Mapping[str, _Layer]) -> dict[str, Any]:
    """Keys by which the library finds the modules to wrap."""
    return {f"{home}.{part}": None for home, layer in layers.items() for part, _ in layer.tensors}


def _fill(model: Any, home: str, layer: _Layer, root: Path) -> None:
    import torch

    wrapped = model.get_submodule(home)
    own = {name: parameter for name, parameter in wrapped.named_parameters() if f".{_NAME}" in name}
    named = {_file_name(name): name for name in own}
    given = {f"{part}.{kind}" if kind else part: tensor for (part, kind), tensor in layer.tensors.items()}
    for what, names in (("lacks", set(named) - set(given)), ("has no place for", set(given) - set(named))):
        if names:
            told = some(sorted(f"{layer.trained}.{name}" for name in names))
            raise LoadRefusedError(
                f"The adapter {root} is not whole, or its config is not its own: it {what} {told}. "
                "Save or download it again."
            )
    device = wrapped.get_base_layer().weight.device
    for name, tensor in given.items():
        parameter = own[named[name]]
        if parameter.shape != tensor.shape:
            raise LoadRefusedError(
                f"The adapter {root} does not fit its base model: {layer.trained}.{name} is {list(tensor.shape)}, "
                f"and {list(parameter.shape)} is needed. Pass the base that it was trained on with --base-model."
            )
        parent, _, leaf = named[name].rpartition(".")
        place = wrapped.get_submodule(parent)
        # In float32, as the library keeps adapters whatever the model's own number type.
        filled = torch.nn.Parameter(tensor.to(device=device, dtype=torch.float32), requires_grad=False)
        if isinstance(place, torch.nn.ParameterDict):
            place[leaf] = filled
        else:
            setattr(place, leaf, filled)


def _file_name(name: str) -> str:
    """Name of a wrapped layer's parameter in an adapter's file, which leaves the adapter's own name out."""
    short = name.replace(f".{_NAME}", "")
    return short.removesuffix(".weight") if short == "lora_magnitude_vector.weight" else short


def _tamed(patterns: Mapping[str, float] | None) -> dict[str, tuple[int, bool, float]]:
    """Patterns by the name that they mean: their place in the order, whether it is the whole name, their value.

    Raises:
        ValueError: when one is more than a name; matching a stranger's regular expression could take for ever.
    """
    found: dict[str, tuple[int, bool, float]] = {}
    for place, (pattern, value) in enumerate((patterns or {}).items()):
        match = _PATTERN.fullmatch(pattern)
        if match is None:
            raise ValueError(f"the pattern {pattern[:80]!r} is not the name of a module")
        found.setdefault(match["name"].replace("\\.", "."), (place, bool(match["anchor"]), value))
    return found


def _matching(patterns: Mapping[str, tuple[int, bool, float]], module: str, default: float) -> float:
    """Value of the first pattern that names a module or an ending of its name, as the library matches them."""
    parts = module.split(".")
    endings = {".".join(parts[i:]): i == 0 for i in range(len(parts))}
    matches = [patterns[e] for e, is_whole in endings.items() if e in patterns and (is_whole or not patterns[e][1])]
    return min(matches)[2] if matches else default


def _base(checkpoint: Checkpoint) -> str:
    return str(checkpoint.base.root) if checkpoint.base is not None else "(none)"
