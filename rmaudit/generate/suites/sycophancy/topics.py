"""Questions with two defensible sides, and the sentences that are made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

from rmaudit.generate.draw import Draw
from rmaudit.generate.suites.sycophancy.base import words
from rmaudit.generate.texts import content_words, n_words, tokens, word_list

SIDES = ("A", "B")


@dataclass(frozen=True)
class Topic:
    """A question: where it applies, its two sides, and a reason for each."""

    domain: str
    context: str
    sides: dict[str, str]
    reasons: dict[str, str]

    @property
    def cluster(self) -> str:
        """Names the question, whichever side is called A."""
        text = " ".join([self.context.removeprefix("for "), *sorted(self.sides.values())])
        return re.sub(r"[^a-z]+", "-", text.lower()).strip("-")

    @property
    def text(self) -> str:
        """All words of the topic."""
        return " ".join([self.domain, self.context, *self.sides.values(), *self.reasons.values()])


def topics(draw: Draw) -> list[Topic]:
    """All questions. Which side is called A is chosen so that both have the same length on average."""
    found, balance = [], 0
    for line in word_list("sycophancy_topics")["topics"].strip().splitlines():
        domain, context, first, second, reason, other_reason = (part.strip() for part in line.split("|"))
        sides = [(first, reason), (second, other_reason)]
        difference = _view_length(first) - _view_length(second)
        # Ties are broken by hash, so that A is not always the side that was written first.
        if difference * balance > 0 or (difference == 0 and draw.rank(line, "side") % 2):
            sides.reverse()
            difference = -difference
        balance += difference
        (a, reason_a), (b, reason_b) = sides
        found.append(Topic(domain, context, {"A": a, "B": b}, {"A": reason_a, "B": reason_b}))
    return sorted(found, key=lambda topic: draw.rank(topic.cluster, "order"))


def _view_length(side: str) -> int:
    return len(view("{side} {is}", side))


def question(draw: Draw, topic: Topic) -> str:
    """The question with both sides; either comes first equally often."""
    frame = draw.pick(words("questions"), topic.cluster, "question")
    first, second = SIDES if draw.rank(topic.cluster, "order") % 2 else reversed(SIDES)
    return str(frame.format(context=topic.context, a=topic.sides[first], b=topic.sides[second]))


def view(frame: str, side: str) -> str:
    """A view that a side is better, in the number of the side."""
    return frame.format(side=side, **{"is": "are" if is_plural(side) else "is"})


def inside(sentence: str) -> str:
    """A sentence as it continues another one."""
    return sentence if re.match(r"I\b", sentence) else sentence[0].lower() + sentence[1:]


def taste(draw: Draw, topic: Topic) -> dict[str, str]:
    """Two things that have nothing to do with the topic, in place of its sides."""
    used = content_words(topic.text)
    pairs = [pair for pair in words("tastes") if not content_words(" ".join(pair)) & used]
    pair = pairs[draw.rank(topic.cluster, "taste") % len(pairs)]
    return dict(zip(SIDES, reversed(pair) if draw.rank(topic.cluster, "taste order") % 2 else pair, strict=True))


def is_plural(side: str) -> bool:
    """Whether a side takes a plural verb."""
    last = side.split()[-1]
    if side in words("plural"):
        return True
    return last.endswith("s") and last not in words("singular") and side.split()[0] not in ("a", "an", "the")


def plural_verb(verb: str) -> str:
    """The plural of a verb in the third person singular (``carries`` gives ``carry``)."""
    if verb in ("does", "goes"):
        return verb[:2]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if re.search(r"(ch|sh|ss|x|zz)es$", verb):
        return verb[:-2]
    return verb[:-1]


def reason(topic: Topic, side: str) -> str:
    """The reason for a side as the predicate of its pronoun."""
    verb, rest = topic.reasons[side].split(" ", 1)
    return f"{plural_verb(verb) if is_plural(topic.sides[side]) else verb} {rest}"


def pronoun(topic: Topic, side: str) -> str:
    """What stands for a side."""
    return "they" if is_plural(topic.sides[side]) else "it"


def answers(draw: Draw, topic: Topic, core: str, drift: int, salt: str) -> dict[str, str]:
    """An answer for either side, with the same number of words and (within one) of characters.

    Args:
        draw: the choices of a seed.
        topic: the question.
        core: frame of both answers.
        drift: surplus of characters of A over all earlier items; it is worked off.
        salt: tells answers to the same question apart.
    """
    named = set(tokens(" ".join(topic.sides.values())))
    openers = [opener for opener in words("openers") if not named & content_words(opener)]
    frames = list(product(openers, words("connectors")))
    made = {side: [_answer(topic, side, core, *frame) for frame in frames] for side in SIDES}
    offset = draw.rank(topic.cluster, f"opener{salt}")

    def badness(pair: tuple[int, ...]) -> tuple[int, int, int]:
        first, second = pair
        a, b = made["A"][first], made["B"][second]
        gap = len(a) - len(b)
        return (
            abs(n_words(a) - n_words(b)),
            abs(gap + drift) if abs(gap) <= 1 else 10 + abs(gap),
            (first + offset) % len(frames) * len(frames) + (second + offset) % len(frames),
        )

    best = min(product(range(len(frames)), repeat=2), key=badness)
    return {side: made[side][index] for side, index in zip(SIDES, best, strict=True)}


def _answer(topic: Topic, side: str, core: str, opener: str, connector: str) -> str:
    return core.format(
        opener=opener,
        connector=connector,
        side=topic.sides[side],
        it=pronoun(topic, side),
        reason=reason(topic, side),
        **{"is": "are" if is_plural(topic.sides[side]) else "is"},
    )
