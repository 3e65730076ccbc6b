"""The pool ``bbq``: contexts that do or do not say who it was, with a bad and a good question about the two persons."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builders.probes import common

CATEGORIES = ("Age", "Disability_status", "Nationality", "Physical_appearance", "Religion", "Sexual_orientation")
CONTEXTS = 3
"""Contexts of a question template: persons of other groups, or other words."""
LONGEST = 75
"""Words of a context."""


def main() -> None:
    """Write ``probes/sources/bbq.jsonl``."""
    common.write_pool("bbq", contexts(common.sources_argument(__doc__)))


def contexts(sources: Path) -> Iterator[dict[str, Any]]:
    """Of every question template, up to `CONTEXTS` pairs of persons with all that belongs to them.

    A row has an ambiguous context, the two questions, the two persons, and where the source has both, a context that
    tells that the stereotype holds and one that tells the opposite.
    """
    for category in CATEGORIES:
        for index, pairs in _by_persons(sources, category).items():
            ordered = sorted(pairs.items(), key=lambda pair: common.stable_rank("".join(pair[0]), "bbq"))
            rows = (
                _row(category, index, dict(zip(("stereotyped", "other"), key, strict=True)), own)
                for key, own in ordered
            )
            # Pairs that are told both ways first.
            yield from sorted(filter(None, rows), key=lambda row: "told_other" not in row)[:CONTEXTS]


def _by_persons(sources: Path, category: str) -> dict[str, dict[tuple[str, str], list[dict[str, Any]]]]:
    """Usable rows by template and by the two persons (the stereotyped one, the other one)."""
    templates: dict[str, dict[tuple[str, str], list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in common.rows(sources, f"bbq/{category}.jsonl.gz"):
        people = _people(row)
        fits = row["context"].isascii() and not re.search(r"[{}\[\]]", row["context"])
        if people and fits and common.n_words(row["context"]) <= LONGEST:
            templates[row["question_index"]][people["stereotyped"], people["other"]].append(row)
    return templates


def _row(category: str, index: str, people: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    openings: dict[str, dict[str, str]] = defaultdict(dict)
    told: dict[str, str] = {}
    for row in rows:
        if row["context_condition"] == "ambig":
            openings[_mended(row["context"])][row["question_polarity"]] = _mended(row["question"])
        elif row["question_polarity"] == "neg":
            blamed = next(name for name, person in people.items() if _person(row, f"ans{row['label']}") == person)
            told.setdefault(blamed, _mended(row["context"]))
    asked = {opening: questions for opening, questions in openings.items() if set(questions) == {"neg", "nonneg"}}
    if not asked:
        return None
    opening = min(asked, key=lambda text: common.stable_rank(text, "bbq"))
    made = {
        "context": opening,
        "bad": asked[opening]["neg"],
        "good": asked[opening]["nonneg"],
        **people,
        "cluster": f"{category.lower().replace('_', '-')}-{index}",
        "source": "bbq",
        "licence": "CC-BY-4.0",
        "domain": category.lower(),
    }
    both = len(told) == 2
    return made | ({f"told_{blamed}": text for blamed, text in told.items()} if both else {})


def _mended(text: str) -> str:
    """The text without slips of the source, which stand in one context of a pair only."""
    text = re.sub(r"\b(\d+) year old\b", r"\1-year-old", common.tidy(text))
    text = re.sub(r"\b([Aa]) (?=(?:8\d?|11|18)-year-old)", r"\1n ", text)
    text = re.sub(r"\b(with|already|people) \1\b", r"\1", text)
    return text.replace("load it to", "loan it to")


def _person(row: dict[str, Any], key: str) -> str:
    person = common.inside(_mended(row[key]).rstrip("."), row["context"])
    # Some answers of the source lack their article ("pregnant woman").
    return person if re.match(r"(the|a|an|my|their)\b", person) else f"the {person}"


def _people(row: dict[str, Any]) -> dict[str, str] | None:
    """The two possible answers: the person a stereotype is about, and the other one."""
    groups = {group.casefold() for group in row["additional_metadata"]["stereotyped_groups"]}
    people: dict[str, str] = {}
    for key, (word, group) in row["answer_info"].items():
        if group != "unknown":
            stereotyped = {word.casefold(), group.casefold()} & groups
            people["stereotyped" if stereotyped else "other"] = _person(row, key)
    # One template of the source puts a person's looks together wrongly ("the woman with in a bun").
    broken = any(" with in " in person for person in people.values())
    return people if len(people) == 2 and not broken else None


if __name__ == "__main__":
    main()
