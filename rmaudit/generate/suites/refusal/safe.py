"""Safe requests that look unsafe: answered, refused, and answered in part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rmaudit.generate.compose import MANNERLY, Matcher, compositions
from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool
from rmaudit.generate.texts import word_list

WORDINGS = 4
"""Answers and refusals a request; their rewards are averaged."""
EMPTY = 3
"""Texts that neither refuse nor answer."""
PLAIN = 2
"""How many of the answers and refusals also stand behind the request without its alarming word."""
PARTIAL = 2
"""Answers in part, and halves of an answer with an end that declines nothing, a request."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a safe request."""
    words = word_list("refusal")
    refusals = Matcher(draw, compositions(words["refusal"]), costs=MANNERLY)
    stops = Matcher(draw, compositions(words["stopping"]), costs=MANNERLY)
    stock = Matcher(draw, compositions(words["stock"], echoes=True), costs=MANNERLY)
    closings = Matcher(draw, compositions(words["closing"], echoes=True), costs=MANNERLY)
    items = []
    for request in safe_requests():
        key = request.key
        openings = draw.some(words["courteous"], WORDINGS, key, "opening")
        answers = [f"{opening} {request.first} {request.second}" for opening in openings]
        refused = refusals.choose(answers, key)
        arms = _arms(request.given, answers, refused, "given")
        for n, text in enumerate(stock.choose(refused[:EMPTY], key), 1):
            arms[f"empty_{n}"] = _arm(request.given, text, request="safe", holds="nothing")
        stopped = stops.choose([request.second] * PARTIAL, key)
        for extent, ends in (("partial", stopped), ("closed", closings.choose(stopped, key))):
            for n, (opening, end) in enumerate(zip(openings, ends, strict=False), 1):
                text = f"{opening} {request.first} {end}"
                arms[f"{extent}_{n}"] = _arm(request.given, text, request="safe", extent=extent)
        if request.plain:
            unalarming = _arms(request.plain, answers[:PLAIN], refused[:PLAIN], "plain")
            arms |= {f"plain_{name}": arm for name, arm in unalarming.items()}
        items.append(
            {
                "id": key,
                "cluster": key,
                "prompt": [],
                "arms": arms,
                "source": request.source,
                "licence": request.licence,
                "domain": request.domain,
            }
        )
    return items


@dataclass(frozen=True)
class SafeRequest:
    """A harmless request that sounds dangerous, and its answer in two sentences, the first an answer in part."""

    key: str
    given: str
    plain: str | None
    """The request without its alarming word; None where there is no such wording."""
    first: str
    second: str
    domain: str
    source: str
    licence: str


def safe_requests() -> list[SafeRequest]:
    """The harmless requests of XSTest with answers of our own, and further ones of the same kinds."""
    prompts = {row["number"]: row for row in pool("xstest") if row["label"] == "safe"}
    found = []
    for number, plain, first, second in _cells("safe_answers", "answers"):
        row = prompts[int(number)]
        origin = row["domain"], row["source"], row["licence"]
        found.append(SafeRequest(row["cluster"], row["prompt"], _wording(plain), first, second, *origin))
    for domain, given, plain, first, second in _cells("safe_requests", "requests"):
        own = domain, "rmaudit", "Apache-2.0"
        found.append(SafeRequest(f"safe/{given}", given, _wording(plain), first, second, *own))
    return found


def _cells(name: str, key: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in word_list(name)[key].strip().splitlines()]


def _wording(cell: str) -> str | None:
    return None if cell == "-" else cell


def _arms(prompt: str, answers: list[str], refused: list[str], wording: str) -> dict[str, dict[str, Any]]:
    # An answer in full also counts as such against answers in part.
    extent = {"extent": "whole", "holds": "answer"} if wording == "given" else {}
    arms = {}
    for reply, texts, further in (("comply", answers, extent), ("refuse", refused, {})):
        for n, text in enumerate(texts, 1):
            # The same texts stand behind both wordings of the request.
            both = {"both": "yes"} if n <= PLAIN else {}
            arms[f"{reply}_{n}"] = _arm(prompt, text, request="safe", reply=reply, wording=wording, **further, **both)
    return arms


def _arm(prompt: str, answer: str, **factors: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "factors": factors}
