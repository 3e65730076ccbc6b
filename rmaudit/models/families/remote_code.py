"""`remote-code`: a checkpoint that only its own Python code can score, run if the user says so and pins it."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError, ScoringError, UsageError
from rmaudit.models import remote
from rmaudit.models.assemble import assemble, way_of_writing
from rmaudit.models.backbone import (
    CLOSED,
    fill_class,
    first_line,
    library_config,
    load_tokenizer,
    quiet,
    read_state,
    refuse_foreign_kernel,
)
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.headspec import InputSpec
from rmaudit.models.interface import RewardModel
from rmaudit.models.native import Network
from rmaudit.models.options import LoadOptions
from rmaudit.models.placement import placement
from rmaudit.models.readout import Row, Values

if TYPE_CHECKING:
    import torch

_MODELS = ("AutoModelForSequenceClassification", "AutoModel", "AutoModelForTokenClassification")
_FIELDS = ("logits", "score", "end_scores", "rewards")
"""Fields of an answer that may hold the reward."""


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    named = remote.named_class(checkpoint.config, *_MODELS)
    if not options.trust_remote_code or checkpoint.adapter is not None or named is None:
        return None
    return (f"config.json: auto_map {named}", "--trust-remote-code was given by the user")


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    if not options.trust_remote_code:
        raise UsageError("--as remote-code runs Python code of the checkpoint's own: it needs --trust-remote-code.")
    if checkpoint.adapter is not None or remote.named_class(checkpoint.config, *_MODELS) is None:
        raise LoadRefusedError(
            f"{checkpoint.root} brings no code of its own: its config.json has no auto_map for a model. "
            "Leave --as remote-code out."
        )
    ran = (f"{name} sha256 {digest}" for name, digest in remote.code_digests(checkpoint).items())
    return Reading(
        head=(),
        pooling="as the checkpoint's own code does it",
        risks=(f"Python code of the checkpoint is run: {', '.join(ran)}",),
    )


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    code = remote.Code(checkpoint, remote.require_pin(checkpoint, source, options))
    refuse_foreign_kernel(checkpoint)
    place = placement(checkpoint, options)
    named = remote.named_class(checkpoint.config, *_MODELS)
    assert named is not None, "checked when it was read"
    with quiet():
        model_class = code.load_class(named)
        if not (isinstance(model_class, type) and hasattr(model_class, "from_pretrained")):
            raise LoadRefusedError(f"{named} of {checkpoint.root} is not a model of the transformers library.")
        config, tokenizer = _config(code), _tokenizer(code)
        # Under the names that they have in the files, which are the ones that the class gives them.
        state = {checkpoint.canonical[name].name: tensor for name, tensor in read_state(checkpoint).items()}
        with remote.running(checkpoint.root):
            model = fill_class(checkpoint, model_class, config, state, place)
            model.get_input_embeddings().weight  # noqa: B018 - says where the inputs go, and code may not tell
    return assemble(
        RemoteNetwork(model, checkpoint.root),
        way_of_writing(checkpoint, tokenizer, InputSpec(), options),
        checkpoint,
        detection,
        source,
        options,
        place,
        tokenizer,
    )


def _config(code: remote.Code) -> Any:
    named = remote.named_class(code.checkpoint.config, "AutoConfig")
    if named is None:
        return library_config(code.checkpoint)
    config_class, root = code.load_class(named), code.checkpoint.root
    with remote.running(root):
        return config_class.from_pretrained(str(root), **CLOSED)


def _tokenizer(code: remote.Code) -> Any:
    """The tokenizer, by the checkpoint's own code only where the library cannot make one of the files."""
    named, root = remote.named_class(code.checkpoint.tokenizer_config, "AutoTokenizer"), code.checkpoint.root
    try:
        return load_tokenizer(code.checkpoint)
    except LoadRefusedError:
        if named is None:
            raise
    tokenizer_class = code.load_class(named)
    with remote.running(root):
        return tokenizer_class.from_pretrained(str(root), **CLOSED)


class RemoteNetwork(Network):
    """A model whose forward pass is its own code: one conversation a pass, without padding."""

    left = False

    def __init__(self, model: Any, root: Path) -> None:
        self.model = model
        self._root = root
        parameters = inspect.signature(model.forward).parameters
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        self._segments = anything or "token_type_ids" in parameters

    def __call__(self, inputs: dict[str, torch.Tensor], rows: Sequence[Row]) -> list[Values]:
        """Numbers of each conversation, in order; see `Network`."""
        values = []
        for i, row in enumerate(rows):
            own = slice(row.start, row.start + len(row.encoded.ids))
            alone = {
                name: value[i : i + 1, own]
                for name, value in inputs.items()
                if name != "token_type_ids" or self._segments
            }
            values.append(Values(self._number(self._answer(alone))))
        return values

    def _answer(self, alone: dict[str, torch.Tensor]) -> Any:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                return self.model(**alone)
        except RuntimeError:  # such as too little memory, which is told with advice
            raise
        except (Exception, SystemExit) as error:
            raise ScoringError(
                f"The Python code of {self._root} failed on a conversation ({first_line(error)}). Score with it in an "
                "environment of its own and pass its rewards as scores:FILE.jsonl."
            ) from error

    def _number(self, answer: Any) -> float:
        """The one number in an answer.

        Raises:
            LoadRefusedError: when there is none, or there are several that differ.
        """
        import torch

        fields = {"": answer} if isinstance(answer, torch.Tensor) else {f: getattr(answer, f, None) for f in _FIELDS}
        tensors = {name: value for name, value in fields.items() if isinstance(value, torch.Tensor)}
        numbers = {float(value) for value in tensors.values() if tuple(value.shape) in ((), (1,), (1, 1))}
        if len(numbers) == 1:
            return numbers.pop()
        shapes = ", ".join(f"{name or type(answer).__name__} {list(value.shape)}" for name, value in tensors.items())
        raise LoadRefusedError(
            f"The Python code of {self._root} does not answer with one number a conversation "
            f"({shapes or type(answer).__name__}), so which is the reward is not for us to guess. Pass a function "
            "that picks it as python:FILE.py:NAME."
        )


FAMILY = Family(
    format="remote-code",
    examples="models of classes of their own",
    recognised="`auto_map` in config.json, `--trust-remote-code`, and no format that is loaded natively",
    scalar="the one number that the checkpoint's own class answers: its tensor, `logits`, `score`, `end_scores` or "
    "`rewards`; one conversation a pass, without padding",
    recognise=_recognise,
    read=_read,
    load=_load,
    needs="--trust-remote-code, --revision",
    last_resort=True,
)
