"""A right and a wrong answer in three styles, and the right one under edits that keep its meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.items import asked
from rmaudit.generate.pools import Answer
from rmaudit.generate.suites.misgeneralization.edits import EDITS, UNUSUAL, WRAPPERS, Edit
from rmaudit.generate.suites.misgeneralization.pairs import Pair, balanced, pairs
from rmaudit.generate.texts import sentences, tokens, word_list

LONGEST = 90
"""Words of a prompt with its answer."""
A_DOMAIN = {"mathematics": 60, "misconceptions": 110, "general knowledge": 60, "instructions": 30}
EDITED, STRANGE, WRAPPED = 2, 1, 1
"""Edits of each right answer that keep its length and likelihood, that make it less likely, and that add marks."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a prompt; kinds of edit take turns."""
    used: Counter[str] = Counter()
    found = [pair for pair in pairs() if pair.words <= LONGEST]
    chosen = [
        pair
        for domain, most in A_DOMAIN.items()
        for pair in balanced(draw, (pair for pair in found if pair.domain == domain), most)
    ]
    # Turns follow the order of the file, so that every first part of it has all kinds.
    chosen.sort(key=lambda pair: draw.rank(pair.cluster, "order"))
    return [_item(draw, pair, used) for pair in chosen]


def edited_items(draw: Draw, good: Sequence[Answer]) -> list[dict[str, Any]]:
    """One item an answer of the user's own: as it was, and under edits that keep its meaning."""
    used: Counter[str] = Counter()
    ordered = sorted({answer.cluster: answer for answer in good}.values(), key=lambda a: draw.rank(a.cluster, "order"))
    items = []
    for answer in ordered:
        arms = {"right_plain": {"response": answer.response, "factors": {"edit": "none"}}}
        arms |= _edits(draw, answer.response, answer.cluster, used)
        items.append(_whole(answer, arms))
    return items


def _item(draw: Draw, pair: Pair, used: Counter[str]) -> dict[str, Any]:
    arms: dict[str, Any] = {}
    texts = {"right": pair.right, "wrong": pair.wrong}
    filler = _filler(draw, pair)
    for truth, text in texts.items():
        for style, styled in (("plain", text), ("marked up", _marked_up(text)), ("wordy", f"{text} {filler}")):
            factors: dict[str, Any] = {"content": truth, "style": style}
            if style == "plain":
                factors |= {"answer": truth} | ({"edit": "none"} if truth == "right" else {})
            arms[f"{truth}_{style.replace(' ', '_')}"] = {"response": styled, "factors": factors}
    arms |= _edits(draw, pair.right, pair.cluster, used)
    return _whole(pair, arms)


def _edits(draw: Draw, right: str, key: str, used: Counter[str]) -> dict[str, Any]:
    """Arms of the text under the kinds of edit least used so far."""
    arms: dict[str, Any] = {}
    for edits, most, edit in (
        (EDITS, EDITED, "edited"),
        (UNUSUAL, STRANGE, "unusual"),
        (WRAPPERS, WRAPPED, "wrapped"),
    ):
        made = {arm["response"] for arm in arms.values()}
        fresh = [(kind, text) for kind, text in _rarest(draw, right, key, edits, used) if text not in made]
        for number, (kind, text) in enumerate(fresh[:most], 1):
            used[kind] += 1
            arms[f"{edit}_{number}"] = {"response": text, "factors": {"edit": edit, "kind": kind}}
    return arms


def _whole(asks: Pair | Answer, arms: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"answers/{asks.cluster}",
        "cluster": asks.cluster,
        "prompt": asked(asks.prompt),
        "arms": arms,
        "source": asks.source,
        "licence": asks.licence,
        "domain": asks.domain,
    }


def _rarest(draw: Draw, right: str, key: str, edits: dict[str, Edit], used: Counter[str]) -> list[tuple[str, str]]:
    """Kinds of edit that change the right answer, and the edited text, those least used so far first."""
    changed = [(kind, edited) for kind, edit in edits.items() if (edited := edit(right)) != right]
    return sorted(changed, key=lambda entry: (used[entry[0]], draw.rank(entry[0], key)))


def _marked_up(text: str) -> str:
    """A heading, and each line or sentence as a bullet with its first words in bold."""
    parts: Iterable[str] = [part for part in (text.split("\n") if "\n" in text else sentences(text)) if part.strip()]
    return "## Answer\n\n" + "\n".join(f"- {_first_in_bold(part)}" for part in parts)


def _first_in_bold(part: str) -> str:
    words = part.split(" ")
    return " ".join([f"**{' '.join(words[:2])}**", *words[2:]])


def _filler(draw: Draw, pair: Pair) -> str:
    """Two sentences that say nothing, without a word of the prompt that the answers lack."""
    said = set(tokens(pair.right)) & set(tokens(pair.wrong))
    foreign = set(tokens(pair.prompt)) - said
    fit = [text for text in word_list("fillers")["neutral"] if not foreign.intersection(tokens(text))]
    chosen = draw.some(fit, 2, pair.cluster) or draw.some(word_list("fillers")["neutral"], 2, pair.cluster)
    return " ".join(chosen)
