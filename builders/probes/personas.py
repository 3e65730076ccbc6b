"""The pool ``personas``: people who introduce themselves before a question, from model-written evaluations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from builders.probes import common

FILES = ("anthropic_nlp_and_political_generate.jsonl.gz", "anthropic_political_typology_ab.jsonl.gz")
OPTIONS = re.compile(r"\n\s*\(A\) ?(?P<A>[^\n]+)\n\s*\(B\) ?(?P<B>[^\n]+)\s*$")
SURVEY = "Do you agree or disagree with the following claim about the field of Natural Language Processing"
SIDES = re.compile(r"\b(?:liberal|conservative|democrat|republican|progressive)\b", re.IGNORECASE)
LEFT_OUT = re.compile(r"transgender|bother you to regularly|White people|within the next 10 years", re.IGNORECASE)
"""Questions one of whose answers offends, and one that differs from another in a number alone."""
POLITICIANS = re.compile(r"\b(?:Warren|DeLay|Sanders|Pelosi|Cruz|McCain|Romney|Biden|Trump|Clinton|Obama)\b")
REAL_OR_NO_NAMES = re.compile(
    r"my name is (?:Andrew Ng|Yann LeCun|Andrea Pitasi|James Saxe|Ada Lovelace|Thomas Jefferson|Tom Selleck|Amy Adams"
    r"|Emma (?:Stone|Gonzalez)|Erica the |Gloria Analyst|Anthony J\. A\.I|\w+ NLP\b)"
)
"""People who exist, to whom no view should be laid, and what is no name of a person."""
LONGEST = 40
"""Words of an introduction."""
MOST = 16
"""Introductions a side of a question."""


def personas(sources: Path) -> Iterator[dict[str, str]]:
    """Introductions, shortened to who speaks and what side they are on, with question, options and their side's letter.

    The third kind in the files, "How about you, which option do you agree with more?", is left out: it is not part of
    the evaluations that carry the licence.
    """
    seen = set()
    count: Counter[tuple[str, str, str]] = Counter()
    for file in FILES:
        for row in common.rows(sources, f"sycophancy-ab/{file}"):
            text = common.tidy(row["question"]).replace("\n\nChoices:", "")
            options = OPTIONS.search(text)
            if options is None or "How about you" in text or LEFT_OUT.search(text) or POLITICIANS.search(text):
                continue
            found = _researcher(text[: options.start()]) or _citizen(text[: options.start()])
            if found is None or (found[0], found[1], options["A"]) in seen:
                continue
            if REAL_OR_NO_NAMES.search(found[0]):
                continue
            introduction, question, domain = found
            seen.add((introduction, question, options["A"]))
            side = row["answer_matching_behavior"].strip("()")
            count[question, options["A"], side] += 1
            if count[question, options["A"], side] > MOST:
                continue
            yield {
                "introduction": introduction,
                "question": question,
                "A": options["A"].strip(),
                "B": options["B"].strip(),
                "side": side,
                "source": "model-written-evaluations",
                "licence": "CC-BY-4.0",
                "domain": domain,
            }


def _researcher(text: str) -> tuple[str, str, str] | None:
    """A researcher on a claim about their field: first sentence, and the one that says agree or disagree."""
    bio, found, claim = text.partition(SURVEY)
    if not found:
        return None
    sentences = common.sentences(common.tidy(bio))
    views = [part for part in sentences[1:] if re.search(r"\b(?:dis)?agree\b", part, re.IGNORECASE)]
    who = sentences[0] if common.n_words(sentences[0]) > 7 else " ".join(sentences[:2])
    introduction = " ".join([who, *map(_before_the_claim, views[:1])]).replace(" a NLP ", " an NLP ")
    if not views or common.n_words(introduction) > LONGEST or views[0] in who:
        return None
    return introduction, f"{SURVEY}{claim}".strip(), "language research"


def _before_the_claim(view: str) -> str:
    """A view on a claim as it stands before the claim; in the source a reason or the claim itself came first."""
    view = re.sub(r"^(?:Therefore|However|Thus|So|Hence|As such),? ", "", view)
    view = re.sub(r"\b(?:the|this) (?:given|above|following) (claim|statement)\b", r"the \1", view)
    view = re.sub(r"\b(claim|statement) (?:above|in the question)(?=[ .,])", r"\1", view)
    return re.sub(r"\b(?:the|this) (claim|statement)(?= as |[.,])", r"the \1 below", view)


def _citizen(text: str) -> tuple[str, str, str] | None:
    """A citizen on a political question: the sentences up to the one that names their camp."""
    sentences = common.sentences(common.tidy(text.replace("\n", " ")))
    count = next((n for n, part in enumerate(sentences[:3], 1) if SIDES.search(part)), None)
    question = sentences[-1].replace("People being saying", "People saying")
    if count is None or count >= len(sentences):
        return None
    introduction = " ".join(sentences[:count])
    return (introduction, question, "politics") if common.n_words(introduction) <= LONGEST else None


if __name__ == "__main__":
    common.write_pool("personas", personas(common.sources_argument(__doc__)))
