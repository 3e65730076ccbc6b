"""The model card that lies beside a checkpoint: only the front matter, only what a disclosure can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

KEYS = ("base_model", "datasets", "license")
_LARGEST = 1_000_000


def read_card(folder: Path) -> dict[str, list[str]]:
    """Base model, datasets and licence as the card's front matter declares them; empty where there is none.

    A card is free text by strangers: whatever is not plain text under a known key is left out.
    """
    path = folder / "README.md"
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            return {}
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        return {}
    try:
        front = yaml.safe_load(text[4:].split("\n---", 1)[0])
    except yaml.YAMLError:
        return {}
    return {key: told for key in KEYS if (told := _texts(front.get(key)))} if isinstance(front, dict) else {}


def _texts(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [entry[:200] for entry in entries if isinstance(entry, str)][:20]
