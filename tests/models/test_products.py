"""Products by oneDNN are those of torch up to rounding, and only plain float32 on a CPU is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from rmaudit.models import products
from rmaudit.models.products import FastProducts


@contextmanager
def calls() -> Iterator[list[str]]:
    """Names of the functions that reach torch in the end."""
    seen: list[str] = []

    class Record(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with Record():
        yield seen


def fast(seen: list[str]) -> bool:
    return any("_linear_pointwise" in name for name in seen)


@pytest.mark.skipif(not products._AVAILABLE, reason="this torch was built without oneDNN")
@pytest.mark.parametrize("shape", [(40, 64), (2, 20, 64), (1, 300, 64)])
@pytest.mark.parametrize("biased", [False, True])
def test_products_are_those_of_torch(shape: tuple[int, ...], biased: bool) -> None:
    torch.manual_seed(0)
    states, weight, bias = torch.randn(shape), torch.randn(48, 64), torch.randn(48) if biased else None
    wanted = linear(states.double(), weight.double(), None if bias is None else bias.double())
    with torch.no_grad(), FastProducts(), calls() as seen:
        found = linear(states, weight, bias)
    assert fast(seen)
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max()) < 1e-4


@pytest.mark.parametrize(
    ("states", "weight"),
    [
        (torch.ones(40, 64).bfloat16(), torch.ones(48, 64).bfloat16()),
        (torch.ones(40, 64).double(), torch.ones(48, 64).double()),
        (torch.ones(40, 64), torch.ones(1, 64)),
        (torch.ones(1, 64), torch.ones(48, 64)),
        (torch.ones(0, 64), torch.ones(48, 64)),
    ],
    ids=["bfloat16", "float64", "a head", "one token", "no token"],
)
def test_other_products_are_left_alone(states: torch.Tensor, weight: torch.Tensor) -> None:
    with torch.no_grad(), FastProducts(), calls() as seen:
        found = linear(states, weight)
    assert not fast(seen)
    assert torch.equal(found, linear(states, weight))


def test_gradients_are_not_lost() -> None:
    weight = torch.ones(48, 64, requires_grad=True)
    with FastProducts():
        linear(torch.ones(40, 64), weight).sum().backward()
    assert weight.grad is not None


def test_other_modes_still_see_the_rest() -> None:
    class Count(TorchFunctionMode):
        seen = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            self.seen += 1
            return func(*args, **(kwargs or {}))

    with Count() as count, FastProducts():
        torch.ones(3).add(1)
    assert count.seen
