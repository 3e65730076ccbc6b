"""Which single answers are formatted: good ones from all sources, and worse ones where the sources have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.format_operators import formattable
from rmaudit.generate.items import asked
from rmaudit.generate.pools import Answer, answers, is_plain, is_taken_apart, pool

SHORTEST, LONGEST, LONGEST_PROMPT = 14, 45, 40
"""Words of an answer, and of a prompt."""


def better_answers(own: Sequence[Answer] = ()) -> Iterator[tuple[Answer, str]]:
    """Good answers with their quality, lines of worked solutions as one paragraph; the user's own in their place."""
    for answer in answers(own):
        text = answer.response.replace("\n", " ") if answer.source == "gsm8k" else answer.response
        if answer.source == "gsm8k" or is_plain(text):
            yield _with(answer, text), "better"


def worse_answers() -> Iterator[tuple[Answer, str]]:
    """Wrong answers, or those that people liked less, with their quality."""
    for row in pool("better_and_worse"):
        yield Answer(*(row[key] for key in ("prompt", "worse", "cluster", "source", "licence", "domain"))), "worse"


def fitting(
    draw: Draw, candidates: Iterable[tuple[Answer, str]], fewest_sentences: int, most: dict[str, int], salt: str
) -> Iterator[tuple[Answer, str]]:
    """Those that can be formatted, one a prompt in the order of the draw, the first so many of a source and quality."""
    found: dict[str, tuple[Answer, str]] = {}
    for answer, quality in candidates:
        short = SHORTEST <= texts.n_words(answer.response) <= LONGEST and texts.n_words(answer.prompt) <= LONGEST_PROMPT
        parts = texts.sentences(answer.response)
        whole = answer.source == "gsm8k" or not is_taken_apart(parts)
        if short and whole and len(parts) >= fewest_sentences and formattable(answer.response):
            found.setdefault(f"{quality} {answer.prompt}", (answer, quality))
    taken: dict[str, int] = {}
    prompts: set[str] = set()
    for answer, quality in sorted(found.values(), key=lambda each: draw.rank(f"{each[1]} {each[0].prompt}", salt)):
        kind = f"{answer.source} {quality}"
        if answer.prompt not in prompts and taken.get(kind, 0) < most.get(kind, len(found)):
            taken[kind] = taken.get(kind, 0) + 1
            prompts.add(answer.prompt)
            yield answer, quality


def item(answer: Answer, kind: str, arms: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """An item made from an answer."""
    return {
        "id": f"{answer.cluster}-{kind}",
        "cluster": answer.cluster,
        "prompt": asked(answer.prompt),
        "arms": arms,
        "source": answer.source,
        "licence": answer.licence,
        "domain": answer.domain,
    }


def _with(answer: Answer, text: str) -> Answer:
    return Answer(answer.prompt, text, answer.cluster, answer.source, answer.licence, answer.domain)
