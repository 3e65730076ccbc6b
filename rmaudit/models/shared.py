"""Forward passes of causal decoders in which a beginning that several conversations share is computed once.

All tokens of a packed tree go through the network as one row, each at its own position, so that there is no padding
either. Only attention looks at other tokens; see `rmaudit.models.attention`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rmaudit.models.attention import AlongTree, attending, last_layer, narrowed
from rmaudit.models.tree import Ids, Tree, pack

if TYPE_CHECKING:
    import torch

_TOLERANCE = {"float32": 2e-5, "float64": 2e-5}
"""Largest difference of a hidden state from that of the plain path, relative to the largest of the states."""
_COARSE = 5e-2
"""The same for the other number types, which round each sum."""
_SAMPLE = 24
"""Tokens of the longest text on which a model is tried."""


class SharedPass:
    """Runs a bare causal decoder of the library on packed trees."""

    def __init__(self, model: Any) -> None:
        """Take a model for which `possible` holds.

        Args:
            model: the library's, without a head.
        """
        self._model = model
        self._options = {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
        self.longest = _window(model.config)
        """Most tokens of a conversation that sees all of its past, or ``None`` where every one does."""
        self.last = last_layer(model)
        """The layer behind which nothing looks at other tokens; ``None`` where it is unknown or must not be cut."""

    @staticmethod
    def possible(model: Any) -> bool:
        """Whether a model is of a kind that may be run on trees; whether it gives the same then is to be tried."""
        config = model.config
        rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
        kinds = set(getattr(config, "layer_types", None) or ())
        return (
            config.get_text_config() is config
            and not config.is_encoder_decoder
            and "position_ids" in inspect.signature(model.forward).parameters
            and getattr(config, "_attn_implementation", None) in ("sdpa", "eager")
            and kinds <= {"full_attention", "sliding_attention"}
            # These turn by angles that depend on the longest text of a pass.
            and not any(kind in str(rope) for kind in ("dynamic", "longrope"))
        )

    def __call__(self, tree: Tree) -> torch.Tensor:
        """Last hidden states of conversations.

        Args:
            tree: their tokens.

        Returns:
            Shape ``(n, longest, width)``; what stands behind a conversation's end is arbitrary.
        """
        import torch

        with attending(self._model, AlongTree(tree, self._model)):
            states = self._states(tree)
        index = np.zeros((len(tree.index), max(map(len, tree.index))), dtype=np.int64)
        for row, own in zip(index, tree.index, strict=True):
            row[: len(own)] = own
        gathered: torch.Tensor = states[torch.from_numpy(index).to(states.device)]
        return gathered

    def at(self, tree: Tree, wanted: Sequence[Sequence[int]]) -> torch.Tensor:
        """Last hidden states at some positions, for which the last layer computes no others.

        Args:
            tree: the tokens of the conversations.
            wanted: positions of each conversation, counted from 0.

        Returns:
            Those of each conversation, one after the other, shape ``(sum of counts, width)``.
        """
        import torch

        places = np.concatenate([own[list(told)] for own, told in zip(tree.index, wanted, strict=True)])
        few, back = np.unique(places, return_inverse=True)
        way = AlongTree(tree, self._model)
        with attending(self._model, way):
            if self.last is None or 2 * len(few) > tree.size:
                return self._states(tree)[torch.from_numpy(places)]
            with narrowed(self.last, way, few):
                return self._states(tree)[torch.from_numpy(back)]

    def _states(self, tree: Tree) -> torch.Tensor:
        """Last hidden states, shape ``(size, width)``, or fewer where the last layer is narrowed."""
        import torch

        device = self._model.get_input_embeddings().weight.device
        inputs = {
            "input_ids": torch.from_numpy(tree.ids.astype(np.int64))[None].to(device),
            "position_ids": torch.from_numpy(tree.positions)[None].to(device),
        }
        states: torch.Tensor = self._model(**inputs, **self._options).last_hidden_state[0]
        return states


@dataclass(frozen=True)
class Ways:
    """In which ways a bare model gives the states that it gives to padded and masked conversations."""

    shared: SharedPass | None = None
    """Trees, where it does so with them."""
    unmasked: bool = False
    """Whether no mask is needed with padding on the right, since no token sees a later one."""
    note: str | None = None
    """Why there are no trees although no token sees a later one."""


def find_ways(
    model: Any, plain: Callable[[dict[str, torch.Tensor]], torch.Tensor], ids: Ids, dtype: str | None
) -> Ways:
    """Try on a few short texts in which ways a model may be run.

    Args:
        model: the library's, without a head.
        plain: its last hidden states for the inputs that the library takes.
        ids: tokens of any text.
        dtype: its number type.
    """
    import torch

    if model.config.is_encoder_decoder:
        return Ways()
    texts = _samples(ids)
    device = model.get_input_embeddings().weight.device
    longest = max(map(len, texts))
    filled = torch.from_numpy(np.stack([np.resize(text, longest) for text in texts]).astype(np.int64)).to(device)
    mask = torch.tensor([[int(i < len(text)) for i in range(longest)] for text in texts], device=device)
    wanted = plain({"input_ids": filled, "attention_mask": mask})
    limit = _TOLERANCE.get(str(dtype), _COARSE)
    try:
        # The padding is made of words here, so that a token that sees it is off by more than rounding.
        unmasked = _difference(plain({"input_ids": filled}), wanted, texts) <= limit
    except (RuntimeError, ValueError, TypeError):
        unmasked = False
    if not unmasked:
        return Ways()
    if device.type != "cpu":
        return Ways(unmasked=True, note="what a tree costs was measured on CPUs only")
    if not SharedPass.possible(model):
        return Ways(unmasked=True, note="its positions or its attention cannot be told of them")
    shared = SharedPass(model)
    if shared.longest is not None and shared.longest < _SAMPLE:
        return Ways(unmasked=True, note=f"its attention reaches back {shared.longest} tokens only")
    try:
        off = _difference(shared(pack(texts)), wanted, texts)
    except (RuntimeError, ValueError, TypeError, LookupError) as error:
        return Ways(unmasked=True, note=f"its network failed when it was tried ({type(error).__name__})")
    if off <= limit:
        _try_last_layer(shared, texts, wanted, limit)
        return Ways(shared, unmasked=True)
    return Ways(unmasked=True, note=f"tried, it moved a hidden state by {off:.1g} of the largest")


def _try_last_layer(shared: SharedPass, texts: Sequence[Ids], wanted: torch.Tensor, limit: float) -> None:
    """Let the last layer be computed whole where it does not give the same when it is computed in part."""
    ends = [len(text) - 1 for text in texts]
    try:
        found = shared.at(pack(texts), [(end,) for end in ends])[:, None]
    except (RuntimeError, ValueError, TypeError, LookupError):
        shared.last = None
        return
    alone = wanted[range(len(texts)), ends][:, None]
    if _difference(found, alone, [text[-1:] for text in texts]) > limit:
        shared.last = None


def _samples(ids: Ids) -> list[Ids]:
    """Short token sequences that branch at several depths, made of the tokens of a text."""
    ids = np.resize(ids, _SAMPLE)
    turned = ids[::-1]
    # Arms that part at two depths; one that is the beginning of another; one that stands apart.
    arms = (ids, np.append(ids[:12], turned[:5]), np.concatenate([ids[:16], turned[3:10]]), ids[:14], turned[:9])
    return [arm.astype(np.int32) for arm in arms]


def _difference(states: torch.Tensor, plain: torch.Tensor, sequences: Sequence[Ids]) -> float:
    """Largest difference of hidden states, relative to the largest of them; infinite where one is no number."""
    worst = largest = 0.0
    for own, wanted, ids in zip(states, plain, sequences, strict=True):
        own, wanted = own[: len(ids)].float(), wanted[: len(ids)].float()
        off = float((own - wanted).abs().max())
        worst = max(worst, off if off == off else float("inf"))
        largest = max(largest, float(wanted.abs().max()))
    return worst / largest if largest else worst


def _window(config: Any) -> int | None:
    """Tokens that a sliding window or a chunk holds; conversations up to that length see all of their past."""
    sizes = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((int(size) for size in sizes if size), default=None)
