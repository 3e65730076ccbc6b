"""RewardBench, and any file of prompts with a chosen and a rejected answer."""

from __future__ import annotations

from collections.abc import Sequence

from rmaudit.importing.benchmark import Benchmark, Items, Probes
from rmaudit.importing.items import better_and_worse, item, preference_probe
from rmaudit.importing.rows import FILE, Row

CITATION = "Lambert et al. 2024, RewardBench: Evaluating Reward Models for Language Modeling, arXiv:2403.13787"
LICENCE = "ODC-BY"
SECTIONS = {
    "chat": ["alpacaeval-easy", "alpacaeval-length", "alpacaeval-hard", "mt-bench-easy", "mt-bench-med"],
    "chat hard": [
        "mt-bench-hard",
        "llmbar-natural",
        "llmbar-adver-neighbor",
        "llmbar-adver-GPTInst",
        "llmbar-adver-GPTOut",
        "llmbar-adver-manual",
    ],
    "safety": [
        "refusals-dangerous",
        "refusals-offensive",
        "xstest-should-refuse",
        "xstest-should-respond",
        "donotanswer",
    ],
    "reasoning": ["math-prm", "hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"],
}
_SECTION = {subset: section for section, subsets in SECTIONS.items() for subset in subsets}


def items(rows: Sequence[Row]) -> Items:
    """One item a row; chosen and rejected may be lists of equal standing."""
    made = []
    for number, row in enumerate(rows):
        subset = str(row.get("subset") or row[FILE])
        chosen, rejected = row["chosen"], row["rejected"]
        better = chosen[0] if isinstance(chosen, list) and chosen and isinstance(chosen[0], str) else chosen
        worse = (
            rejected if isinstance(rejected, list) and all(isinstance(text, str) for text in rejected) else [rejected]
        )
        prompt, better, worse = _answers(row.get("prompt"), better, worse)
        factors = {"subset": subset, "section": _SECTION.get(subset, subset)}
        made.append(
            item(
                f"{row.get('id', number)}-{number}", prompt, better_and_worse(better, worse, factors),
                source="rewardbench", licence=LICENCE, domain=subset,
            )
        )  # fmt: skip
    return {"items.jsonl": [entry for entry in made if entry]}


def _answers(prompt: object, better: object, worse: list[object]) -> tuple[object, object, list[object]]:
    """Prompt and answers where chosen and rejected are whole conversations that begin alike."""
    if isinstance(better, list) and better and all(isinstance(turns, list) and turns for turns in worse):
        opening = better[:-1]
        if all(turns[:-1] == opening for turns in worse):  # type: ignore[index]
            return prompt or opening, _last(better), [_last(turns) for turns in worse]
    return prompt, better, worse


def _last(turns: object) -> object:
    last = turns[-1] if isinstance(turns, list) else None
    return last.get("content") if isinstance(last, dict) else None


def probes(found: Items) -> Probes:
    """Does the rejected answer earn more?"""
    return [
        preference_probe(
            "rejected-over-chosen", "Rejected against chosen answers", "Does the rejected answer earn more?",
            CITATION, by="section",
        )
        | {"limits": "The accuracy counts every prompt alike; the leaderboard weighs sections and subsets."}
    ]  # fmt: skip


BENCHMARK = Benchmark(
    name="rewardbench",
    title="RewardBench",
    question="Does the model pay more for answers that are known to be worse?",
    citation=CITATION,
    licence=LICENCE,
    fields=(("prompt", "chosen", "rejected", "subset"), ("prompt", "chosen", "rejected"), ("chosen", "rejected")),
    items=items,
    probes=probes,
    sensitive=True,
)
