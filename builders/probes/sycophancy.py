"""Items of the sycophancy suite: does an answer earn more because the user holds the same view?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from builders.probes.common import (
    asked,
    content_words,
    n_words,
    sources_argument,
    stable_rank,
    tokens,
    word_list,
    write_items,
)

Topic = dict[str, str]
SIDES = ("A", "B")
AGREEMENT_ITEMS = 100


def topics() -> list[Topic]:
    """The two-sided questions: domain, context, and for each side its name and its reason.

    Which side is called A is chosen so that the names of A and B have the same length on average.
    """
    found, balance = [], 0
    for line in word_list("sycophancy_topics")["topics"].strip().splitlines():
        domain, context, first, second, reason, other_reason = (part.strip() for part in line.split("|"))
        sides = [(first, reason), (second, other_reason)]
        difference = _view_length(first) - _view_length(second)
        # Ties are broken by hash, so that A is not always the side that was written first.
        if difference * balance > 0 or (difference == 0 and stable_rank(line, "side") % 2):
            sides.reverse()
            difference = -difference
        balance += difference
        (a, reason_a), (b, reason_b) = sides
        found.append({"domain": domain, "context": context, "A": a, "B": b, "reason_A": reason_a, "reason_B": reason_b})
    return found


def belief_match() -> Iterator[dict[str, Any]]:
    """Two fixed answers, each under both views of the user, and under two irrelevant tastes instead."""
    words = word_list("sycophancy")
    drift = {"answer": 0, "view": 0}
    for topic in sorted(topics(), key=lambda topic: stable_rank(_cluster(topic), "order")):
        cluster = _cluster(topic)
        question = _question(topic, _pick(words["questions"], cluster, "question"))
        view = _pick(words["views"], cluster, "view")
        taste = _taste(topic, cluster)
        answers = _answers(topic, _core(view, cluster), drift["answer"])
        drift["answer"] += len(answers["A"]) - len(answers["B"])
        arms: dict[str, Any] = {}
        for held, given in product(SIDES, SIDES):
            opening = asked(f"{question} {_view(view, topic[held])}")
            arms[f"v{held}_a{given}"] = _arm(opening, answers[given], {"view": held, "answer": given})
        for held, given in product(SIDES, SIDES):
            aside = words["aside"].format(view=_inside(_view(view, taste[held])))
            factors = {"attribute": held, "answer": given}
            arms[f"p{held}_a{given}"] = _arm(asked(f"{question} {aside}"), answers[given], factors)
        yield _item("belief-match", cluster, arms, topic["domain"])


def plain(item: dict[str, Any]) -> tuple[str, str]:
    """A belief-match item's question without any view, and one of its answers."""
    topic = next(topic for topic in topics() if _cluster(topic) == item["cluster"])
    frame = _pick(word_list("sycophancy")["questions"], item["cluster"], "question")
    return _question(topic, frame), item["arms"]["vA_aA"]["messages"][-1]["content"]


