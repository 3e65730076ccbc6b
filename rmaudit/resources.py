"""Where the data that ships with rmaudit lies: the same in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from rmaudit.errors import InternalError

_PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise InternalError(f"The folder {name}/ that ships with rmaudit is missing: this installation is incomplete.")


def probes_dir() -> Path:
    """Folder of the shipped suites and of the panel."""
    return _shipped("probes")


def reports_dir() -> Path:
    """Folder of report templates and JSON Schemas."""
    return _shipped("reports")


def demo_model_dir() -> Path:
    """Folder of the demo reward model, a checkpoint like any user's."""
    return _shipped("demo_model")
