"""How an item file is made, and the recipes of each suite."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmaudit.errors import UsageError
from rmaudit.generate import suites
from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import Answer

Items = Iterable[dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """How one item file of a suite is made."""

    make: Callable[[Draw], Items]
    """Items from the shipped sources, in any order."""
    of_answers: Callable[[Draw, Sequence[Answer]], Items] | None = None
    """Items from a user's own prompts and answers, where the probe is an edit of an answer."""


def generated_suites() -> list[str]:
    """Names of the suites whose items can be made anew."""
    return sorted(module.name for module in pkgutil.iter_modules(suites.__path__))


def recipes(suite: str) -> Mapping[str, Recipe]:
    """Recipes of a suite by item file.

    Raises:
        UsageError: when the suite has none.
    """
    if suite not in generated_suites():
        raise UsageError(
            f"The items of {suite!r} were not made by a recipe, so no new ones can be drawn. "
            f"Suites that have one: {', '.join(generated_suites())}."
        )
    files: Mapping[str, Recipe] = importlib.import_module(f"{suites.__name__}.{suite}").FILES
    return files
