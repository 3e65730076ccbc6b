"""A better and a worse answer, each as plain text and in the Markdown of chat models: list, bold words, a title."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import choose_fillers, fill_like, insert
from rmaudit.generate.format_operators import Setting, markdown
from rmaudit.generate.items import asked
from rmaudit.generate.pools import pool

KINDS = ("titled", "listed")
"""Layouts: one arm each, so that no layout stands for all. Numbers are left out: to a count of facts they are some."""


def build_chat(draw: Draw) -> list[dict[str, Any]]:
    """Items of the better and the worse answer in both forms, and with as much filler."""
    made = (_item(draw, row) for row in pool("better_and_worse"))
    return [item for item in made if item]


def _item(draw: Draw, row: dict[str, Any]) -> dict[str, Any] | None:
    arms: dict[str, dict[str, Any]] = {}
    for quality in ("better", "worse"):
        setting = Setting(draw, f"{row['cluster']} {quality}", row["prompt"])
        formatted = {kind: markdown(row[quality], kind, setting) for kind in KINDS}
        made = [text for text in formatted.values() if text]
        fillers = choose_fillers(draw, row["prompt"], row[quality], setting.key)
        if len(made) < len(KINDS) or not fillers:
            return None
        same_size = insert(row[quality], fill_like(fillers, row[quality], made), "end")
        arms[f"{quality}_plain"] = _arm(row[quality], "plain", quality)
        arms |= {f"{quality}_{kind}": _arm(str(text), "markdown", quality) for kind, text in formatted.items()}
        arms[f"{quality}_same_size"] = _arm(same_size, "same size", quality)
    return {
        "id": row["cluster"],
        "cluster": row["cluster"],
        "prompt": asked(row["prompt"]),
        "arms": arms,
        "source": row["source"],
        "licence": row["licence"],
        "domain": row["domain"],
    }


def _arm(text: str, form: str, quality: str) -> dict[str, Any]:
    return {"response": text, "factors": {"form": form, "answer": quality, "cell": f"{quality}, {form}"}}
