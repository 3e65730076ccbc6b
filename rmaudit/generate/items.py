"""The contents of item files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.suites.spec import Item


def asked(question: str) -> list[dict[str, str]]:
    """A conversation's opening: one user turn."""
    return [{"role": "user", "content": question}]


SHIPPED_DRAW = Draw()


def item_file(items: Iterable[dict[str, Any]], draw: Draw = SHIPPED_DRAW) -> bytes:
    """Contents of an item file: checked against the probe format, shuffled by cluster, one item a line.

    Raises:
        ValueError: when an item is malformed, or two share an id.
    """
    ordered = draw.shuffled(items)
    ids = [Item.model_validate(item).id for item in ordered]
    if len(set(ids)) != len(ids):
        raise ValueError("ids of items must differ")
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in ordered).encode("utf-8")
