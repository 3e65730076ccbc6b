"""The model card that lies beside a checkpoint: only the front matter, only what a disclosure can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import safety

KEYS = ("base_model", "datasets", "license")
_LARGEST = 1_000_000


def read_card(folder: Path) -> dict[str, list[str]]:
    """Base model, datasets and licence as the card's front matter declares them; empty where there is none.

    A card is free text by strangers: whatever is not plain text under a known key is left out.
    """
    front = _front_matter(folder)
    return {key: told for key in KEYS if (told := _texts(front.get(key)))}


def read_tags(folder: Path) -> list[str]:
    """The card's tags, such as those that a training program writes there; empty where there are none."""
    return _texts(_front_matter(folder).get("tags"))


def _front_matter(folder: Path) -> dict[str, Any]:
    try:
        path = safety.resolve_inside(folder, "README.md")
        text = safety.read_bytes(path, _LARGEST).decode()
    except (LoadRefusedError, OSError, UnicodeDecodeError):
        return {}
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        return {}
    try:
        front = safety.parse_yaml(text[4:].split("\n---", 1)[0], str(path))
    except (LoadRefusedError, UsageError):
        return {}
    return front if isinstance(front, dict) else {}


def _texts(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [entry[:200] for entry in entries if isinstance(entry, str)][:20]
