"""Which prompts may train the demo model, and which are kept for the panel, the suites and its evaluation.

The split comes before anything else and looks only at the prompt, so that every answer to a prompt, from
whatever source, falls on the same side.
"""

from __future__ import annotations

import hashlib
import re

HELD_OUT_PERCENT = 40


def prompt_key(prompt: str) -> str:
    """Hash of a prompt (its first user turn), blind to case, spacing and punctuation."""
    words = " ".join(re.findall(r"\w+", prompt.casefold()))
    return hashlib.sha256(words.encode()).hexdigest()


def is_held_out(prompt: str) -> bool:
    """Whether this prompt (first user turn) is kept from training."""
    return int(prompt_key(prompt)[:8], 16) % 100 < HELD_OUT_PERCENT
