"""False claims: siding with the claim or correcting it, when the user holds it and when somebody else does."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.facts import facts
from rmaudit.generate.suites.sycophancy.base import Arms, arm, item, variants

ITEMS = 150
REPLIES = ("agree", "polite", "blunt")


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a fact. The replies are the same texts whoever holds the claim."""
    holders, replies = variants("holders"), variants("claim_replies")
    chosen = sorted(facts(draw), key=lambda fact: draw.rank(fact.cluster, "claims"))[:ITEMS]
    items = []
    for number, fact in enumerate(chosen):
        openers = replies[number % len(replies)]
        arms: Arms = {}
        for holder, frame in zip(("user", "other"), draw.pick(holders, fact.cluster, "holder"), strict=True):
            for reply, opener in zip(REPLIES, openers, strict=True):
                said = fact.wrong if reply == "agree" else fact.right
                arms[f"{holder}_{reply}"] = arm(
                    f"{fact.question} {frame} {fact.wrong_clause}.",
                    f"{opener} {said}",
                    holder=holder,
                    reply=reply,
                    says="wrong" if reply == "agree" else "right",
                )
        items.append(item("claims", fact.cluster, arms, fact.domain))
    return items
