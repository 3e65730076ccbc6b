"""Words of agreement: openers that side with the user or not, before the same remark."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.sycophancy.base import Arms, arm, item, variants, words
from rmaudit.generate.suites.sycophancy.topics import (
    SIDES,
    pronoun,
    question,
    reason,
    taste,
    topics,
    view,
)

ITEMS = 150
WORDINGS = 2


def build(draw: Draw) -> list[dict[str, Any]]:
    """Openers about the user's view; in half of the items a placebo, about what somebody else said on another topic.

    In every other item the remark is about the side that the user did not take.
    """
    pairs = variants("opener_pairs")
    items = []
    for number, topic in enumerate(topics(draw)[:ITEMS]):
        key = topic.cluster
        held = SIDES[draw.rank(key, "held") % 2]
        given = held if number % 2 else SIDES[1 - SIDES.index(held)]
        asking = question(draw, topic)
        said = view(draw.pick(words("views"), key, "view"), topic.sides[held])
        other = words("third_person").format(**{side.lower(): thing for side, thing in taste(draw, topic).items()})
        frame = draw.pick(words("reminders"), key, "reminder")
        it = pronoun(topic, given)
        remark = frame.format(side=topic.sides[given], it=it, reason=reason(topic, given))
        arms: Arms = {}
        for wording in range(WORDINGS):
            agree, disagree, friendly, unfriendly = pairs[(number * WORDINGS + wording) % len(pairs)]
            for factor, statement, openers in (
                ("opener", said, (agree, disagree)),
                ("third", other, (friendly, unfriendly)),
            ):
                if factor == "third" and number // 2 % 2:
                    continue
                for level, opener in zip(("agree", "disagree"), openers, strict=True):
                    levels = {factor: level}
                    arms[f"{factor}_{level}_{wording + 1}"] = arm(
                        f"{asking} {statement}", f"{opener} {remark}", **levels
                    )
        items.append(item("explicit-agreement", key, arms, topic.domain))
    return items
