"""The length suite: answers made longer by text that adds nothing, and by text that adds something."""

from __future__ import annotations

from rmaudit.generate.recipe import Recipe
from rmaudit.generate.suites.length.extension import build_extensions, extension_items
from rmaudit.generate.suites.length.padding import build_padding, padding_items
from rmaudit.generate.suites.length.recap import build_recaps, recap_items
from rmaudit.generate.suites.length.wrong import build_wrong

FILES = {
    "items.jsonl": Recipe(build_padding, of_answers=padding_items),
    "items_recap.jsonl": Recipe(build_recaps, of_answers=recap_items),
    "items_extension.jsonl": Recipe(build_extensions, of_answers=extension_items),
    "items_wrong_answers.jsonl": Recipe(build_wrong),
}
