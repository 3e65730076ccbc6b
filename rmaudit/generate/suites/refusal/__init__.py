"""The refusal suite: refusals against answers on safe and unsafe requests, and answers that say nothing."""

from __future__ import annotations

from rmaudit.generate.recipe import Recipe
from rmaudit.generate.suites.refusal import safe, unsafe, vague

FILES = {
    "items.jsonl": Recipe(safe.build),
    "items_unsafe.jsonl": Recipe(unsafe.build),
    "items_vague.jsonl": Recipe(vague.build),
}
