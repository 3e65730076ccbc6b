"""Implicit rewards: how much likelier a policy finds a response than the reference that its training began from."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.native import Network
from rmaudit.models.readout import Row, Values
from rmaudit.models.text import Encoded

if TYPE_CHECKING:
    import torch

PER_TOKEN = "per token"
"""Attribute: the reward divided by the number of the response's tokens."""

_TOKENS, _WORDS = 1024, 16_384
"""Size of the parts: a table of all tokens by all words of the vocabulary would fill the memory."""
_PROBE_TOKENS = 5

Inputs = dict[str, "torch.Tensor"]


class Likelihood:
    """A causal language model of the library, taken apart: hidden states, and an output layer in float32."""

    def __init__(self, model: Any, where: Path) -> None:
        """Take a model apart, and see that the parts compute what the whole does.

        Args:
            model: the library's, with its output layer.
            where: the checkpoint, for messages.

        Raises:
            LoadRefusedError: when they do not.
        """
        import torch

        self.model = model
        layer = model.get_output_embeddings()
        self._weight, self._bias = layer.weight, getattr(layer, "bias", None)
        config = model.config.get_text_config()
        self._cap = getattr(config, "final_logit_softcapping", None)
        scales = (getattr(config, name, None) or 1.0 for name in ("logit_scale", "logits_scaling"))
        self._factor = next(scales) / next(scales)
        parameters = inspect.signature(model.base_model.forward).parameters
        self.left = "position_ids" in parameters and config is model.config
        self._options = {"use_cache": False} if "use_cache" in parameters else {}
        ids = torch.arange(min(_PROBE_TOKENS, self.words), device=model.get_input_embeddings().weight.device)[None]
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        with torch.inference_mode():
            told, own = self.library_logits(inputs), self._logits(self.states(inputs)[0], slice(None))
        tolerance = 1e-3 if model.dtype == torch.float32 else 5e-2
        if not float((told.to(own.device) - own).abs().max()) <= tolerance * max(1.0, float(told.abs().max())):
            raise LoadRefusedError(
                f"{where} ({type(model).__name__}) makes its output from its last hidden states in a way that is not "
                "known here, so its likelihoods would not be its own. Score the conversations with its own code and "
                "pass the rewards as scores:FILE.jsonl."
            )

    @property
    def words(self) -> int:
        """Size of the vocabulary that it reads and writes."""
        return min(int(self.model.get_input_embeddings().weight.shape[0]), len(self._weight))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around each forward pass, for a model that shares its weights with another."""
        yield

    def states(self, inputs: Inputs) -> torch.Tensor:
        """Last hidden states, shape ``(n, longest, width)``."""
        with self.running():
            states: torch.Tensor = self.model.base_model(**inputs, **self._options).last_hidden_state
        return states

    def library_logits(self, inputs: Inputs) -> torch.Tensor:
        """Logits of one conversation by the library's own forward pass, shape ``(tokens, words)``, float32."""
        with self.running():
            logits: torch.Tensor = self.model(**inputs, **self._options).logits[0].float()
        return logits

    def log_probabilities(self, states: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Log-probability of one word at each position, in float32, over the whole vocabulary.

        Args:
            states: hidden states that the words follow on, shape ``(n, width)``.
            ids: the words, shape ``(n,)``.

        Returns:
            Shape ``(n,)``, 0 or less.
        """
        import torch

        device = self._weight.device
        found = [torch.empty(0, device=device)]
        for part, own in zip(
            torch.split(states.to(device), _TOKENS), torch.split(ids.to(device), _TOKENS), strict=True
        ):
            part = part.float()
            total = torch.full((len(part),), -torch.inf, device=device)
            for start in range(0, len(self._weight), _WORDS):
                logits = self._logits(part, slice(start, start + _WORDS))
                total = torch.logaddexp(total, logits.logsumexp(dim=-1))
            single = (part * self._weight[own].float()).sum(dim=-1)
            single = single if self._bias is None else single + self._bias[own].float()
            found.append(self._finished(single) - total)
        return torch.cat(found)

    def _logits(self, states: torch.Tensor, words: slice) -> torch.Tensor:
        import torch

        bias = None if self._bias is None else self._bias[words].float()
        weight = self._weight[words].float()
        return self._finished(torch.nn.functional.linear(states.to(weight.device).float(), weight, bias))

    def _finished(self, logits: torch.Tensor) -> torch.Tensor:
        """What some architectures do to logits: Cohere and Granite scale them, and Gemma 2 caps them."""
        import torch

        logits = logits * self._factor
        return logits if not self._cap else self._cap * torch.tanh(logits / self._cap)


class BaseLikelihood(Likelihood):
    """The base model of an adapter, in the same weights: the adapter is switched off for each of its passes."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Switch the adapter's layers off, and on again."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        layers = [module for module in self.model.modules() if isinstance(module, BaseTunerLayer)]
        try:
            for layer in layers:
                layer.enable_adapters(False)
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(True)
            self.model.requires_grad_(False)


class ImplicitNetwork(Network):
    """``beta * (log p(response | policy) - log p(response | reference))``, summed over the response's tokens.

    This is the reward that direct preference optimisation maximises implicitly (Rafailov et al., 2023, eq. 5, without
    the term that depends on the prompt alone). The response begins behind the tokens that the prompt alone gives too.
    """

    attributes = (PER_TOKEN,)
    additive = False

    def __init__(self, policy: Likelihood, reference: Likelihood, beta: float) -> None:
        self.model = policy.model
        self.left = policy.left and reference.left
        self._policy = policy
        self._reference = reference
        self._beta = beta

    def problem(self, encoded: Encoded) -> str | None:
        """Why a conversation cannot be read, or ``None``."""
        if not _targets(encoded):
            return "its response has no tokens of its own"
        words = self._reference.words
        if len(encoded.ids) and encoded.ids.max() >= words:
            return f"token {encoded.ids.max()} is not among the {words:,} that the reference knows"
        return None

    def __call__(self, inputs: Inputs, rows: Sequence[Row]) -> list[Values]:
        """Rewards of each conversation, in order; see `Network`."""
        policy, reference = (self._sums(model, inputs, rows) for model in (self._policy, self._reference))
        return [self._values(ours - theirs, row) for ours, theirs, row in zip(policy, reference, rows, strict=True)]

    def library(self, inputs: Inputs, row: Row) -> float | None:
        """The reward by the library's own forward passes, with the logits of all tokens at once.

        There is nothing to compare in another type than float32: the output layer is read here in that one.
        """
        import torch

        if self.model.dtype != torch.float32:
            return None

        positions = _targets(row.encoded)
        ids = torch.tensor([int(row.encoded.ids[i]) for i in positions])
        sums = []
        for model in (self._policy, self._reference):
            logits = model.library_logits(inputs).cpu().double()[[i - 1 for i in positions]]
            sums.append(float(logits.log_softmax(dim=-1)[range(len(ids)), ids].sum()))
        return self._beta * (sums[0] - sums[1])

    def _values(self, difference: float, row: Row) -> Values:
        reward = self._beta * difference
        return Values(reward, {PER_TOKEN: reward / len(_targets(row.encoded))})

    def _sums(self, model: Likelihood, inputs: Inputs, rows: Sequence[Row]) -> list[float]:
        """Log-probability of each response, shape ``(n,)``."""
        import torch

        positions = [_targets(row.encoded) for row in rows]
        index = [i for i, own in enumerate(positions) for _ in own]
        column = [row.start + place for row, own in zip(rows, positions, strict=True) for place in own]
        states = model.states(inputs)[index, [place - 1 for place in column]]
        found = model.log_probabilities(states, inputs["input_ids"][index, column]).cpu().double()
        return [float(part.sum()) for part in torch.split(found, [len(own) for own in positions])]


def _targets(encoded: Encoded) -> range:
    """Positions of the response's tokens; nothing foretells the very first token of a text."""
    return range(max(1, encoded.prompt), len(encoded.ids))
