"""Attention along a packed tree, and in the last layer only from the tokens whose states are read.

The library calls the function registered here for the attention of each layer. It takes the tree apart into pieces and
hands each to the kernel that the model uses anyway.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rmaudit.models.tree import Piece, Places, Tree

if TYPE_CHECKING:
    import torch

_KERNEL = "rmaudit_shared"
"""Name under which the library finds the attention function. It makes no mask for a name that it does not know."""

Attend = Callable[..., "torch.Tensor"]
"""From layer, queries, keys, values and the library's options to the states that the layer goes on with. Queries, keys
and values have shape ``(1, heads, tokens, width)``, the result ``(1, queries, heads, width)``."""

_attend_now: ContextVar[Attend] = ContextVar("attend_now")


class _Collected(Exception):
    """Ends a layer's computation where its keys and values are known."""

    def __init__(self, key: torch.Tensor, value: torch.Tensor) -> None:
        super().__init__()
        self.key, self.value = key, value


@dataclass(frozen=True)
class _Call:
    """A piece, ready for the kernel."""

    piece: Piece
    ranges: tuple[tuple[int, int], ...]
    mask: torch.Tensor | None

    def keys(self, every: torch.Tensor) -> torch.Tensor:
        """The keys or values of the piece from those of the whole packing."""
        import torch

        parts = [every[:, :, start:stop] for start, stop in self.ranges]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


class AlongTree:
    """Attention of all tokens of a tree, or of some, each to its own path."""

    def __init__(self, tree: Tree, model: Any) -> None:
        """Prepare it.

        Args:
            tree: the tokens.
            model: the library's; tells kernel, number type and device.
        """
        self._tree, self._model = tree, model
        self._eager = model.config._attn_implementation == "eager"
        """Whether the layer's own arithmetic is used and not a kernel, as with attention scores that are capped."""
        self._calls = tuple(map(self._call, tree.pieces))

    def __call__(self, module: Any, query: Any, key: Any, value: Any, **options: Any) -> torch.Tensor:
        """Attention of all tokens; see `Attend`."""
        import torch

        parts = []
        for call in self._calls:
            own = query[:, :, call.piece.start : call.piece.stop]
            parts.append(self._kernel(module, own, call.keys(key), call.keys(value), call.mask, options))
        return torch.cat(parts, dim=1)

    def of(self, places: Places, key: torch.Tensor, value: torch.Tensor) -> Attend:
        """Attention of some tokens to keys and values of all, which stand in place of the layer's own."""
        mask = self._mask(self._tree.seen_from(places))

        def attend(module: Any, query: Any, own_key: Any, own_value: Any, **options: Any) -> torch.Tensor:
            del own_key, own_value
            return self._kernel(module, query, key, value, mask, options)

        return attend

    def _call(self, piece: Piece) -> _Call:
        ranges = [*piece.before, (piece.start, piece.stop)]
        if piece.before and piece.before[-1][1] == piece.start:
            ranges[-2:] = [(piece.before[-1][0], piece.stop)]
        mask = self._mask(self._tree.sees(piece)) if self._eager or not piece.plain else None
        return _Call(piece, tuple(ranges), mask)

    def _mask(self, seen: Any) -> torch.Tensor:
        """What is added to the products of queries and keys, of which `seen` says which count."""
        import torch

        unseen = torch.from_numpy(~seen).to(self._model.device)
        mask = torch.zeros(unseen.shape, dtype=self._model.dtype, device=self._model.device)
        return mask.masked_fill_(unseen, torch.finfo(self._model.dtype).min)[None, None]

    def _kernel(self, module: Any, query: Any, key: Any, value: Any, mask: Any, options: Any) -> torch.Tensor:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        # Beside each architecture the library has its own attention, with what is special about it.
        of_library = vars(sys.modules[type(module).__module__])
        kernel: Any = of_library["eager_attention_forward"] if self._eager else sdpa_attention_forward
        mask = None if mask is None else mask.to(query.device)
        attended: torch.Tensor = kernel(module, query, key, value, mask, **options)[0]
        return attended


@contextmanager
def attending(model: Any, attend: Attend) -> Iterator[None]:
    """Let a model of the library attend in another way."""
    from transformers import AttentionInterface

    AttentionInterface.register(_KERNEL, _attend)
    kernel = model.config._attn_implementation
    token = _attend_now.set(attend)
    model.config._attn_implementation = _KERNEL
    try:
        yield
    finally:
        model.config._attn_implementation = kernel
        _attend_now.reset(token)


def last_layer(model: Any) -> Any | None:
    """The last of a decoder's layers, where the library keeps them in the usual place."""
    layers = getattr(model, "layers", None)
    count = getattr(model.config, "num_hidden_layers", None)
    return layers[-1] if layers is not None and count is not None and len(layers) == count else None


@contextmanager
def narrowed(layer: Any, way: AlongTree, places: Places) -> Iterator[None]:
    """Let the last layer compute only the tokens at some places of the packing, from keys and values of all.

    What it is called with is first used to compute these keys and values, then cut down to the places.
    """
    import torch

    few = torch.from_numpy(places)

    def cut(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(cut, value))
        return value[:, few.to(value.device)] if isinstance(value, torch.Tensor) else value

    def before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        token = _attend_now.set(_collect)
        try:
            module.forward(*args, **kwargs)
        except _Collected as collected:
            keys, values = collected.key, collected.value
        else:
            raise LookupError("the last layer has no attention")
        finally:
            _attend_now.reset(token)
        _attend_now.set(way.of(places, keys, values))  # until the pass ends
        return cut(args), {name: cut(value) for name, value in kwargs.items()}

    hook = layer.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def _collect(module: Any, query: Any, key: torch.Tensor, value: torch.Tensor, **options: Any) -> torch.Tensor:
    del module, query, options
    raise _Collected(key, value)


def _attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: Any, **options: Any
) -> tuple[torch.Tensor, None]:
    """What the library calls; the mask is none, since whoever attends now knows who sees whom."""
    del attention_mask
    return _attend_now.get()(module, query, key, value, **options), None
