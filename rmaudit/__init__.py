"""rmaudit: audits of reward models, with the proof that the instrument works.

import rmaudit

report = rmaudit.scan("path/to/checkpoint")
report.findings.to_frame()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["EngineOptions", "LoadOptions", "Report", "RmauditError", "__version__", "load", "scan", "verify"]

if TYPE_CHECKING:
    from rmaudit.audit import scan, verify
    from rmaudit.errors import RmauditError
    from rmaudit.models.interface import RewardModel
    from rmaudit.models.options import LoadOptions
    from rmaudit.reporting.report import Report
    from rmaudit.scoring.engine import EngineOptions


def load(source: str, **options: Any) -> RewardModel:
    """Load a reward model.

    Args:
        source: `demo`, a checkpoint folder, a hub id, ``python:FILE.py:NAME``, ``scores:FILE.jsonl``
            or the address of a served model.
        options: fields of `LoadOptions`, such as ``device`` or ``max_length``.

    Raises:
        LoadRefusedError: when its scores could not be trusted.
    """
    from rmaudit.models.load import load as load_model
    from rmaudit.models.options import LoadOptions

    return load_model(source, LoadOptions(**options))


def __getattr__(name: str) -> Any:
    """Import the heavier names on first use, so that ``import rmaudit`` stays fast."""
    homes = {
        "EngineOptions": "rmaudit.scoring.engine",
        "LoadOptions": "rmaudit.models.options",
        "Report": "rmaudit.reporting.report",
        "RmauditError": "rmaudit.errors",
        "scan": "rmaudit.audit",
        "verify": "rmaudit.audit",
    }
    if name not in homes:
        raise AttributeError(f"module 'rmaudit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(homes[name]), name)
