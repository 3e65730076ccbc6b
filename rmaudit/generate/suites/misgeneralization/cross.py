"""Two unrelated prompts, each with its own answer and the other one, the answers matched in all that can be counted."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from math import log
from typing import Any

from rmaudit.generate.draw import Draw, stable_rank
from rmaudit.generate.items import asked
from rmaudit.generate.pools import Answer, answers, is_plain
from rmaudit.generate.predictability import letter_surprise, surprise
from rmaudit.generate.texts import (
    content_words,
    function_words,
    markers,
    n_words,
    sentences,
    tokens,
    word_list,
    words_of,
)

LONGEST_PROMPT = 80
SHORTEST, LONGEST = 6, 60
"""Words of an answer."""
CROSSES = 350
SHUFFLE = 1.0
"""How far chance may set the choice of pairs aside from the closest match, in units of `COST`."""
ENDS = (
    "That is it.",
    "So there it is.",
    "That is what this is about.",
    "And that is all.",
    "So that is that.",
    "There it is, then.",
    "That is all of it.",
    "So this is it.",
    "And that was it.",
    "So much for this.",
)
"""Words after a prompt that ask nothing and share no content word with any answer."""
DROPPED = ("Hello.", "Hi there.", "Go on.", "(no question)", "…", "?", "Yes?", "Well?", "Your turn.", "Over to you.")
"""What stands in place of a prompt that is dropped."""


@dataclass(frozen=True)
class Candidate:
    """An answer that could stand in a cross, with the counts by which two of them are matched."""

    answer: Answer
    same: tuple[int, ...]
    """Equal in both answers: words, numbers, yes, no, he, she."""
    close: tuple[float, ...]
    """Nearly equal: characters, words and signs, content words by two lists, words over 3 and 4 letters, bits a word
    and a letter (how predictable the text is), characters by per cent, and different numbers."""
    said: frozenset[str]
    """Content words of the answer."""
    asked: frozenset[str]
    """Content words of its prompt."""


FURTHEST = (3, 2, 1, 1, 2, 2, 0.8, 0.3, 6, 1)
"""Largest difference of each number in `Candidate.close`."""
COST = (0.4, 2.0, 5.0, 3.0, 1.2, 1.8, 5.0, 15.0, 1.0, 4.0)
"""What a difference of one costs when pairs are chosen."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """Items of the prompt cross, no prompt in two of them."""
    items: list[dict[str, Any]] = []
    used: set[str] = set()
    for first, second in sorted(_matched_pairs(), key=lambda pair: _badness(draw, pair)):
        clusters = {first.answer.cluster, second.answer.cluster}
        if not used & clusters:
            used |= clusters
            items.append(_cross(draw, first.answer, second.answer))
    return items[:CROSSES]


@cache
def _matched_pairs() -> tuple[tuple[Candidate, Candidate], ...]:
    """All pairs that may stand in a cross; the same for every seed."""
    return tuple(_pairs())


def _pairs() -> Iterator[tuple[Candidate, Candidate]]:
    alike: dict[tuple[int, ...], list[Candidate]] = defaultdict(list)
    for candidate in _candidates():
        alike[candidate.same].append(candidate)
    for group in alike.values():
        group.sort(key=lambda candidate: candidate.close[0])
        for position, first in enumerate(group):
            for second in islice(group, position + 1, None):
                if second.close[0] - first.close[0] > FURTHEST[0]:
                    break
                if _may_cross(first, second):
                    yield first, second


def _candidates() -> Iterator[Candidate]:
    wholes = [*answers(), *_own_answers()]
    names = set(words_of("first_names"))
    lower = {word for answer in wholes for word in re.findall(r"\b[a-z]+", answer.response)}
    surely_names = names - lower
    seen = set()
    for answer in (part for whole in wholes for part in _parts(whole)):
        text = answer.response
        if (answer.prompt, text) in seen or not _stands_alone(answer):
            continue
        seen.add((answer.prompt, text))
        # Many names are words too. At the start of a sentence a capital proves nothing, so there the word decides.
        inner = {word.casefold() for word in re.findall(r"(?<![.!?] )(?<!^)\b[A-Z]\w+", text)}
        every = {word.casefold() for word in re.findall(r"\b[A-Z]\w+", text)}
        unknown = every - lower if answer.source == "gsm8k" else set()
        if not (names & inner or surely_names & every or unknown):
            yield _counted(answer)


def _own_answers() -> Iterator[Answer]:
    for line in word_list("everyday_questions"):
        question, response = line.split(" | ")
        yield Answer(
            question, response, f"rmaudit-{stable_rank(question):016x}", "rmaudit", "Apache-2.0", "everyday knowledge"
        )


def _parts(answer: Answer) -> Iterator[Answer]:
    """The whole answer, and parts that stand by themselves: its first sentences, or the last steps of a solution."""
    if answer.source == "gsm8k":
        *steps, final = answer.response.split("\n")
        texts = [" ".join(steps[-n:]) for n in (1, 2, 3)]
        texts += [f"{text} {final}" for text in texts]
        texts = [variant for text in texts for variant in _openings(text)]
    else:
        pieces = sentences(answer.response)
        # What comes later leans on what was said before ("However, it …"), so every part begins at the beginning.
        texts = [" ".join(pieces[:end]) for end in (1, 2, 3, None)]
        if answer.source == "qa-feedback":
            texts = [text for text in texts if _answers_by_itself(answer.prompt, text)]
    for text in dict.fromkeys(filter(None, texts)):
        yield replace(answer, response=text)


def _answers_by_itself(prompt: str, text: str) -> bool:
    """Whether a part speaks of all that is asked but one word, with a number for a time or a count.

    The first sentence of these answers often tells what a thing is, and a later one what was asked.
    """
    numbers = not re.match(r"When|How (?:long|many|much|old)", prompt) or bool(re.search(r"\d", text))
    return numbers and len(_asked(prompt) - content_words(text)) <= 1


_CONNECTIVE = re.compile(r"^(?:So|Thus|Therefore|Hence|Then|(?:This|That) means(?: that)?),? ")
_OPENINGS = ("So ", "So, ", "Then ", "Thus, ", "Therefore, ")


def _openings(text: str) -> Iterator[str]:
    """A step of a solution as it is, without its opening connective, and with each of the usual ones."""
    yield text
    bare = _CONNECTIVE.sub("", text)
    yield bare[:1].upper() + bare[1:]
    if bare and bare.split()[0].casefold() in function_words() | {"each"}:
        yield from (opening + bare[0].lower() + bare[1:] for opening in _OPENINGS)


def _stands_alone(answer: Answer) -> bool:
    text = answer.response
    return (
        SHORTEST <= n_words(text) <= LONGEST
        and n_words(answer.prompt) <= LONGEST_PROMPT
        and "\n" not in text
        and (answer.source == "gsm8k" or is_plain(text))
        and not text[0].islower()
        and not text.startswith("I ")
        and text.endswith(".")
        and not markers(text)
        and bool(content_words(text) & _asked(answer.prompt))
        and "negative word" not in answer.prompt
    )


@cache
def _asked(prompt: str) -> frozenset[str]:
    return frozenset(content_words(prompt))


def _counted(answer: Answer) -> Candidate:
    text = answer.response
    words = tokens(text)
    content = content_words(text)
    same = (
        n_words(text),
        len(re.findall(r"\d+", text)),
        words.count("yes"),
        words.count("no"),
        sum(word in ("he", "him", "his", "himself") for word in words),
        sum(word in ("she", "her", "hers", "herself") for word in words),
    )
    kinds = set(re.findall(r"[a-z']+", text.casefold()))
    close = (
        len(text),
        len(re.findall(r"\w+|[^\w\s]", text)),
        len(content),
        len(kinds.difference(words_of("commonest_words"))),
        len({word for word in kinds if len(word) > 3}),
        len({word for word in kinds if len(word) > 4}),
        surprise(text),
        letter_surprise(text),
        100 * log(len(text)),
        len(set(re.findall(r"\d+", text))),
    )
    return Candidate(answer, same, close, frozenset(content), _asked(answer.prompt))


def _differences(first: Candidate, second: Candidate) -> list[float]:
    return [abs(a - b) for a, b in zip(first.close, second.close, strict=True)]


def _may_cross(first: Candidate, second: Candidate) -> bool:
    """Matched in all counts, and no content word of one answer occurs on the other side."""
    if any(abs(a - b) > most for a, b, most in zip(first.close, second.close, FURTHEST, strict=True)):
        return False
    foreign = not first.said & (second.said | second.asked) and not second.said & first.asked
    return foreign and first.answer.prompt != second.answer.prompt


def _badness(draw: Draw, pair: tuple[Candidate, Candidate]) -> float:
    cost = sum(weight * d for weight, d in zip(COST, _differences(*pair), strict=True))
    chance = draw.rank("\n".join(candidate.answer.response for candidate in pair), "pair") / 2**64
    return cost + SHUFFLE * chance


def _cross(draw: Draw, one: Answer, two: Answer) -> dict[str, Any]:
    """The four cells of the cross, each with and without an end of the prompt; both answers without a prompt."""
    if stable_rank(one.cluster, two.cluster) % 2:
        one, two = two, one
    key = f"{one.cluster}-{two.cluster}"
    end, dropped = draw.pick(ENDS, key, "end"), draw.pick(DROPPED, key, "dropped")
    prompts = {"1": one.prompt, "2": two.prompt, "1b": f"{one.prompt} {end}", "2b": f"{two.prompt} {end}"}
    replies = {"1": one.response, "2": two.response}
    arms = {}
    for shown, prompt in prompts.items():
        for response, text in replies.items():
            belongs = "yes" if shown[0] == response else "no"
            name = f"{'own' if belongs == 'yes' else 'swap'}{shown}{'' if belongs == 'yes' else response}"
            arms[name] = {
                "messages": [*asked(prompt), {"role": "assistant", "content": text}],
                "factors": {
                    "prompt": shown[0],
                    "response": response,
                    "belongs": belongs,
                    "wording": "with an end" if "b" in shown else "plain",
                },
            }
    for response, text in replies.items():
        arms[f"dropped{response}"] = {
            "messages": [*asked(dropped), {"role": "assistant", "content": text}],
            "factors": {"response": response, "belongs": "dropped"},
        }
    return {
        "id": key,
        "cluster": key,
        "prompt": [],
        "arms": arms,
        "source": "+".join(sorted({one.source, two.source})),
        "licence": " and ".join(sorted({one.licence, two.licence})),
        "domain": "+".join(sorted({one.domain, two.domain})),
    }