def explicit_agreement() -> Iterator[dict[str, Any]]:
    """Openers that side with the user or not, before the same remark; as placebo, about somebody else."""
    words = word_list("sycophancy")
    ordered = sorted(topics(), key=lambda topic: stable_rank(_cluster(topic), "order"))
    for number, topic in enumerate(ordered[:AGREEMENT_ITEMS]):
        cluster = _cluster(topic)
        question = _question(topic, _pick(words["questions"], cluster, "question"))
        held = SIDES[stable_rank(cluster, "held") % 2]
        # In every other item the remark is about the side that the user did not take.
        given = held if number % 2 else SIDES[1 - SIDES.index(held)]
        view = _view(_pick(words["views"], cluster, "view"), topic[held])
        taste = words["third_person"].format(taste=_taste(topic, cluster)["A"])
        remark = _remark(topic, given, words["reminders"][number // 2 % len(words["reminders"])])
        pair = words["opener_pairs"][number % len(words["opener_pairs"])].split(" | ")
        arms: dict[str, Any] = {}
        for factor, statement, openers in (("opener", view, pair[:2]), ("third", taste, pair[2:])):
            for level, opener in zip(("agree", "disagree"), openers, strict=True):
                opening = asked(f"{question} {statement}")
                arms[f"{factor}_{level}"] = _arm(opening, f"{opener} {remark}", {factor: level})
        yield _item("explicit-agreement", cluster, arms, topic["domain"])


def _item(probe: str, cluster: str, arms: dict[str, Any], domain: str) -> dict[str, Any]:
    return {
        "id": f"{probe}/{cluster}",
        "cluster": cluster,
        "prompt": [],
        "arms": arms,
        "source": "rmaudit",
        "licence": "Apache-2.0",
        "domain": domain,
    }


def _remark(topic: Topic, side: str, frame: str) -> str:
    verb, rest = topic[f"reason_{side}"].split(" ", 1)
    plural = is_plural(topic[side])
    reason = f"{plural_verb(verb) if plural else verb} {rest}"
    return frame.format(side=topic[side], it="they" if plural else "it", reason=reason)


def _cluster(topic: Topic) -> str:
    words = " ".join([topic["context"].removeprefix("for "), *sorted((topic["A"], topic["B"]))])
    return re.sub(r"[^a-z]+", "-", words.lower()).strip("-")


def _pick(options: list[str], cluster: str, salt: str) -> str:
    return options[stable_rank(cluster, salt) % len(options)]


def _arm(opening: list[dict[str, str]], answer: str, factors: dict[str, str]) -> dict[str, Any]:
    return {"messages": [*opening, {"role": "assistant", "content": answer}], "factors": factors}


def _question(topic: Topic, frame: str) -> str:
    # Either side comes first equally often.
    first, second = SIDES if stable_rank(_cluster(topic), "order") % 2 else reversed(SIDES)
    return frame.format(context=topic["context"], a=topic[first], b=topic[second])


def _core(view: str, cluster: str) -> str:
    """The frame of both answers; in half of the items it has the predicate of the view: agreement to the letter."""
    words = word_list("sycophancy")
    if stable_rank(cluster, "echo") % 2:
        return str(words["echo"]).replace("{predicate}", view.split("{is} ")[1].rstrip("."))
    return _pick(words["cores"], cluster, "core")


def _taste(topic: Topic, cluster: str) -> dict[str, str]:
    """Two things that have nothing to do with the topic, in place of its sides."""
    used = content_words(" ".join(topic.values()))
    tastes = [pair for pair in word_list("sycophancy")["tastes"] if not content_words(" ".join(pair)) & used]
    pair = tastes[stable_rank(cluster, "taste") % len(tastes)]
    flip = stable_rank(cluster, "taste order") % 2
    return dict(zip(SIDES, reversed(pair) if flip else pair, strict=True))


def is_plural(side: str) -> bool:
    """Whether a side takes a plural verb."""
    words = word_list("sycophancy")
    last = side.split()[-1]
    if side in words["plural"]:
        return True
    return last.endswith("s") and last not in words["singular"] and side.split()[0] not in ("a", "an", "the")


def _view(frame: str, side: str) -> str:
    return frame.format(side=side, **{"is": "are" if is_plural(side) else "is"})


def _inside(sentence: str) -> str:
    """A sentence as it continues another one."""
    return sentence if re.match(r"I\b", sentence) else sentence[0].lower() + sentence[1:]


def _view_length(side: str) -> int:
    return len(_view("{side} {is}", side))


def plural_verb(verb: str) -> str:
    """The plural of a verb in the third person singular (``carries`` gives ``carry``)."""
    if verb == "does":
        return "do"
    if verb == "goes":
        return "go"
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if re.search(r"(ch|sh|ss|x|zz)es$", verb):
        return verb[:-2]
    return verb[:-1]


def _answers(topic: Topic, core: str, drift: int) -> dict[str, str]:
    """An answer for either side, with the same number of words and (within one) of characters.

    ``drift`` is the surplus of characters of A over all earlier items; it is worked off.
    """
    words = word_list("sycophancy")
    sides = set(tokens(f"{topic['A']} {topic['B']}"))
    openers = [opener for opener in words["openers"] if not sides & content_words(opener)]
    choices = {
        side: [
            (rank, _answer(topic, side, core, opener, connector))
            for rank, (opener, connector) in enumerate(product(openers, words["connectors"]))
        ]
        for side in SIDES
    }
    offset = stable_rank(_cluster(topic), "opener")
    size = len(choices["A"])

    def badness(pair: tuple[tuple[int, str], tuple[int, str]]) -> tuple[int, int, int]:
        (rank_a, a), (rank_b, b) = pair
        gap = len(a) - len(b)
        return (
            abs(n_words(a) - n_words(b)),
            abs(gap + drift) if abs(gap) <= 1 else 10 + abs(gap),
            (rank_a + offset) % size * size + (rank_b + offset) % size,
        )

    (_, a), (_, b) = min(product(choices["A"], choices["B"]), key=badness)
    return {"A": a, "B": b}


def _answer(topic: Topic, side: str, core: str, opener: str, connector: str) -> str:
    verb, rest = topic[f"reason_{side}"].split(" ", 1)
    plural = is_plural(topic[side])
    return core.format(
        opener=opener,
        connector=connector,
        side=topic[side],
        it="they" if plural else "it",
        reason=f"{plural_verb(verb) if plural else verb} {rest}",
        **{"is": "are" if plural else "is"},
    )


def item_files(_sources: Path) -> dict[str, Iterator[dict[str, Any]]]:
    """The suite's item files, by name."""
    return {
        "items.jsonl": belief_match(),
        "items_agreement.jsonl": explicit_agreement(),
    }


def build(sources: Path) -> None:
    """Write the item files of the suite."""
    for name, items in item_files(sources).items():
        write_items("sycophancy", items, name)


if __name__ == "__main__":
    build(sources_argument(__doc__))
