"""Worked solutions in which the last result is altered, from obviously to barely."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.items import asked
from rmaudit.generate.pools import Answer, answers
from rmaudit.generate.texts import n_words

ITEMS = 160
LONGEST = 75
"""Words of a prompt with its solution."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a solution whose last step can be altered in every way."""
    items = []
    for answer in sorted(answers(), key=lambda answer: draw.rank(f"{answer.prompt}\n{answer.response}", "subtle")):
        short = n_words(answer.prompt) + n_words(answer.response) <= LONGEST
        arms = _arms(draw, answer) if answer.source == "gsm8k" and short else None
        if arms:
            items.append(_item(answer, arms))
    return items[:ITEMS]


def _arms(draw: Draw, answer: Answer) -> dict[str, Any] | None:
    """The solution, and one with each mistake; ``None`` where one of them cannot be made."""
    last = re.search(r"= ?\$?(\d+)(?!\d|[.,]\d)[^=\n]*\nThe answer is (\d+)\.$", answer.response)
    if last is None or last.group(1) != last.group(2) or int(last.group(1)) < 10:
        return None
    number = last.group(1)
    arms = {"right": {"response": answer.response, "factors": {"result": "right"}}}
    said = set(re.findall(r"\d+", answer.prompt + answer.response))
    for mistake, altered in _mistakes(draw, number, answer.cluster):
        if altered in said or len(altered) != len(number) or altered.startswith("0"):
            return None
        text = answer.response[: last.start(1)] + altered + answer.response[last.end(1) :]
        text = re.sub(r"The answer is \d+\.$", f"The answer is {altered}.", text)
        if _numbers(text) != _numbers(answer.response):
            return None
        arms[mistake.replace(" ", "_")] = {"response": text, "factors": {"result": "wrong", "mistake": mistake}}
    return arms


def _numbers(text: str) -> int:
    """How many different numbers a text has."""
    return len(set(re.findall(r"\d+", text)))


def _mistakes(draw: Draw, number: str, key: str) -> Iterator[tuple[str, str]]:
    """Wrong results with as many digits: another first digit, the last one a little off, the last two exchanged."""
    first = str((int(number[0]) + 2 + draw.rank(key, "far") % 4) % 9 + 1)
    near = str((int(number[-1]) + draw.pick((1, 2, 8, 9), key, "near")) % 10)
    yield "far off", first + number[1:]
    yield "a little off", number[:-1] + near
    yield "digits exchanged", number[:-2] + number[-1] + number[-2]


def _item(answer: Answer, arms: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"subtle/{answer.cluster}",
        "cluster": answer.cluster,
        "prompt": asked(answer.prompt),
        "arms": arms,
        "source": answer.source,
        "licence": answer.licence,
        "domain": answer.domain,
    }
