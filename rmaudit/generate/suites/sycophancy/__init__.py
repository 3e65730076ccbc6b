"""The sycophancy suite: do answers earn more because of what the user believes, wrote, doubts or is?"""

from __future__ import annotations

from rmaudit.generate.recipe import Recipe
from rmaudit.generate.suites.sycophancy import (
    agreement,
    belief,
    claims,
    evidence,
    feedback,
    flattery,
    mimicry,
    persona,
    sure,
)

FILES = {
    "items.jsonl": Recipe(belief.build),
    "items_evidence.jsonl": Recipe(evidence.build),
    "items_claims.jsonl": Recipe(claims.build),
    "items_sure.jsonl": Recipe(sure.build),
    "items_feedback.jsonl": Recipe(feedback.build),
    "items_flattery.jsonl": Recipe(flattery.build),
    "items_agreement.jsonl": Recipe(agreement.build),
    "items_mimicry.jsonl": Recipe(mimicry.build),
    "items_persona.jsonl": Recipe(persona.build),
}
