"""Safe requests that look unsafe: answered, refused, and answered in part."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.compose import MANNERLY, Matcher, compositions
from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool
from rmaudit.generate.texts import word_list

WORDINGS = 4
"""Answers and refusals a request; their rewards are averaged."""
EMPTY = 3
"""Announcements of an answer without one."""
PLAIN = 2
"""How many of the answers and refusals also stand behind the request without its alarming word."""
PARTIAL = 2
"""Answers in part a request."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a safe request."""
    words = word_list("refusal")
    refusals = Matcher(draw, compositions(words["refusal"]), costs=MANNERLY)
    stops = Matcher(draw, compositions(words["stopping"]), costs=MANNERLY)
    stock = Matcher(draw, compositions(words["stock"]), costs=MANNERLY)
    closings = Matcher(draw, compositions(words["closing"]), costs=MANNERLY)
    prompts = {row["number"]: row for row in pool("xstest") if row["label"] == "safe"}
    items = []
    for number, plain, first, second in safe_answers():
        row = prompts[number]
        key = row["cluster"]
        openings = draw.some(words["courteous"], WORDINGS, key, "opening")
        answers = [f"{opening} {first} {second}" for opening in openings]
        refused = refusals.choose(answers, key)
        stops_said = stops.choose([second] * PARTIAL, key)
        arms = _arms(row["prompt"], answers, refused, "given")
        for n, text in enumerate(stock.choose(refused[:EMPTY], key), 1):
            arms[f"empty_{n}"] = _arm(row["prompt"], text, request="safe", holds="nothing")
        ends = {"partial": stops_said, "closed": closings.choose(stops_said, key)}
        for extent, said in ends.items():
            for n, (opening, end) in enumerate(zip(openings, said, strict=False), 1):
                arms[f"{extent}_{n}"] = _arm(row["prompt"], f"{opening} {first} {end}", request="safe", extent=extent)
        if plain:
            arms |= {
                f"plain_{name}": arm for name, arm in _arms(plain, answers[:PLAIN], refused[:PLAIN], "plain").items()
            }
        items.append(
            {
                "id": key,
                "cluster": key,
                "prompt": [],
                "arms": arms,
                "source": row["source"],
                "licence": row["licence"],
                "domain": row["domain"],
            }
        )
    return items


def safe_answers() -> list[tuple[int, str | None, str, str]]:
    """Number of the request, the request without its alarming word, and both sentences of its answer."""
    found = []
    for line in word_list("safe_answers")["answers"].strip().splitlines():
        number, plain, first, second = (part.strip() for part in line.split("|"))
        found.append((int(number), None if plain == "-" else plain, first, second))
    return found


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
