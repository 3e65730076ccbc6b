"""Language models whose reward is read off their output layer, at a few tokens of the vocabulary."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import assemble
from rmaudit.models.backbone import library_config, load_backbone, load_tokenizer
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection
from rmaudit.models.headspec import Layer, require_head
from rmaudit.models.native import NativeModel, Network
from rmaudit.models.options import LoadOptions
from rmaudit.models.placement import placement
from rmaudit.models.readout import Head, LinearHead, Row, Values
from rmaudit.models.text import ConversationInput, Encoded

if TYPE_CHECKING:
    import torch

UNTOLD = "that the model is of this format was said by the user; nothing in its files tells"
"""What a reader should know where a format is only taken with ``--as``."""

_OUTPUTS = ("lm_head.weight", "embed_out.weight")
_EMBEDDINGS = re.compile(r"(.*\.)?(embed_tokens|wte|word_embeddings|embed_in|tok_embeddings|embeddings)\.weight")

_USUAL_EMBEDDINGS = {
    **dict.fromkeys(("gpt2", "gpt_bigcode", "gptj", "codegen", "gpt_neo", "mpt"), "transformer.wte.weight"),
    **dict.fromkeys(("bloom", "falcon"), "transformer.word_embeddings.weight"),
    "gpt_neox": "gpt_neox.embed_in.weight",
    "opt": "model.decoder.embed_tokens.weight",
}
"""What is missing, where the embeddings are the output layer and are not among the weights."""


def output_layer(checkpoint: Checkpoint, rows: tuple[int | str, ...] | None = None) -> Layer:
    """The output layer of a language model, some of its rows: a matrix of its own, or that of its embeddings.

    Raises:
        LoadRefusedError: when it is not among the weights; it is named.
    """
    whole = checkpoint.whole
    found = next((name for name in _OUTPUTS if name in whole.canonical), None)
    if found is None and library_config(whole).get_text_config().tie_word_embeddings:
        found = next((name for name in whole.canonical if _EMBEDDINGS.fullmatch(name)), None)
        found = found or _USUAL_EMBEDDINGS.get(whole.model_type or "", "model.embed_tokens.weight")
    found = found or _OUTPUTS[whole.model_type == "gpt_neox"]
    require_head(whole, (found,))
    bias = re.sub(r"weight$", "bias", found)
    return Layer(weight=found, bias=bias if found in _OUTPUTS and bias in whole.canonical else None, rows=rows)


def load_language(
    checkpoint: Checkpoint,
    detection: Detection,
    source: str,
    options: LoadOptions,
    prepare: Callable[[Any], tuple[ConversationInput, tuple[int, ...]]],
) -> NativeModel:
    """Load a language model and read its output layer, as `Reading.spec` says, at the marks or at the last token.

    Args:
        checkpoint: the checkpoint.
        detection: what it is.
        source: the SOURCE as typed.
        options: how to load it.
        prepare: from the tokenizer to the way of writing, and the tokens whose logits are the outputs of the spec.

    Raises:
        LoadRefusedError: when the weights do not fit, or the conversations cannot be written out.
    """
    spec = detection.reading.spec
    assert spec is not None, "what is read of the output layer is described as data"
    place = placement(checkpoint, options)
    tokenizer = load_tokenizer(checkpoint)
    written, ids = prepare(tokenizer)
    model = load_backbone(checkpoint, "causal", place)
    layer = model.get_output_embeddings()
    size = 0 if layer is None else len(layer.weight)
    if max(ids) >= size:
        raise LoadRefusedError(
            f"The reward of {checkpoint.root} is read at token {max(ids)}, and its output layer knows {size:,} tokens. "
            "Check that the tokenizer is the model's own."
        )
    head = LinearHead(spec, (), _marks if spec.steps else _last)
    return assemble(
        LanguageNetwork(model, ids, head), written, checkpoint, detection, source, options, place, tokenizer, head=head
    )


def _marks(encoded: Encoded) -> tuple[int, ...]:
    return encoded.marks


def _last(encoded: Encoded) -> tuple[int, ...]:
    return (len(encoded.ids) - 1,)


class LanguageNetwork(Network):
    """A language model of the library, which computes the logits of some tokens only.

    The library's own class does all the rest, for what follows the output layer differs between models: Gemma 2
    caps the logits, Cohere and Granite scale them.
    """

    def __init__(self, model: Any, ids: Sequence[int], head: Head) -> None:
        """Take a model.

        Args:
            model: of the library, with its output layer.
            ids: tokens whose logits are computed, in order.
            head: reads them as if they were hidden states.
        """
        self.model = model
        self._ids = list(ids)
        self._whole = model.get_output_embeddings()
        self._rows = _rows(self._whole, self._ids)
        self._head = head
        parameters = inspect.signature(model.forward).parameters
        composite = model.config.get_text_config() is not model.config
        self.left = "position_ids" in parameters and not composite
        self._options = {"use_cache": False} if "use_cache" in parameters else {}

    def problem(self, encoded: Encoded) -> str | None:
        """Why a conversation cannot be read, or ``None``."""
        return self._head.problem(encoded)

    def __call__(self, inputs: dict[str, torch.Tensor], rows: Sequence[Row]) -> list[Values]:
        """Numbers of each conversation, in order; see `Network`."""
        with self._narrowed():
            logits = self.model(**inputs, **self._options).logits
        return self._head(logits, rows)

    def library(self, inputs: dict[str, torch.Tensor], row: Row) -> float | None:
        """The reward by the plain forward pass, which has the output layer in the number type of the model.

        There is nothing to compare in another type than float32: the head here is computed in that one.
        """
        import torch

        if self._whole.weight.dtype != torch.float32:
            return None
        logits = self.model(**inputs, **self._options).logits
        return self._head(logits[..., self._ids], [row])[0].reward

    @contextmanager
    def _narrowed(self) -> Iterator[None]:
        self.model.set_output_embeddings(self._rows)
        try:
            yield
        finally:
            self.model.set_output_embeddings(self._whole)


def _rows(whole: Any, ids: list[int]) -> Any:
    """Some rows of an output layer, in float32."""
    import torch

    class Rows(torch.nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return super().forward(hidden.float().to(self.weight.device))

    bias = getattr(whole, "bias", None)
    rows = Rows(whole.weight.shape[1], len(ids), bias=bias is not None)
    rows.weight = torch.nn.Parameter(whole.weight.detach()[ids].float(), requires_grad=False)
    if bias is not None:
        rows.bias = torch.nn.Parameter(bias.detach()[ids].float(), requires_grad=False)
    return rows
