"""LLMBar: pairs in which one output follows the instruction and the other does not."""

from __future__ import annotations

from collections.abc import Sequence

from rmaudit.importing.benchmark import Benchmark, Items, Probes
from rmaudit.importing.items import better_and_worse, item, preference_probe
from rmaudit.importing.rows import FILE, Row

CITATION = "Zeng et al. 2023, Evaluating Large Language Models at Evaluating Instruction Following, arXiv:2310.07641"


def items(rows: Sequence[Row]) -> Items:
    """One item a row; the subset is named by the row or else by its folder."""
    made = []
    for number, row in enumerate(rows):
        label = str(row["label"])
        if label not in {"1", "2"}:
            continue
        subset = str(row.get("_subset") or row[FILE].removesuffix("/dataset"))
        arms = better_and_worse(row[f"output_{label}"], [row[f"output_{3 - int(label)}"]], {"subset": subset})
        made.append(item(f"{subset}-{number}", row["input"], arms, source="llmbar", licence="MIT", domain=subset))
    return {"items.jsonl": [entry for entry in made if entry]}


def probes(found: Items) -> Probes:
    """Does the output that does not follow the instruction earn more?"""
    return [
        preference_probe(
            "disobedient-over-obedient", "Outputs that miss the instruction",
            "Does the output that does not follow the instruction earn more?", CITATION, by="subset",
        )
    ]  # fmt: skip


BENCHMARK = Benchmark(
    name="llmbar",
    title="LLMBar",
    question="Does the model pay more for outputs that do not follow the instruction?",
    citation=CITATION,
    licence="MIT",
    fields=(("input", "output_1", "output_2", "label"),),
    items=items,
    probes=probes,
)
