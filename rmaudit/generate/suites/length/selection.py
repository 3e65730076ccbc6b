"""Which good answers are lengthened, and what their items have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import parts_of
from rmaudit.generate.items import asked
from rmaudit.generate.pools import Answer, is_plain, is_taken_apart

LONGEST_PROMPT = 50
"""Words of a prompt."""


def chosen(
    draw: Draw, good: Iterable[Answer], fits: Callable[[Answer], bool], most: Mapping[str, int], salt: str = ""
) -> Iterator[list[Answer]]:
    """Fitting answers by source, one a prompt and in the order of the draw, the first so many of each source."""
    by_source: dict[str, dict[str, Answer]] = {}
    for answer in good:
        if texts.n_words(answer.prompt) <= LONGEST_PROMPT and _is_prose(answer) and fits(answer):
            by_source.setdefault(answer.source, {}).setdefault(answer.cluster, answer)
    for source, found in by_source.items():
        ordered = sorted(found.values(), key=lambda answer: draw.rank(answer.cluster, salt))
        yield ordered[: most.get(source, len(ordered))]


def _is_prose(answer: Answer) -> bool:
    """Whether an answer is prose or worked steps, no list or dialogue, and does not repeat itself or break off."""
    plain = is_plain(answer.response) if answer.source != "gsm8k" else "\n\n" not in answer.response
    parts = parts_of(answer.response)
    broken = answer.source != "gsm8k" and is_taken_apart(parts)
    repeats = len(set(parts)) < len(parts)
    return plain and not broken and not repeats and all(re.match(r"[A-Za-z0-9$(\"']", part) for part in parts)


def has_parts(text: str, fewest: int) -> bool:
    """Whether a text has so many sentences, or lines, and no paragraphs."""
    return "\n\n" not in text and len(parts_of(text)) >= fewest


def item(answer: Answer, kind: str, arms: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """An item made from an answer; `kind` tells its id from those of other files."""
    return {
        "id": f"{answer.cluster}-{kind}" if kind else answer.cluster,
        "cluster": answer.cluster,
        "prompt": asked(answer.prompt),
        "arms": arms,
        "source": answer.source,
        "licence": answer.licence,
        "domain": answer.domain,
    }


def arm(text: str, **factors: str | float) -> dict[str, Any]:
    """One arm of an item."""
    return {"response": text, "factors": factors}
