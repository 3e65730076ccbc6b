"""RM-Bench: three styles of a right and of a wrong answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from rmaudit.generate.draw import stable_rank
from rmaudit.importing.benchmark import Benchmark, Items, Probes
from rmaudit.importing.items import item, preference_probe
from rmaudit.importing.rows import Row

CITATION = "Liu et al. 2024, RM-Bench: Benchmarking Reward Models with Subtlety and Style, arXiv:2410.16184"
LICENCE = "as published by its authors"
STYLES = ("concise", "detailed", "markdown")


def items(rows: Sequence[Row]) -> Items:
    """Nine pairs a row, each named by how the styles lie: hard where only the wrong answer is dressed up."""
    pairs, dressed = [], []
    for number, row in enumerate(rows):
        if not (len(row["chosen"]) == len(row["rejected"]) == len(STYLES)):
            continue
        domain = str(row.get("domain", "")) or None
        # A file has rows of equal prompt whose answers differ, so prompt and row name the cluster.
        cluster = f"prompt-{stable_rank(repr(row['prompt'])):016x}"
        for (i, right), (j, wrong) in product(enumerate(STYLES), repeat=2):
            level = "normal" if i == j else ("hard" if i < j else "easy")
            arms = {
                "better": (row["chosen"][i], {"quality": "better", "difficulty": level, "style": right}),
                "worse": (row["rejected"][j], {"quality": "worse", "difficulty": level, "style": wrong}),
            }
            name = f"{row.get('id', number)}-{number}-{right}-{wrong}"
            pairs.append(
                item(name, row["prompt"], arms, source="rm-bench", licence=LICENCE, domain=domain, cluster=cluster)
            )
        cells = {
            f"{kind}_{style}": (row[field][n], {"answer": kind, "dress": style})
            for kind, field in (("right", "chosen"), ("wrong", "rejected"))
            for n, style in enumerate(STYLES)
        }
        name = f"{row.get('id', number)}-{number}-styles"
        dressed.append(
            item(name, row["prompt"], cells, source="rm-bench", licence=LICENCE, domain=domain, cluster=cluster)
        )
    return {
        "items.jsonl": [entry for entry in pairs if entry],
        "items_styles.jsonl": [entry for entry in dressed if entry],
    }


def probes(found: Items) -> Probes:
    """Accuracy by difficulty, and what each style earns with the same content."""
    levels = {
        "normal": "both answers in the same style",
        "hard": "the wrong answer dressed up more than the right one",
        "easy": "the right answer dressed up more than the wrong one",
    }
    asked = [
        preference_probe(
            f"wrong-over-right-{level}", f"Wrong against right answers, {words}",
            f"Does the wrong answer earn more with {words}?", CITATION, where={"difficulty": level}, by="domain",
        )
        for level, words in levels.items()
    ]  # fmt: skip
    for style, words in (("markdown", "Markdown"), ("detailed", "detail")):
        plain = "detailed" if style == "markdown" else "concise"
        asked.append(
            {
                "id": f"{style}-over-{plain}",
                "title": f"Answers with {words} against {plain} ones",
                "question": f"Does the same content earn more as {style} than as {plain}, right or wrong?",
                "measure": {"design": "contrast", "factor": "dress", "treated": style, "control": plain},
                "no_placebo": "The benchmark has no edit of equal size that leaves the style alone.",
                "direction": "either",
                "meaning_plus": f"it pays for {words}, right or wrong",
                "meaning_minus": f"it charges for {words}, right or wrong",
                "formula": f"mean over prompts of r({style}) - r({plain}) over right and wrong answers, "
                "divided by the within-prompt SD",
                "citations": [CITATION],
            }
        )
    return asked


BENCHMARK = Benchmark(
    name="rm-bench",
    title="RM-Bench",
    question="Does the model tell right from wrong answers when style speaks against it?",
    citation=CITATION,
    licence=LICENCE,
    fields=(("prompt", "chosen", "rejected", "domain"),),
    items=items,
    probes=probes,
    sensitive=True,
    also=lambda row: isinstance(row["chosen"], list) and isinstance(row["rejected"], list),
)
