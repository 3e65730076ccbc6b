"""One file a format. Adding one here, or by the entry point group ``rmaudit.families``, is all that a format needs."""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from functools import cache

from rmaudit.errors import UsageError
from rmaudit.models.family import Family

GROUP = "rmaudit.families"
"""Entry points of other packages; each names a `Family`."""


@cache
def families() -> tuple[Family, ...]:
    """Every format that can be loaded: those of this package by name of file, then those of other packages.

    Raises:
        UsageError: when another package's entry point is no format, or takes a name that is taken.
    """
    found: dict[str, Family] = {}
    for module in sorted(entry.name for entry in pkgutil.iter_modules(__path__) if not entry.name.startswith("_")):
        loaded = importlib.import_module(f"{__name__}.{module}")
        for family in getattr(loaded, "FAMILIES", None) or (loaded.FAMILY,):
            found[family.format] = family
    for entry in importlib.metadata.entry_points(group=GROUP):
        family = _third_party(entry)
        if family.format in found:
            raise UsageError(f"The package {_package(entry)} brings the format {family.format}, a name that is taken.")
        found[family.format] = family
    return tuple(found.values())


def _third_party(entry: importlib.metadata.EntryPoint) -> Family:
    try:
        family = entry.load()
    except (Exception, SystemExit) as error:  # nothing that another package does may end this program
        raise UsageError(
            f"The format {entry.name} of the package {_package(entry)} could not be imported "
            f"({type(error).__name__}: {error}). Upgrade or uninstall that package."
        ) from error
    if not isinstance(family, Family):
        raise UsageError(
            f"The entry point {entry.name} of the package {_package(entry)} is {type(family).__name__} and no Family. "
            "Upgrade or uninstall that package."
        )
    return family


def _package(entry: importlib.metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
