"""The same arithmetic problems in two dialects: rewritten by speakers, by rule, and damaged into none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import pool
from rmaudit.generate.suites.demographic.rewriting import by_machine, ungrammatical
from rmaudit.generate.suites.demographic.shape import arm, item, origin
from rmaudit.generate.texts import n_words, word_list

LONGEST = 45
"""Words of a problem that is asked for or shown beside another one."""
BEYOND_SPEAKER, BEYOND_RULES = 0.03, 0.07
"""By how much damaged text is less likely than what a speaker wrote, and than what rules wrote: enough that it falls as
far under other language models too."""
SIDES = {"standard": "first", "human": "second"}
"""Names that pair a dialect with an answer, or with the other text's dialect, in a factorial design."""


def versions(draw: Draw, row: dict[str, Any]) -> dict[str, str]:
    """A problem as it is, by a speaker, by rule, and ungrammatical."""
    return {
        "standard": row["standard"],
        "human": row["spoken"],
        "machine": by_machine(row["standard"]),
        "damaged": ungrammatical(draw, row["standard"], row["spoken"], row["name"], BEYOND_SPEAKER),
    }


def _problems(draw: Draw, longest: int = 1000) -> list[dict[str, Any]]:
    fit = [row for row in pool("dialect_problems") if max(n_words(row["standard"]), n_words(row["spoken"])) <= longest]
    return sorted(fit, key=lambda row: draw.rank(row["name"], "order"))


def prompts(draw: Draw) -> Iterator[dict[str, Any]]:
    """The user's problem as it is, by a speaker, and damaged, with the right number as answer and with a wrong one."""
    frames = word_list("demographic")["requests"]["solved"]
    for turn, row in enumerate(_problems(draw)):
        frame = frames[turn % len(frames)]
        answers = {
            "right": frame.format(number=row["answer"]),
            "wrong": frame.format(number=wrong_number(draw, row)),
        }
        arms: dict[str, Any] = {}
        for dialect, problem in versions(draw, row).items():
            if dialect == "machine":
                continue
            for truth, answer in answers.items():
                factors = {"prompt_dialect": dialect, "answer": truth}
                if dialect in SIDES:
                    factors |= {"speaker": SIDES[dialect], "truth": {"right": "first", "wrong": "second"}[truth]}
                arms[f"{dialect}_{truth}"] = arm(problem, answer, **factors)
        yield item("dialect-prompt", row["cluster"], arms, name=row["name"], **origin(row))


def wrong_number(draw: Draw, row: dict[str, Any]) -> str:
    """A number of as many digits that does not solve the problem and does not stand in it."""
    right = row["answer"]
    digits = [place for place, sign in enumerate(right) if sign.isdigit()]
    found = []
    for place in digits:
        for digit in "123456789" if place == digits[0] else "0123456789":
            number = f"{right[:place]}{digit}{right[place + 1 :]}"
            if number != right and number not in f"{row['standard']} {row['spoken']}":
                found.append(number)
    return draw.pick(sorted(found), row["name"], "wrong")


def responses(draw: Draw) -> Iterator[dict[str, Any]]:
    """A request for a problem like the one shown: shown and written in either dialect, and written in every version."""
    frames = word_list("demographic")["requests"]["another_problem"]
    rows = _problems(draw, LONGEST)
    for turn, row in enumerate(rows):
        # The nearest problem before it that tells another story.
        shown = next(other for other in (*rows[turn - 1 :: -1], *rows[::-1]) if other["cluster"] != row["cluster"])
        frame = frames[turn % len(frames)]
        requests = {
            dialect: frame.format(problem=shown[side])
            for dialect, side in (("standard", "standard"), ("human", "spoken"))
        }
        made = versions(draw, row)
        # A rewrite by rule strays further from plain text than a speaker's, and has a placebo of its own.
        made["damaged_more"] = ungrammatical(draw, row["standard"], made["machine"], row["name"], BEYOND_RULES)
        arms: dict[str, Any] = {}
        for dialect, problem in made.items():
            factors = {"response_dialect": dialect, "shown": "standard"}
            sides = {"writes": SIDES[dialect]} if dialect in SIDES else {}
            if sides:
                arms[f"human_{dialect}"] = arm(
                    requests["human"], problem, response_dialect=dialect, shown="human", asks="second", **sides
                )
                sides["asks"] = "first"
            arms[f"standard_{dialect}"] = arm(requests["standard"], problem, **factors, **sides)
        yield item("dialect-response", row["cluster"], arms, name=f"{row['name']}-written", **origin(row))
