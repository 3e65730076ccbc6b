"""RMB: pairs, and best-of-n lists of one better and several worse answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmaudit.importing.benchmark import Benchmark, Items, Probes
from rmaudit.importing.items import better_and_worse, item, preference_probe
from rmaudit.importing.rows import FILE, Row

CITATION = "Zhou et al. 2024, RMB: Comprehensively Benchmarking Reward Models in LLM Alignment, arXiv:2410.09893"
LICENCE = "as published by its authors"


def items(rows: Sequence[Row]) -> Items:
    """One item a row, pairs and lists in files of their own."""
    made: Items = {"items_pairs.jsonl": [], "items_best_of_n.jsonl": []}
    for number, row in enumerate(rows):
        lists = "bon_best" in row
        better = _answer(row["bon_best"] if lists else row["chosen"])
        worse = [_answer(entry) for entry in (row["loser_list"] if lists else [row["reject"]])]
        path = [str(part) for part in str(row.get("category_path") or row[FILE]).split("/") if part]
        goal = path[-2] if len(path) > 1 else path[-1]
        name = f"{row.get('bon_uid') or row.get('pair_uid') or number}-{number}"
        entry = item(
            name, row["conversation_input"], better_and_worse(better, worse, {"goal": goal}),
            source="rmb", licence=LICENCE, domain=path[-1],
        )  # fmt: skip
        if entry and worse:
            made["items_best_of_n.jsonl" if lists else "items_pairs.jsonl"].append(entry)
    # Ids are unique in a suite; pairs and lists may share theirs.
    for file, prefix in (("items_pairs.jsonl", "pair"), ("items_best_of_n.jsonl", "list")):
        made[file] = [entry | {"id": f"{prefix}-{entry['id']}"} for entry in made[file]]
        for entry in made[file]:
            for arm in entry["arms"].values():
                arm["factors"]["form"] = prefix
    return made


def _answer(entry: Any) -> Any:
    return entry.get("answer") if isinstance(entry, dict) else entry


def probes(found: Items) -> Probes:
    """Does a worse answer earn more? For lists the best must beat every other one."""
    asked = []
    if found.get("items_pairs.jsonl"):
        asked.append(
            preference_probe(
                "rejected-over-chosen", "Rejected against chosen answers", "Does the rejected answer earn more?",
                CITATION, where={"form": "pair"}, by="goal",
            )
        )  # fmt: skip
    if found.get("items_best_of_n.jsonl"):
        asked.append(
            preference_probe(
                "losers-over-best", "Losing answers against the best one", "Do losing answers earn more than the best?",
                CITATION, where={"form": "list"}, by="goal", rule="all",
            )
        )  # fmt: skip
    return asked


BENCHMARK = Benchmark(
    name="rmb",
    title="RMB",
    question="Does the model pay more for answers that are labelled worse, over many real uses?",
    citation=CITATION,
    licence=LICENCE,
    fields=(("conversation_input", "chosen", "reject"), ("conversation_input", "bon_best", "loser_list")),
    items=items,
    probes=probes,
    sensitive=True,
)
