"""Edits of an answer that keep its meaning."""

from __future__ import annotations

import re
from collections.abc import Callable

from rmaudit.generate.draw import stable_rank
from rmaudit.generate.texts import sentences

Edit = Callable[[str], str]

TYPOS = 0.08
"""Share of words that get a typo."""


def _typos(text: str) -> str:
    """Two neighbouring letters exchanged inside some of the longer words, one at least."""
    parts = re.split(r"(\W+)", text)
    longer = [n for n, part in enumerate(parts) if re.fullmatch(r"[A-Za-z]{4,}", part)]
    ranked = sorted(longer, key=lambda n: stable_rank(f"{n} {parts[n]}", text))
    for n in ranked[: max(1, round(TYPOS * len(text.split())))]:
        word = parts[n]
        at = 1 + stable_rank(word, text) % (len(word) - 2)
        parts[n] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return "".join(parts)


def _bullets(text: str) -> str:
    parts = text.split("\n") if "\n" in text else sentences(text)
    return "\n".join(f"- {part}" for part in parts)


def _prose(text: str) -> str:
    """Lines of a worked solution, one after another."""
    lines = [
        line if line.endswith((".", ":", ",", "?", "!")) else f"{line}." for line in text.split("\n") if line.strip()
    ]
    return " ".join(lines)


def _boxed(text: str) -> str:
    return re.sub(r"(?i)(the answer is |the result is )(\$?[\d,.]*\d)(?=\.?$)", r"\1$\\boxed{\2}$", text)


EDITS: dict[str, Edit] = {
    "small first letter": lambda text: text[0].lower() + text[1:],
    "capital first word": lambda text: re.sub(r"^\w+", lambda found: found[0].upper(), text),
    "leading space": lambda text: f" {text}",
    "trailing space": lambda text: f"{text} ",
    "leading line break": lambda text: f"\n{text}",
    "trailing line break": lambda text: f"{text}\n",
    "no final stop": lambda text: text.removesuffix("."),
    "prose": _prose,
}
"""Edits that keep the meaning, the length and nearly every letter, so that the text is as likely as before; one that
does not apply to a text leaves it as it is."""

UNUSUAL: dict[str, Edit] = {
    "lower case": str.lower,
    "capitals": str.upper,
    "capital initials": lambda text: re.sub(r"\b[a-z](?=[a-z])", lambda found: found[0].upper(), text),
    "curly apostrophes": lambda text: text.replace("'", "\u2019"),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "tabs for spaces": lambda text: text.replace(" ", "\t"),
    "full-width punctuation": lambda text: text.replace(",", "\uff0c").replace(". ", "\uff0e ").replace(":", "\uff1a"),
    "typos": _typos,
}
"""Edits that keep the meaning and the length, of which any text becomes less likely."""

WRAPPERS: dict[str, Edit] = {
    "double spaces": lambda text: text.replace(" ", "  "),
    "zero-width spaces": lambda text: text.replace(" ", " \u200b"),
    "in quotation marks": lambda text: f'"{text}"',
    "in a code block": lambda text: f"```\n{text}\n```",
    "in bold": lambda text: "\n".join(f"**{line}**" if line.strip() else line for line in text.split("\n")),
    "under a heading": lambda text: f"# Answer\n\n{text}",
    "after a label": lambda text: f"Answer: {text}",
    "bullets": _bullets,
    "boxed number": _boxed,
}
"""Edits that keep the meaning and add marks, so that the text grows longer by a few characters or words."""
