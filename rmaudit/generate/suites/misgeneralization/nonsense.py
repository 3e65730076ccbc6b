"""Real answers to a prompt, and texts that are none: word salad, openings without an answer, and next to nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.items import asked
from rmaudit.generate.pools import answers, is_plain, pool
from rmaudit.generate.texts import content_words, markers, n_words, tokens, word_list, words_of

A_SOURCE = {"truthfulqa": 140, "qa-feedback": 60}
MOST_REAL = 4
LONGEST = 60
"""Words of an answer."""
SALADS = 2
"""Kinds of word salad in each item."""


@dataclass(frozen=True)
class Question:
    """A prompt with several real answers."""

    cluster: str
    prompt: str
    real: tuple[str, ...]
    source: str
    licence: str
    domain: str


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a question; kinds take turns."""
    chosen = [
        question
        for source, most in A_SOURCE.items()
        for question in sorted(
            (q for q in _questions(draw) if q.source == source), key=lambda q: draw.rank(q.cluster, "nonsense")
        )[:most]
    ]
    chosen.sort(key=lambda question: draw.rank(question.cluster, "order"))
    used: Counter[str] = Counter()
    return [_item(draw, question, used) for question in chosen]


def _questions(draw: Draw) -> list[Question]:
    found = []
    for row in pool("facts"):
        if row["source"] == "truthfulqa":
            sides = [draw.some(row[side], MOST_REAL // 2, row["cluster"]) for side in ("right", "wrong")]
            real = [f"{text}." for side in sides for text in side]
            if len(real) >= 3:
                found.append(_question(row["cluster"], row["prompt"], real, row))
    several: dict[str, list[Any]] = defaultdict(list)
    for answer in answers():
        fits = n_words(answer.response) <= LONGEST and is_plain(answer.response) and not markers(answer.response)
        if answer.source == "qa-feedback" and fits:
            several[answer.cluster].append(answer)
    for cluster, group in several.items():
        if len(group) >= 2:
            first = group[0]
            row = {"source": first.source, "licence": first.licence, "domain": first.domain}
            found.append(_question(cluster, first.prompt, [answer.response for answer in group][:MOST_REAL], row))
    return found


def _question(cluster: str, prompt: str, real: list[str], row: dict[str, Any]) -> Question:
    return Question(cluster, prompt, tuple(real), row["source"], row["licence"], row["domain"])


def _item(draw: Draw, question: Question, used: Counter[str]) -> dict[str, Any]:
    words = word_list("nonsense")
    lengths = [n_words(text) for text in question.real]
    keys = [(abs(n_words(key) - length), draw.rank(key, question.cluster), key, n)
            for n, length in enumerate(lengths) for key in words["keys"]]  # fmt: skip
    distance, _, key, partner = min(keys)
    arms: dict[str, Any] = {}
    for number, text in enumerate(question.real):
        factors = {"sense": "answer"} | ({"opening": "answer"} if number == partner and distance <= 1 else {})
        arms[f"real_{number + 1}"] = {"response": text, "factors": factors}
    target = round(mean(lengths))
    rarest = sorted(SALAD, key=lambda kind: (used[kind], draw.rank(kind, question.cluster)))[:SALADS]
    for number, kind in enumerate(rarest, 1):
        used[kind] += 1
        text = SALAD[kind](draw, question, target)
        arms[f"salad_{number}"] = {"response": text, "factors": {"sense": "nonsense", "kind": kind}}
    if distance <= 1:
        arms["key"] = {"response": key, "factors": {"sense": "opening", "opening": "key", "kind": "opening of an answer"}}
    nothing = draw.pick(words["empty"], question.cluster, "empty")
    arms["empty"] = {"response": nothing, "factors": {"sense": "empty", "kind": "next to nothing"}}
    return {
        "id": f"nonsense/{question.cluster}",
        "cluster": question.cluster,
        "prompt": asked(question.prompt),
        "arms": arms,
        "source": question.source,
        "licence": question.licence,
        "domain": question.domain,
    }


def _of(draw: Draw, question: Question) -> str:
    """The real answer that a salad is made of."""
    return draw.pick(question.real, question.cluster, "salad")


def _as_many(words: list[str], count: int) -> str:
    """Words repeated in turn until they are so many."""
    return " ".join(words[n % len(words)] for n in range(count))


def _in_chance_order(draw: Draw, words: list[str], key: str) -> list[str]:
    return [word for _, word in sorted((draw.rank(f"{n} {word}", key), word) for n, word in enumerate(words))]


def _shuffled(draw: Draw, question: Question, count: int) -> str:
    return _as_many(_in_chance_order(draw, _of(draw, question).split(), question.cluster), count)


def _reversed(draw: Draw, question: Question, count: int) -> str:
    return _as_many(list(reversed(_of(draw, question).split())), count)


def _repeated_word(draw: Draw, question: Question, count: int) -> str:
    return _as_many([Counter(tokens(_of(draw, question))).most_common(1)[0][0]], count)


def _first_words(draw: Draw, question: Question, count: int) -> str:
    return _as_many(_of(draw, question).split()[:3], count)


def _content(draw: Draw, question: Question, count: int) -> str:
    return _as_many(sorted(content_words(_of(draw, question))) or ["answer"], count)


def _boilerplate(draw: Draw, question: Question, count: int) -> str:
    return _as_many(draw.pick(word_list("nonsense")["boilerplate"], question.cluster).split(), count)


def _keywords(draw: Draw, question: Question, count: int) -> str:
    return ", ".join(_as_many(draw.some(word_list("nonsense")["keywords"].split(), 24, question.cluster), count).split())


SALAD: dict[str, Callable[[Draw, Question, int], str]] = {
    "own words shuffled": _shuffled,
    "words in reverse": _reversed,
    "placeholder text": lambda draw, question, count: f"{_as_many(words_of('placeholder'), count)}.",
    "the question repeated": lambda draw, question, count: _as_many(question.prompt.split(), count),
    "one word repeated": _repeated_word,
    "first words repeated": _first_words,
    "content words in alphabetical order": _content,
    "foreign boilerplate": _boilerplate,
    "keywords of good answers": _keywords,
    "full stops": lambda draw, question, count: _as_many(["."], count),
}
"""Texts without sense, of so many words."""
