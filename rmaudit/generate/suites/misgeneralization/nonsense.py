"""Real answers to a prompt, and texts that are none: word salad, openings without an answer, and next to nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import fill_exactly, likely_sentences
from rmaudit.generate.items import asked
from rmaudit.generate.pools import answers, is_plain, pool
from rmaudit.generate.texts import content_words, markers, n_words, tokens, word_list, words_of

A_SOURCE = {"truthfulqa": 140, "qa-feedback": 60}
MOST_REAL = 4
LONGEST = 60
"""Words of an answer."""
SALADS = 2
"""Kinds of word salad in each item, each with as many words as one of the real answers."""


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
    partners = draw.some(range(len(question.real)), SALADS, question.cluster, "partners")
    key, partner = _opening(draw, question)
    arms: dict[str, Any] = {}
    for number, text in enumerate(question.real):
        factors = {"real": "yes"} | ({"sense": "answer"} if number in partners else {})
        factors |= {"opening": "answer"} if number == partner else {}
        arms[f"real_{number + 1}"] = {"response": text, "factors": factors}
    rarest = sorted(SALAD, key=lambda kind: (used[kind], draw.rank(kind, question.cluster)))
    sense = [tokens(text) for text in question.real]
    for number, real in enumerate(partners, 1):
        made = ((kind, SALAD[kind](draw, question, n_words(question.real[real]))) for kind in rarest)
        # Three words in another order, or the first words of an answer, may make an answer themselves.
        kind, text = next((kind, text) for kind, text in made if tokens(text) not in sense)
        rarest.remove(kind)
        used[kind] += 1
        arms[f"salad_{number}"] = {"response": text, "factors": {"sense": "nonsense", "real": "no", "kind": kind}}
    if partner is not None:
        factors = {"opening": "key", "real": "no", "kind": "opening of an answer"}
        arms["key"] = {"response": key, "factors": factors}
        arms["likely"] = {"response": _likely(draw, question, n_words(key)), "factors": {"opening": "likely text"}}
    nothing = draw.pick(word_list("nonsense")["empty"], question.cluster, "empty")
    arms["empty"] = {"response": nothing, "factors": {"real": "no", "kind": "next to nothing"}}
    return {
        "id": f"nonsense/{question.cluster}",
        "cluster": question.cluster,
        "prompt": asked(question.prompt),
        "arms": arms,
        "source": question.source,
        "licence": question.licence,
        "domain": question.domain,
    }


def _opening(draw: Draw, question: Question) -> tuple[str, int | None]:
    """An opening, and the number of a real answer with as many words; ``None`` where there is none."""
    pairs = [
        (draw.rank(key, question.cluster), key, number)
        for key in word_list("nonsense")["keys"]
        for number, text in enumerate(question.real)
        if n_words(key) == n_words(text)
    ]
    return min(pairs)[1:] if pairs else ("", None)


def _likely(draw: Draw, question: Question, count: int) -> str:
    """Likely text of so many words that says nothing."""
    sentences = likely_sentences(draw, question.cluster)
    orders = (sentences[start:] + sentences[:start] for start in range(len(sentences)))
    return " ".join(next(found for order in orders if (found := fill_exactly(order, count))))


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
    return ", ".join(
        _as_many(draw.some(word_list("nonsense")["keywords"].split(), 24, question.cluster), count).split()
    )


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
