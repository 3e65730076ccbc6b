"""A causal language model taken apart: hidden states, and an output layer in float32, a part of it at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint, Tensor
from rmaudit.models.headspec import require_head
from rmaudit.models.native import HiddenStateNetwork
from rmaudit.models.readout import Head, Row

if TYPE_CHECKING:
    import torch

OUTPUT_LAYERS = ("lm_head.weight", "embed_out.weight", "output.weight")
"""Names of the weights of language models' output layers."""

_EMBEDDING = r"(.*\.)?(embed_tokens|wte|word_embeddings|embed_in|shared)\.weight"
_TOKENS, _VOCABULARY = 1024, 16_384
"""Size of the parts: a table of all tokens by all words of the vocabulary would fill the memory."""
_PROBE_TOKENS = 5


def output_layer(checkpoint: Checkpoint) -> Tensor:
    """The weight of a language model's output layer, which may be that of its input embedding.

    Raises:
        LoadRefusedError: when it is in no weight file.
    """
    whole = checkpoint.base if checkpoint.adapter is not None and checkpoint.base is not None else checkpoint
    found = next((whole.canonical[name] for name in OUTPUT_LAYERS if name in whole.canonical), None)
    if found is None and whole.config.get("tie_word_embeddings") is not False:
        found = whole.has(_EMBEDDING)
    return found if found is not None else require_head(whole, OUTPUT_LAYERS[:1])[0]


def is_language_model(checkpoint: Checkpoint) -> bool:
    """Whether the files are those of a causal language model."""
    return (checkpoint.architecture or "").endswith(("ForCausalLM", "LMHeadModel"))


class CausalModel:
    """A causal language model of the transformers library."""

    def __init__(self, model: Any, where: Path) -> None:
        """Take a model apart, and see that the parts compute what the whole does.

        Args:
            model: the library's, with its output layer.
            where: the checkpoint, for messages.

        Raises:
            LoadRefusedError: when they do not.
        """
        import torch

        self.whole = model
        self.body = model.base_model
        layer = model.get_output_embeddings()
        self._weight, self._bias = layer.weight, getattr(layer, "bias", None)
        config = model.config.get_text_config()
        self._cap = getattr(config, "final_logit_softcapping", None)
        self._factor = float(getattr(config, "logit_scale", None) or 1) / float(
            getattr(config, "logits_scaling", None) or 1
        )
        ids = torch.arange(min(_PROBE_TOKENS, self.words), device=model.get_input_embeddings().weight.device)[None]
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        with torch.inference_mode():
            told, own = self.library_logits(inputs), self.logits(self.states(inputs)[0])
        scale, tolerance = max(1.0, float(told.abs().max())), 1e-3 if model.dtype == torch.float32 else 5e-2
        if not float((told - own).abs().max()) <= tolerance * scale:
            raise LoadRefusedError(
                f"{where} ({type(model).__name__}) makes its output from its last hidden states in a way that is not "
                "known here, so its likelihoods would not be its own. Score the conversations with its own code and "
                "pass the rewards as scores:FILE.jsonl."
            )

    @property
    def words(self) -> int:
        """Size of the vocabulary that it reads."""
        return int(self.whole.get_input_embeddings().weight.shape[0])

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around each forward pass, for models that share their weights with another."""
        yield

    def states(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Last hidden states, shape ``(n, longest, width)``."""
        with self.running():
            states: torch.Tensor = self.body(**inputs, use_cache=False).last_hidden_state
        return states

    def library_logits(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits of one conversation by the library's own forward pass, shape ``(tokens, vocabulary)``, float32."""
        with self.running():
            logits: torch.Tensor = self.whole(**inputs, use_cache=False).logits[0].float()
        return logits

    def logits(self, states: torch.Tensor, words: Sequence[int] | None = None) -> torch.Tensor:
        """Logits of some words of the vocabulary, or of all, in float32.

        Args:
            states: hidden states, shape ``(n, width)``.
            words: their ids.

        Returns:
            Shape ``(n, words)``.
        """
        chosen = slice(None) if words is None else list(words)
        return self._logits(states, self._weight[chosen], None if self._bias is None else self._bias[chosen])

    def log_probabilities(self, states: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Log-probability of one word at each position, in float32, over the whole vocabulary.

        Args:
            states: hidden states that the words follow on, shape ``(n, width)``.
            ids: the words, shape ``(n,)``.

        Returns:
            Shape ``(n,)``, 0 or less.
        """
        import torch

        found = [torch.empty(0, device=self._weight.device)]
        for part, own in zip(states.split(_TOKENS), ids.to(self._weight.device).split(_TOKENS), strict=True):
            part = part.to(self._weight.device).float()
            total = torch.full((len(part),), -torch.inf, device=part.device)
            for start in range(0, len(self._weight), _VOCABULARY):
                rows = slice(start, start + _VOCABULARY)
                logits = self._logits(part, self._weight[rows], None if self._bias is None else self._bias[rows])
                total = torch.logaddexp(total, logits.logsumexp(dim=-1))
            single = (part * self._weight[own].float()).sum(dim=-1)
            single = single if self._bias is None else single + self._bias[own].float()
            found.append(self._finished(single) - total)
        return torch.cat(found)

    def _logits(self, states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        import torch

        states = states.to(weight.device).float()
        return self._finished(
            torch.nn.functional.linear(states, weight.float(), None if bias is None else bias.float())
        )

    def _finished(self, logits: torch.Tensor) -> torch.Tensor:
        """What some architectures do to logits: Cohere scales them up, Granite down, and Gemma 2 caps them."""
        import torch

        logits = logits * self._factor
        return logits if not self._cap else self._cap * torch.tanh(logits / self._cap)


class CausalNetwork(HiddenStateNetwork):
    """A language model whose hidden states a head reads through the output layer."""

    def __init__(self, model: CausalModel, head: Head, words: tuple[int, int]) -> None:
        super().__init__(model.body, head)
        self._causal = model
        self._words = words

    def library(self, inputs: dict[str, torch.Tensor], row: Row) -> float | None:
        """The log-odds of the two words by the library's own forward pass of one conversation."""
        del row
        first, second = self._causal.library_logits(inputs)[-1, list(self._words)].tolist()
        return float(first - second)
