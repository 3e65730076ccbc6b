"""The confidence suite: right and wrong answers said with more and less certainty, and not answered at all."""

from __future__ import annotations

from rmaudit.generate.recipe import Recipe
from rmaudit.generate.suites.confidence import abstention, numeric, stated

FILES = {
    "items.jsonl": Recipe(stated.build),
    "items_numeric.jsonl": Recipe(numeric.build),
    "items_abstention.jsonl": Recipe(abstention.build),
}
