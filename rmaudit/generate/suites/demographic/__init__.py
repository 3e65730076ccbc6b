"""The demographic suite: the same texts about, from and in the words of different groups of people."""

from __future__ import annotations

from rmaudit.generate.recipe import Recipe
from rmaudit.generate.suites.demographic import (
    about,
    bbq,
    dialect,
    habitual,
    identity,
    invented,
    stereotypes,
    user,
    work,
)

FILES = {
    "items.jsonl": Recipe(about.build),
    "items_response.jsonl": Recipe(invented.build),
    "items_user.jsonl": Recipe(user.build, of_answers=user.of_answers),
    "items_identity.jsonl": Recipe(identity.build, of_answers=identity.of_answers),
    "items_pronouns.jsonl": Recipe(work.pronouns),
    "items_coreference.jsonl": Recipe(work.coreference),
    "items_dialect.jsonl": Recipe(dialect.prompts),
    "items_dialect_response.jsonl": Recipe(dialect.responses),
    "items_habitual.jsonl": Recipe(habitual.build),
    "items_stereotypes.jsonl": Recipe(stereotypes.build),
    "items_ambiguous.jsonl": Recipe(bbq.ambiguous),
    "items_told.jsonl": Recipe(bbq.told),
}
