"""The pools ``dialect_problems`` and ``habitual_be``: the same thing said in two dialects of English.

The problems were rewritten by speakers of African American English, the clauses with habitual *be* put together by
linguists from a pattern; so a finding can be told apart by who made the pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builders.probes import common

FEATURES = re.compile(
    r"\w+in'|\bain'?t\b|\bgon'?\b|\btryna\b|\bgotta\b|\bfinna\b|\bwanna\b|\b'?em\b|\baight\b|\by'all\b|\bdone\b|\bmo'"
    r"|\bfo'|\bdas'?\b|\bthem\b|\blil'?\b|\b(?:he|she|they|it|we|you|that|\w+s) be\b"
    r"|\b(?:he|she|it) (?:got|have|need|do)\b"
    r"|\breckon\b|\bhow many \w+ (?:he|she|they|you|the)\b|\byou got\b|\bsay (?:we|you)\b",
    re.IGNORECASE,
)
"""Marks of African American English as the rewriters spell them; a pair without any is a paraphrase."""
COARSE = re.compile(r"\b(?:ass|damn|hell|shit)\b", re.IGNORECASE)
LONGEST = 70
"""Words of a problem in either dialect."""
MOST_EXTRA = 10
"""Words by which the two may differ."""


SENSELESS = {"gsm8k-48", "svamp-170", "svamp-175", "svamp-208"}
"""Problems whose numbers contradict each other in the source."""
SAME_STORY = 0.4
"""Share of words in common from which two problems tell one story."""


def main() -> None:
    """Write both pools."""
    sources = common.sources_argument(__doc__)
    common.write_pool("dialect_problems", with_clusters(problems(sources)))
    common.write_pool("habitual_be", habitual(sources))


def problems(sources: Path) -> Iterator[dict[str, Any]]:
    """Arithmetic problems in Standard American English and as rewritten by speakers, with what solves them."""
    for row in common.rows(sources, "dialect/redial_gold.jsonl.gz"):
        if row["file"] != "math.json" or row["setting"] != "vanilla":
            continue
        standard, spoken = (_question(row[side]["prompt"]) for side in ("original", "aave"))
        standard = _mended(standard, spoken)
        origin = row["original"]["data_name"]
        lengths = common.n_words(standard), common.n_words(spoken)
        fits = max(lengths) <= LONGEST and abs(lengths[0] - lengths[1]) <= MOST_EXTRA
        clean = not COARSE.search(spoken) and standard.isascii() and spoken.isascii() and "%50" not in spoken
        clean = clean and not re.search(r" \d+\?$", standard)
        # The demo model learned from GSM8K, but from no problem of SVAMP.
        unseen = origin == "svamp" or common.held_out(standard)
        if fits and clean and unseen and f"{origin}-{row['index']}" not in SENSELESS and FEATURES.search(spoken):
            yield {
                "standard": standard,
                "spoken": spoken,
                "answer": row["original"]["label"].strip(),
                "name": f"redial-{origin}-{row['index']}",
                "source": "redial",
                "licence": "MIT",
                "domain": "mathematics",
            }


def with_clusters(found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Problems with their cluster: the source tells some stories several times, with other numbers and questions."""
    stories: list[tuple[str, set[str]]] = []
    for row in found:
        words = {word for word in common.content_words(row["standard"]) if word.isalpha()}
        name = next(
            (name for name, other in stories if len(words & other) > SAME_STORY * len(words | other)), row["name"]
        )
        stories.append((name, words))
        yield row | {"cluster": name}


def _question(prompt: str) -> str:
    found = re.search(r"Question: (.*?)\s*\nAnswer:", prompt, re.DOTALL)
    assert found, prompt
    text = re.sub(r"\s+", " ", found.group(1)).strip()
    # Slips of the source that stand in one of the two texts only would be a difference of their own.
    text = re.sub(r"\$ (?=\d)", "$", text)
    text = re.sub(r"(?<=[a-z0-9]) (?=How (?:many|much|long|big)\b)", ". ", text)
    return text if text[-1] in ".?!" else f"{text}?"


def _mended(standard: str, spoken: str) -> str:
    """The standard text without slips that the speaker's text does not have: small names, sentences cut in two."""
    names = set(re.findall(r"(?<=[a-z,0-9] )[A-Z][a-z]+", spoken))
    for name in names:
        standard = re.sub(rf"\b{name.lower()}\b", name, standard)
    first = standard.split()[0].strip(".,'s")
    if first.casefold() not in common.function_words():
        # A person's name, and no season: it follows no article.
        standard = re.sub(rf"(?<!the)(?<!for) {first.lower()}\b", f" {first}", standard)
    standard = re.sub(r"\b(If [^.?!]*)\. (H)ow\b", r"\1, how", standard)
    return re.sub(r"(?<=[.?!] )[a-z]", lambda found: found.group().upper(), standard)


def habitual(sources: Path) -> Iterator[dict[str, Any]]:
    """Clauses with habitual *be*, and with *usually*; only verbs of everyday life, by the list of words."""
    verbs = set(common.words_of("habitual_verbs"))
    for row in common.rows(sources, "dialect/hofmann_habitual_pairs.jsonl"):
        subject, _, verb = row["aae"].split()
        if verb in verbs:
            yield {
                "subject": subject,
                "verb": verb,
                "dialect": row["aae"],
                "standard": row["sae"],
                "cluster": f"habitual-{verb}",
                "source": "dialect-prejudice",
                "licence": "MIT",
                "domain": "everyday",
            }


if __name__ == "__main__":
    main()
