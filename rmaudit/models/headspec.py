"""How hidden states become a scalar, as data: what a built-in format declares and ``--head-spec`` describes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import safety
from rmaudit.models.checkpoint import Checkpoint, Tensor

Activation = Literal["none", "relu", "leaky_relu", "tanh", "selu", "gelu", "silu"]
Position = Literal[
    "last",
    "last-not-padding",
    "first",
    "mean",
    "first-token",
    "before-token",
    "every-token",
    "before-every-token",
]
Aggregate = Literal["last", "min", "mean", "prod", "softmin"]

POSITIONS: dict[str, str] = {
    "last": "last token",
    "last-not-padding": "last token other than the padding token",
    "first": "first token",
    "mean": "mean over all tokens",
    "first-token": "first {token}",
    "before-token": "token before the first {token} after the prompt, else the last",
    "every-token": "every {token}",
    "before-every-token": "token before every {token}",
}
"""What each position means, for people."""


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Layer(_Spec):
    """One linear layer of a head, and what follows it."""

    weight: str
    """Name of the tensor, shape ``(out, in)``."""
    bias: str | None = None
    """Name of the tensor, shape ``(out,)``."""
    rows: tuple[int | str, ...] | None = None
    """Rows of the weight that are used, by index or by token text; all when not given. A language model's
    output layer with the rows of "Yes" and "No" is a head with two outputs."""
    activation: Activation = "none"
    """What follows the layer; ``gelu`` is the exact one, ``leaky_relu`` has slope 0.01."""


class Output(_Spec):
    """One number that the head gives, and its weight in the reward."""

    name: str | None = None
    """Named outputs are reported beside the reward."""
    weight: FiniteFloat = 1.0
    """Factor in the reward; negative where more of it is worse."""


class Normalisation(_Spec):
    """``(x - mean) / (std + epsilon)``, as the model's authors apply it."""

    mean: FiniteFloat = 0.0
    """Taken off the weighted sum of the outputs."""
    std: FiniteFloat = 1.0
    """Divides what is left; above 0 together with `epsilon`."""
    epsilon: FiniteFloat = 0.0
    """Added to `std`."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.std + self.epsilon > 0:
            raise ValueError(f"std must be above 0, and is {self.std}")
        return self

    def __str__(self) -> str:
        divisor = f"({self.std:.6g} + {self.epsilon:g})" if self.epsilon else f"{self.std:.6g}"
        return f"(x - {self.mean:.6g}) / {divisor}"


class InputSpec(_Spec):
    """How a conversation is written out for the model."""

    template: str | None = None
    """Jinja over ``messages``, ``bos_token``, ``eos_token``; not given: the tokenizer's own chat template."""
    origin: str | None = None
    """Where the template comes from, for people."""
    special_tokens: bool | None = None
    """Whether the tokenizer adds its special tokens; not given: unless the text begins with the BOS token."""
    drop_bos: bool = False
    """Whether the BOS token that the template writes is taken out, so that only the tokenizer adds one."""
    generation: bool = False
    """Whether the template is asked to end where an answer is to be written (``add_generation_prompt``)."""
    strip: str = ""
    """Characters taken off the end of the text."""
    close: bool = False
    """Whether the text must end with the EOS token: a space and the token are added when it does not, and the
    last token is made the EOS token whatever it was."""
    append: int | None = None
    """Token id that must be the last one, added when it is not."""
    pair: bool = False
    """Whether question and answer are the two segments of an encoder, in place of a template."""


class Steps(_Spec):
    """How the values at several positions, the steps of an answer, become one."""

    aggregate: Aggregate
    """The last or least value, their mean or product, or their mean with weights ``softmax(-value / 0.1)``."""


class HeadSpec(_Spec):
    """How the scalar of a checkpoint is computed from its hidden states."""

    layers: tuple[Layer, ...] = Field(min_length=1)
    """Applied in order to the hidden state at the position, in float32."""
    outputs: tuple[Output, ...] = (Output(),)
    """The last layer's outputs, in order; the reward is their weighted sum."""
    transform: Literal["none", "softmax", "sigmoid"] = "none"
    """Applied to the outputs before they are weighted."""
    position: Position = "last"
    """Which token's hidden state is read, of the conversation's own tokens: padding does not count."""
    token: int | str | None = None
    """Which token the position speaks of: an id, a token's text, ``eos`` or ``pad``."""
    normalisation: Normalisation | None = None
    """Applied to the weighted sum of the outputs, before the sign."""
    sign: Literal[1, -1] = 1
    """-1 for a cost."""
    backbone: dict[str, str] = {}
    """Beginnings of tensor names and what stands for them in the model, such as ``rwtransformer.`` for nothing."""
    input: InputSpec = InputSpec()
    """How a conversation is written out; not given: in the tokenizer's chat template."""
    steps: Steps | None = None
    """For a process reward model, which is read at several positions; not given: the last of them counts."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.position.endswith("token") and self.token is None:
            raise ValueError(f"position {self.position} needs token: an id, a token's text, eos or pad")
        if self.position.startswith(("every", "before-every")) and self.steps is None:
            raise ValueError(f"position {self.position} needs steps: how their values become one")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the head's tensors, in order."""
        return tuple(name for layer in self.layers for name in (layer.weight, layer.bias) if name)

    @property
    def pooling(self) -> str:
        """Which position is read, in words."""
        token = self.token if isinstance(self.token, str) else f"token {self.token}"
        return POSITIONS[self.position].format(token={"eos": "EOS token", "pad": "padding token"}.get(token, token))


