"""What a model reads of conversations and in which batches, told from the score store where it was found out before.

Both follow from the texts and from all that the store stands for (weights, tokenizer, template, code, packages) for a
model that names what else decides them, see `RewardModel.reads_by`. Then a scan of known conversations need not write
them out and make them into tokens again. What is remembered is asked for by a digest of the very texts, so that no
other ones find it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from rmaudit.conversation import Conversation
from rmaudit.models.interface import Arrangement, RewardModel, Work
from rmaudit.scoring.store import KEY, ScoreStore, keys_of


class Reader:
    """Asks a model how it reads and arranges conversations, or the store where that is known."""

    def __init__(self, model: RewardModel, store: ScoreStore | None) -> None:
        """Take a loaded model and its store, if it has one."""
        self._model = model
        self._by = model.reads_by
        self._store = store if self._by is not None else None

    def keys(self, groups: Mapping[str, Mapping[str, Conversation]]) -> list[str]:
        """Key of each conversation, group by group: equal ones are the same to the model.

        Groups that are not known are put before the model together, see `RewardModel.prepare`.

        Args:
            groups: by any name, conversations by their `conversation_key`; each group is remembered by itself.
        """
        found = {name: self._known_keys(texts) for name, texts in groups.items()}
        unknown = {name: texts for name, texts in groups.items() if found[name] is None}
        if unknown:
            every = [text for texts in unknown.values() for text in texts.values()]
            self._model.prepare(every)
            fresh = iter(keys_of(self._model, every))
            for name, texts in unknown.items():
                found[name] = own = list(itertools.islice(fresh, len(texts)))
                self._keep(_about_keys(self._by, texts), "".join(own))
        return [key for keys in found.values() for key in keys or ()]

    def arrange(self, keys: Sequence[str], conversations: Sequence[Conversation]) -> Arrangement:
        """Which conversations are scored together; see `RewardModel.arrange`.

        Args:
            keys: of the conversations.
            conversations: all different to the model.
        """
        about = {"arranged": [self._by, hashlib.sha256("".join(keys).encode("ascii")).hexdigest()]}
        known = _arrangement(self._recall(about), len(keys))
        if known is not None:
            return known
        made = self._model.arrange(conversations)
        works = made.works and [[work.tokens, work.unique, work.computed, work.padding] for work in made.works]
        self._keep(about, {"batches": made.batches, "works": works})
        return made

    def _known_keys(self, texts: Collection[str]) -> list[str] | None:
        told = self._recall(_about_keys(self._by, texts)) if self._store is not None else None
        if not isinstance(told, str) or len(told) != KEY * len(texts):
            return None
        return [told[start : start + KEY] for start in range(0, len(told), KEY)]

    def _recall(self, about: Any) -> Any:
        return None if self._store is None else self._store.recall_note(about)

    def _keep(self, about: Any, note: Any) -> None:
        if self._store is not None:
            self._store.keep_note(about, note)


def _about_keys(by: str | None, texts: Iterable[str]) -> Any:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return {"read": [by, digest.hexdigest()]}


def _arrangement(note: Any, count: int) -> Arrangement | None:
    """An arrangement as it was noted, if it is one of so many conversations."""
    try:
        batches = tuple(tuple(map(int, batch)) for batch in note["batches"])
        works = note["works"]
        if works is not None:
            works = tuple(Work(int(a), int(b), int(c), int(d)) for a, b, c, d in works)
    except (KeyError, TypeError, ValueError):
        return None
    whole = sorted(itertools.chain.from_iterable(batches)) == list(range(count))
    fits = all(batches) and (works is None or len(works) == len(batches))
    return Arrangement(batches, works) if whole and fits else None
