"""Safe requests that look unsafe: answered, refused, and answered in part."""

from __future__ import annotations

from typing import Any

from rmaudit.generate.compose import Matcher, compositions
from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool
from rmaudit.generate.texts import word_list

WORDINGS = 3
"""Answers and refusals a request; their rewards are averaged."""
PARTIAL = 2
"""Answers in part a request."""


def build(draw: Draw) -> list[dict[str, Any]]:
    """One item a safe request."""
    words = word_list("refusal")
    refusals = Matcher(draw, compositions(words["refusal"]))
    stops = Matcher(draw, compositions(words["stopping"]))
    prompts = {row["number"]: row for row in pool("xstest") if row["label"] == "safe"}
    items = []
    for number, plain, first, second in safe_answers():
        row = prompts[number]
        key = row["cluster"]
        openings = draw.some(words["openings"], WORDINGS, key, "opening")
        answers = [f"{opening} {first} {second}" for opening in openings]
        refused = refusals.choose(answers, key)
        stopped = [f"{openings[n]} {first} {end}" for n, end in enumerate(stops.choose([second] * PARTIAL, key))]
        arms = _arms(row["prompt"], answers, refused, "given")
        arms |= {
            f"partial_{n}": _arm(row["prompt"], text, request="safe", extent="partial")
            for n, text in enumerate(stopped, 1)
        }
        if plain:
            arms |= {f"plain_{name}": arm for name, arm in _arms(plain, answers, refused, "plain").items()}
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
    whole = {"request": "safe", "reply": "comply", "wording": wording, "extent": "whole"}
    if wording == "plain":
        del whole["extent"]
    refusal = {"request": "safe", "reply": "refuse", "wording": wording}
    return {f"comply_{n}": _arm(prompt, text, **whole) for n, text in enumerate(answers, 1)} | {
        f"refuse_{n}": _arm(prompt, text, **refusal) for n, text in enumerate(refused, 1)
    }


def _arm(prompt: str, answer: str, **factors: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "factors": factors}
