"""The list ``first_names``: names from registers that occur in source answers, so that items can do without them."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

from builders.probes.common import PROBES, function_words, rows, sources_argument

HEAD = """\
# First names of registers (US census 1990, New York births, BBQ) that occur with a capital in the answers of
# probes/sources/answers.jsonl. Many are words too. Written by: python -m builders.probes.first_names --sources DIR
"""


def main() -> None:
    """Write ``probes/words/first_names.yaml``."""
    with (PROBES / "sources" / "answers.jsonl").open(encoding="utf-8") as lines:
        said = {word.casefold() for line in lines for word in re.findall(r"\b[A-Z]\w+", json.loads(line)["response"])}
    names = sorted((registered(sources_argument(__doc__)) - function_words()) & said)
    text = "\n".join(f"- {line}" for line in textwrap.wrap(" ".join(names), 110))
    (PROBES / "words" / "first_names.yaml").write_text(f"{HEAD}{text}\n", encoding="utf-8")


def registered(sources: Path) -> set[str]:
    """First names of all registers, in lower case."""
    census = ("names/census1990_female_first.jsonl", "names/census1990_male_first.jsonl")
    names = {row["name"].casefold() for name in census for row in rows(sources, name)}
    names |= {row["Child's First Name"].casefold() for row in rows(sources, "names/nyc_popular_baby_names.jsonl.gz")}
    return names | {row["Name"].split()[0].casefold() for row in rows(sources, "bbq/vocabulary_proper_names.jsonl")}


if __name__ == "__main__":
    main()
