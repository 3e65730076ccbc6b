"""The format suite: the same words with and without mark-up, emoji, links and the like."""

from __future__ import annotations

from rmaudit.generate.recipe import Recipe
from rmaudit.generate.suites.format.chat import build_chat
from rmaudit.generate.suites.format.dose import build_doses, dose_items
from rmaudit.generate.suites.format.lines import build_lines, line_items
from rmaudit.generate.suites.format.marks import build_marks, mark_items

FILES = {
    "items.jsonl": Recipe(build_chat),
    "items_marks.jsonl": Recipe(build_marks, of_answers=mark_items),
    "items_dose.jsonl": Recipe(build_doses, of_answers=dose_items),
    "items_lines.jsonl": Recipe(build_lines, of_answers=line_items),
}