def normalisation(checkpoint: Checkpoint, mean: Any, std: Any, epsilon: float = 0.0) -> Normalisation:
    """The normalisation that a checkpoint's own numbers give.

    Raises:
        LoadRefusedError: when they are no finite numbers, or the deviation is not above 0.
    """
    try:
        return Normalisation(mean=mean, std=std, epsilon=epsilon)
    except ValidationError as error:
        raise LoadRefusedError(
            f"{checkpoint.root} normalises its score by mean {mean!r:.40} and std {std!r:.40}, which is not possible. "
            "Correct them in its config.json."
        ) from error


def linear(weight: str, bias: str | None = None, **more: object) -> HeadSpec:
    """A head of one linear layer."""
    return HeadSpec(layers=(Layer(weight=weight, bias=bias),), **more)


def require_head(checkpoint: Checkpoint, names: tuple[str, ...]) -> tuple[Tensor, ...]:
    """The tensors of a head, by canonical name.

    Raises:
        LoadRefusedError: when one is in no weight file; all that are missing are named.
    """
    missing = [name for name in names if name not in checkpoint.canonical]
    if missing:
        raise LoadRefusedError(
            f"{checkpoint.root} has no whole score head: its weights lack {', '.join(missing)}. Loading it would "
            "fill the gap with random numbers. Save the trained head with the checkpoint, and load again."
        )
    return tuple(checkpoint.canonical[name] for name in names)


def check_shapes(checkpoint: Checkpoint, spec: HeadSpec, outputs: int | None = None, width: int | None = None) -> None:
    """Make sure that the layers of a head fit one another and give one number for each output.

    Args:
        checkpoint: the checkpoint whose tensors the head names.
        spec: the head.
        outputs: outputs of the last layer; as many as the spec names when not given.
        width: inputs of the first layer; as many as the config's hidden states have when not given.

    Raises:
        LoadRefusedError: when they do not.
    """
    require_head(checkpoint, spec.names)
    width = _hidden_width(checkpoint) if width is None else width
    for layer in spec.layers:
        weight = checkpoint.canonical[layer.weight]
        if len(weight.shape) != 2 or (width is not None and weight.shape[1] != width):
            expected = "two dimensions" if width is None else f"[…, {width}]"
            raise LoadRefusedError(
                f"The head of {checkpoint.root} does not fit its model: {weight} is not {expected}. "
                "Save the checkpoint again, whole."
            )
        width = len(layer.rows) if layer.rows is not None else weight.shape[0]
        if layer.bias is not None and checkpoint.canonical[layer.bias].shape != (weight.shape[0],):
            bias = checkpoint.canonical[layer.bias]
            raise LoadRefusedError(f"The head of {checkpoint.root} does not fit together: {weight} with {bias}.")
    wanted = len(spec.outputs) if outputs is None else outputs
    if width != wanted:
        raise LoadRefusedError(
            f"{checkpoint.root} gives {width} numbers a conversation ({checkpoint.canonical[spec.layers[-1].weight]}), "
            f"and {wanted} {'was' if wanted == 1 else 'were'} expected. Which of them is the reward is not for us to "
            "guess: name each of them under outputs in a description of the head (--head-spec FILE)."
        )


def _hidden_width(checkpoint: Checkpoint) -> int | None:
    """Width of the hidden states that a head reads, where the config says so."""
    text = checkpoint.config.get("text_config")
    config = text if isinstance(text, dict) else checkpoint.config
    names = ("word_embed_proj_dim", "hidden_size", "n_embd", "d_model")
    return next((config[name] for name in names if isinstance(config.get(name), int)), None)


def read_head_spec(path: str) -> HeadSpec:
    """A head described in a YAML file.

    Raises:
        UsageError: when it cannot be read, or says something that a head cannot be.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError(f"There is no file {path}. --head-spec names a YAML file that describes a head.")
    told = safety.read_yaml(file)
    if not isinstance(told, Mapping):
        raise UsageError(f"{path} does not describe a head: it is not a mapping with layers. {EXAMPLE}")
    try:
        return HeadSpec.model_validate(told)
    except ValidationError as error:
        problems = "; ".join(_problem(entry) for entry in error.errors()[:5])
        raise UsageError(f"{path} does not describe a head ({problems}). {EXAMPLE}") from error


_PARTS: dict[str, type[_Spec]] = {
    "layers": Layer,
    "outputs": Output,
    "normalisation": Normalisation,
    "input": InputSpec,
    "steps": Steps,
}


def _problem(entry: Any) -> str:
    """One mistake in a description: where, what, and what was probably meant."""
    place = [part for part in entry["loc"] if isinstance(part, str)]
    where = ".".join(map(str, entry["loc"])) or "the file"
    if entry["type"] == "extra_forbidden":
        known = list((_PARTS.get(place[0], HeadSpec) if len(place) > 1 else HeadSpec).model_fields)
        return f"{where}: there is no such key.{_close(place[-1], known)} It may be {', '.join(known)}"
    said = str(entry["msg"]).removeprefix("Value error, ")
    known = re.findall("'([^']+)'", str(entry.get("ctx", {}).get("expected", "")))
    return f"{where}: {said[:1].lower()}{said[1:]}{_close(str(entry['input']), known, '. ').rstrip()}"


def _close(word: str, known: list[str], before: str = " ") -> str:
    match = difflib.get_close_matches(word[:100], known, n=1)
    return f"{before}Did you mean {match[0]}?" if match else ""


EXAMPLE = "A head of one layer is: layers: [{weight: reward_head.weight}]"
