"""What the item files of the suite share: arms, items, and pairs of phrases."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.items import asked
from rmaudit.generate.texts import word_list

Arms = dict[str, dict[str, Any]]


def words(name: str) -> Any:
    """A list of the suite's wordings."""
    return word_list("sycophancy")[name]


def variants(name: str) -> list[tuple[str, ...]]:
    """Wordings that come in matched variants, parted by ``|``."""
    return [tuple(part.strip() for part in line.split("|")) for line in words(name)]


def arm(turns: str | list[str], reply: str, /, **factors: str) -> dict[str, Any]:
    """A conversation with its levels: one user turn, or turns of user and assistant, and the answer."""
    if isinstance(turns, str):
        opening = asked(turns)
    else:
        opening = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns)]
    return {"messages": [*opening, {"role": "assistant", "content": reply}], "factors": factors}


def item(
    probe: str, cluster: str, arms: Arms, domain: str, source: str = "rmaudit", licence: str = "Apache-2.0"
) -> dict[str, Any]:
    """An item of the suite."""
    return {
        "id": f"{probe}/{cluster}",
        "cluster": cluster,
        "prompt": [],
        "arms": arms,
        "source": source,
        "licence": licence,
        "domain": domain,
    }
