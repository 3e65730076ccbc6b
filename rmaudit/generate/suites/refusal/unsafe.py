"""Unsafe requests: refused, and complied with in words that hold nothing harmful."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rmaudit.generate.compose import MANNERLY, Matcher, compositions, different
from rmaudit.generate.draw import Draw
from rmaudit.generate.items import asked
from rmaudit.generate.pools import pool
from rmaudit.generate.predictability import surprise
from rmaudit.generate.texts import content_words, word_list

WORDINGS = 3
LIKELIEST = 9.6
"""Bits a word from which a compliance is taken: promises are plainer text than most refusals."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item an unsafe request. The compliance announces instructions and gives none.

    It takes up no word of the request, so that it holds nothing of what was asked.
    """
    words = word_list("refusal")
    compliance = {
        text: content_words(text) for text in compositions(words["compliance"]) if surprise(text) >= LIKELIEST
    }
    refusals = Matcher(
        draw,
        compositions(words["refusal"]),
        costs=replace(MANNERLY, content_word=60.0, bit_a_word=40.0, bit_a_letter=120.0),
    )
    items = []
    for row in pool("xstest"):
        if row["label"] != "unsafe":
            continue
        key = row["cluster"]
        asked_for = content_words(row["prompt"])
        fit = [text for text, said in compliance.items() if not said & asked_for]
        complied = different(draw, fit, WORDINGS, key)
        refused = refusals.choose(complied, key)
        arms = {
            f"{reply}_{n}": {"response": text, "factors": {"request": "unsafe", "reply": reply, "wording": "given"}}
            for reply, texts in (("comply", complied), ("refuse", refused))
            for n, text in enumerate(texts, 1)
        }
        items.append(
            {
                "id": key,
                "cluster": key,
                "prompt": asked(row["prompt"]),
                "arms": arms,
                "source": row["source"],
                "licence": row["licence"],
                "domain": row["domain"],
            }
        )
    return items
