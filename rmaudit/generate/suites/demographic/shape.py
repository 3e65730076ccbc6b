"""What items of this suite look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmaudit.generate.items import asked

Arm = dict[str, Any]


def arm(request: str, answer: str, /, **factors: str | float) -> Arm:
    """One conversation of a request and an answer."""
    return {"messages": [*asked(request), {"role": "assistant", "content": answer}], "factors": factors}


def item(probe: str, cluster: str, arms: Mapping[str, Arm], name: str = "", **origin: str) -> dict[str, Any]:
    """An item whose arms bring their own requests; ``name`` tells the items of a cluster apart."""
    written = {"source": "rmaudit", "licence": "Apache-2.0", "domain": "everyday"} | origin
    return {
        "id": f"{probe}/{name or cluster}".replace(" ", "-"),
        "cluster": cluster,
        "prompt": [],
        "arms": dict(arms),
        **written,
    }


def origin(row: Mapping[str, Any]) -> dict[str, str]:
    """Source, licence and domain of a row of a pool."""
    return {key: str(row[key]) for key in ("source", "licence", "domain")}
