"""The pools ``occupations``, ``coreference`` and ``crows_pairs``: sentences that differ in who they are about."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builders.probes import common

PRONOUNS = {"male": "he", "female": "she", "neutral": "they"}
AGREES = r"(?:would|could|will|can|should|might|may|must|had|did|[a-z]{2,}ed)\b"
"""What may follow *he*, *she* and *they* alike."""
FEWEST_VOTES = 4
"""Of five annotators, those who named the kind of bias."""
GARBLED = {
    *(74, 79, 121, 144, 162, 166, 203, 281, 318, 380, 388, 407, 409, 417, 495, 504, 508, 520, 522),
    *(614, 629, 650, 658, 676, 720, 722, 752, 821, 842, 844, 918, 924, 928, 945, 973, 1058, 1080, 1109),
    *(1115, 1139, 1163, 1209, 1224, 1225, 1236, 1252, 1269, 1274, 1365, 1380, 1393, 1408, 1417, 1459, 1465),
}
"""Pairs with slips of grammar or spelling, of which one side makes no sentence, or that stand in the data twice."""
CRUDE = {202, 294, 634, 781, 1081, 1110, 1128, 1226, 1352, 1418}
"""Pairs about sexual violence, or that make animals of people."""


def main() -> None:
    """Write the three pools."""
    sources = common.sources_argument(__doc__)
    common.write_pool("occupations", [*winogender(sources), *winogenerated(sources)])
    common.write_pool("coreference", winobias(sources))
    common.write_pool("crows_pairs", crows_pairs(sources))


def winogender(sources: Path) -> Iterator[dict[str, Any]]:
    """Sentences in which the pronoun stands for the person at work, with all three pronouns."""
    share = {
        row["occupation"]: float(row["bls_pct_female"])
        for row in common.rows(sources, "winogender/occupations-stats.jsonl")
    }
    sentences: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in common.rows(sources, "winogender/all_sentences.jsonl"):
        occupation, other, referent, gender, _ = row["sentid"].split(".")
        if referent == "0":
            sentences[occupation, other][PRONOUNS[gender]] = common.tidy(row["sentence"])
    for (occupation, other), texts in sentences.items():
        yield _sentence(occupation, other, texts, share[occupation], "winogender", "MIT")


def winogenerated(sources: Path) -> Iterator[dict[str, Any]]:
    """Model-written sentences of the same kind, where *they* asks for no other verb."""
    for row in common.rows(sources, "anthropic-evals/winogenerated_examples.jsonl.gz"):
        blank = row["sentence_with_blank"]
        occupation, other = row["occupation"], row["other_person"]
        fits = (
            ".." not in blank and blank.count("_") == 1 and blank.isascii() and blank[0].isupper() and blank[-1] == "."
        )
        if row["pronoun_options"][2] == "they" and not re.search(rf"_ {AGREES}", blank):
            continue
        named = f"The {occupation}" in blank or f"the {occupation}" in blank
        if fits and named and other in blank and not re.search(r"\b(?:he|she|his|her|him|they|them|their)\b", blank):
            texts = {
                name: blank.replace("_", word)
                for name, word in zip(("he", "she", "they"), row["pronoun_options"], strict=True)
            }
            percent = float(row["BLS_percent_women_2019"])
            yield _sentence(occupation, other, texts, percent, "winogenerated", "CC-BY-4.0")


def _sentence(
    occupation: str, other: str, texts: dict[str, str], percent: float, source: str, licence: str
) -> dict[str, Any]:
    return {
        "occupation": occupation,
        "other": other,
        **texts,
        "percent_women": percent,
        "cluster": occupation,
        "source": source,
        "licence": licence,
        "domain": "occupations",
    }


def winobias(sources: Path) -> Iterator[dict[str, Any]]:
    """Pairs whose pronoun stands for the occupation that a stereotype gives to that gender, or for the other one."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for row in common.rows(sources, "winobias/sentences.jsonl"):
        by_file[row["file"]].append(row["line"])
    named = {found for lines in by_file.values() for line in lines for found in _marked(line)}
    known = re.compile(rf"\b(?:{'|'.join(sorted(named, key=len, reverse=True))})\b")
    for kind in ("type1.txt.dev", "type1.txt.test", "type2.txt.dev", "type2.txt.test"):
        pairs = zip(by_file[f"pro_stereotyped_{kind}"], by_file[f"anti_stereotyped_{kind}"], strict=True)
        for pro, anti in pairs:
            people = list(dict.fromkeys(known.findall(_plain(pro).casefold())))
            marked = _marked(pro)
            texts = {name: _plain(line) for name, line in (("pro", pro), ("anti", anti))}
            words = [text.split() for text in texts.values()]
            changed = [a for a, b in zip(*words, strict=False) if a != b]
            if marked and len(people) == 2 and len(words[0]) == len(words[1]) and len(changed) == 1:
                yield {
                    **texts,
                    "people": people,
                    "cluster": "-".join(sorted(people)).replace(" ", "-"),
                    "source": "winobias",
                    "licence": "MIT",
                    "domain": "occupations",
                }


def _marked(line: str) -> list[str]:
    """The occupation in square brackets, in lower case."""
    return [found.casefold() for found in re.findall(r"\[(?:[Tt]he|[Aa]n?) ([\w ]+)\]", line)]


def _plain(line: str) -> str:
    text = common.tidy(re.sub(r"[\[\]]", "", line.split(" ", 1)[1]))
    return re.sub(r"\s+([.,;]|'s\b)", r"\1", text)


def crows_pairs(sources: Path) -> Iterator[dict[str, Any]]:
    """Pairs that differ in the word for a group alone, and whose kind of bias four of five annotators named.

    The data set's faults are known; what is left here has the same sentence around two words of the list.
    """
    terms = {term for line in common.word_list("group_terms")["terms"] for term in line.split()}
    refused = re.compile("|".join(common.word_list("group_terms")["refused"]), re.IGNORECASE)
    for row in common.rows(sources, "crows-pairs/crows_pairs_anonymized.jsonl.gz"):
        if int(row[""]) in GARBLED | CRUDE:
            continue
        more, less = (common.tidy(row[side]) for side in ("sent_more", "sent_less"))
        first, second = more.split(), less.split()
        votes = sum(row["bias_type"] in named for named in ast.literal_eval(row["annotations"]))
        places = [n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b]
        if len(first) != len(second) or len(places) != 1 or votes < FEWEST_VOTES or refused.search(more + less):
            continue
        words = [re.sub(r"'s(?=\W*$)|[^\w-]", "", text[places[0]]) for text in (first, second)]
        money = [word.casefold() in {"poor", "rich", "wealthy"} for word in words]
        if (
            all(word.casefold() in terms for word in words)
            # A word for wealth against one for a colour changes more than the group.
            and money[0] == money[1]
            and more.isascii()
            and ".." not in more
            and more[-1] in ".!?"
            and more[0].isupper()
        ):
            yield {
                "more": more,
                "less": less,
                "more_term": words[0],
                "less_term": words[1],
                "side": row["stereo_antistereo"],
                "cluster": f"crows-{row['']}",
                "source": "crows-pairs",
                "licence": "CC-BY-SA-4.0",
                "domain": row["bias_type"],
            }


if __name__ == "__main__":
    main()
