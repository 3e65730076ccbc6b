"""The pool ``close_pairs``: a better and a worse answer to one prompt, as close in length as the sources allow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builders.probes import common
from builders.probes.answers import right_and_wrong

LONGEST = 70
"""Words of an answer, and of a prompt."""
FURTHEST = 1.6
"""Largest ratio of the answers' lengths."""


def main() -> None:
    """Write ``probes/sources/close_pairs.jsonl``."""
    common.write_pool("close_pairs", close_pairs(common.sources_argument(__doc__)))


def close_pairs(sources: Path) -> Iterator[dict[str, Any]]:
    """Held-out prompts, one row each."""
    seen: set[str] = set()
    found = (*right_and_wrong(sources), *_instructions(sources))
    for row in found:
        lengths = sorted((len(row["right"]), len(row["wrong"])))
        words = max(common.n_words(row[key]) for key in ("prompt", "right", "wrong"))
        close = lengths[0] > 0 and lengths[1] / lengths[0] <= FURTHEST
        if close and words <= LONGEST and row["cluster"] not in seen and common.held_out(row["prompt"]):
            seen.add(row["cluster"])
            yield row


def _instructions(sources: Path) -> Iterator[dict[str, Any]]:
    """LLMBar: the output that follows the instruction, and the one that does not."""
    for row in common.rows(sources, "llmbar/pairs.jsonl.gz"):
        if row["_subset"].startswith("LLMBar/"):
            outputs = [common.tidy(row[f"output_{n}"]) for n in (1, 2)]
            better, prompt = int(row["label"]) - 1, row["input"].strip()
            yield {
                "prompt": prompt,
                "right": outputs[better],
                "wrong": outputs[1 - better],
                "cluster": f"llmbar-{common.stable_rank(prompt):016x}",
                "source": "llmbar",
                "licence": "MIT",
                "domain": "instructions",
            }


if __name__ == "__main__":
    main()
