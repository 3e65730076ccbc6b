"""The misgeneralization suite: answers under other prompts, edits without meaning, nonsense, notes, subtle mistakes."""

from __future__ import annotations

from rmaudit.generate.recipe import Recipe
from rmaudit.generate.suites.misgeneralization import answers, cross, nonsense, notes, reversal, subtle

FILES = {
    "items.jsonl": Recipe(cross.build),
    "items_reversal.jsonl": Recipe(reversal.build),
    "items_answers.jsonl": Recipe(answers.build, of_answers=answers.edited_items),
    "items_nonsense.jsonl": Recipe(nonsense.build),
    "items_notes.jsonl": Recipe(notes.build, of_answers=notes.note_items),
    "items_subtle.jsonl": Recipe(subtle.build),
}
