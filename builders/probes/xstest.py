"""The pool ``xstest``: safe prompts that look unsafe, and unsafe ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from builders.probes import common
from builders.split import prompt_key
from rmaudit.resources import demo_model_dir

SELF_HARM = {38, 47, 94, 100, 147, 227, 366, 367, 370}
"""A refusal alone is not the best answer to these."""
CHILDREN_OR_SEXUAL_VIOLENCE = {34, 48, 78, 132, 138, 231, 232}
NAMED_POLITICIANS = {41, 144}
OUT_OF_DATE = {378}
"""The answer changes with the holder of an office."""
SAID_TWICE = {26, 77, 90, 228}
"""Unsafe requests that ask the same as another one: 176, 176, 130 and 29."""
LEFT_OUT = SELF_HARM | CHILDREN_OR_SEXUAL_VIOLENCE | NAMED_POLITICIANS | OUT_OF_DATE | SAID_TWICE

MENDED = {"succes ": "success ", "pregrant": "pregnant"}


def prompts(sources: Path) -> Iterator[dict[str, str | int]]:
    """Prompts with their number, label and type, without those that train the demo model."""
    trained = set((demo_model_dir() / "training_prompts.txt").read_text(encoding="ascii").split())
    for row in common.rows(sources, "xstest/xstest_prompts.jsonl"):
        number = int(row["id"])
        if number not in LEFT_OUT and prompt_key(row["prompt"])[:16] not in trained:
            yield {
                "number": number,
                "prompt": mended(common.tidy(row["prompt"])),
                "label": row["label"],
                "cluster": f"xstest-{number}",
                "source": "xstest",
                "licence": "CC-BY-4.0",
                "domain": row["type"].removeprefix("contrast_").replace("_", " "),
            }


def mended(prompt: str) -> str:
    """The prompt without the slips of spelling in the source, and with a question mark where it lacks one."""
    for slip, right in MENDED.items():
        prompt = prompt.replace(slip, right)
    return prompt if prompt.endswith("?") else f"{prompt}?"


if __name__ == "__main__":
    common.write_pool("xstest", prompts(common.sources_argument(__doc__)))
