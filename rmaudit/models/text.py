"""How a conversation becomes the tokens that a model reads."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmaudit.conversation import Conversation, as_pair
from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import safety
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.headspec import InputSpec
from rmaudit.models.template import MAX_SOURCE_BYTES, ChatTemplate, FoundTemplate, Unrendered

PLAIN = "{% for message in messages %}{{ message['content'] }}{% endfor %}{{ eos_token if not add_generation_prompt }}"
"""One turn directly after the other, and the EOS token: how non-chat preference data is written in training."""

_UNSTEADY = re.compile(r"\b(strftime\w*|now|random|lipsum)\b")
"""Words of templates that may write another text each time."""

_PROBE: Conversation = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
"""Written out once at load, to see what the template and the tokenizer do at the start of the text."""


@dataclass(frozen=True)
class Encoded:
    """A conversation as tokens."""

    ids: NDArray[np.int32]
    segments: NDArray[np.int32] | None = None
    """Segment of each token where the model tells segments apart."""
    prompt: int = 0
    """Tokens at the beginning that the prompt alone would give too."""
    marks: tuple[int, ...] = ()
    """Positions that are read, where the way of writing decides them."""
    too_long: str | None = None
    """Which part is longer than its authors let it be, where there is more to that than the number of all tokens."""


class ConversationInput(ABC):
    """How conversations become tokens."""

    description: str
    """Where the text around the turns comes from; printed in every report."""
    steady: bool = True
    """Whether the same conversation becomes the same tokens at any time."""

    @abstractmethod
    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""


class TemplateInput(ConversationInput):
    """Conversations written out by a template, with at most one begin-of-text token.

    Templates and tokenizers both may write that token. When the text already begins with it the tokenizer
    adds nothing, otherwise it adds what it adds to any text.
    """

    def __init__(
        self, tokenizer: Any, found: FoundTemplate, spec: InputSpec, where: Path, *, prompts: bool = False
    ) -> None:
        """Take a template and see what it makes of a plain question and answer.

        Args:
            tokenizer: of the transformers library.
            found: the template and where it comes from.
            spec: what is done to the text and to the tokens besides.
            where: the checkpoint, for messages.
            prompts: whether to find out where the answer begins (`Encoded.prompt`).

        Raises:
            LoadRefusedError: when the template fails, leaves the answer out or doubles the begin-of-text token.
        """
        self._tokenizer = tokenizer
        self._template = ChatTemplate(found.source, tokenizer.special_tokens_map)
        self._spec = spec
        self._prompts = prompts
        self._bos = str(tokenizer.bos_token or tokenizer.cls_token or "")
        self._eos = str(tokenizer.eos_token or "")
        if spec.close and not self._eos:
            raise LoadRefusedError(f"{where} needs an EOS token at the end of each text, and its tokenizer has none.")
        advice = "Put the template that it was trained with into the folder as chat_template.jinja."
        (text,) = self._texts([_PROBE])
        if isinstance(text, Unrendered):
            raise LoadRefusedError(
                f"The chat template of {where} fails on a plain question and answer: {text.reason}. {advice}"
            )
        if _PROBE[-1]["content"] not in text:
            raise LoadRefusedError(f"The chat template of {where} leaves the answer out. {advice}")
        (encoded,) = self._tokens([text])
        bos_id = tokenizer.bos_token_id if tokenizer.bos_token else tokenizer.cls_token_id
        count = 0 if bos_id is None else int((encoded.ids == bos_id).sum())
        if count > 1 and bos_id != tokenizer.eos_token_id:
            raise LoadRefusedError(
                f"{where} writes {count} begin-of-text tokens ({self._bos}) before one "
                "conversation, and with a doubled one every score is off. Take it out of chat_template.jinja "
                "or of the tokenizer's post-processor."
            )
        begin = f"{self._bos} from the {'template' if self._begins(text) else 'tokenizer'}" if count else ""
        end = self._ending(encoded)
        dated = ", and it writes today's date into the text" if "strftime_now" in found.source else ""
        self.steady = _UNSTEADY.search(found.source) is None
        self.description = f"{found.origin}; {begin or 'no begin-of-text token'}; {end}{dated}"

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""
        texts: list[str | Unrendered] = [
            Unrendered("it holds half a surrogate pair, which is not text") if not is_text(conversation) else ""
            for conversation in conversations
        ]
        good = [i for i, text in enumerate(texts) if text == ""]
        for i, text in zip(good, self._texts([conversations[i] for i in good]), strict=True):
            texts[i] = text
        written = [i for i in good if isinstance(texts[i], str)]
        tokens = dict(zip(written, self._tokens([str(texts[i]) for i in written]), strict=True))
        if self._prompts and written:
            tokens = self._with_prompts(conversations, texts, tokens)
        return [tokens[i] if i in tokens else _reason(text) for i, text in enumerate(texts)]

    def texts(self, conversations: Sequence[Conversation]) -> list[str | Unrendered]:
        """Text of each conversation, in order, before the tokenizer adds anything, or the reason why it has none."""
        return self._texts(conversations)

    def _texts(self, conversations: Sequence[Conversation], prompt: bool = False) -> list[str | Unrendered]:
        rendered = self._template.render(conversations, prompt or self._spec.generation) if conversations else []
        return rendered if prompt else [self._finished(t) if isinstance(t, str) else t for t in rendered]

    def _finished(self, text: str) -> str:
        text = text.replace(self._bos, "") if self._spec.drop_bos and self._bos else text
        text = text.rstrip(self._spec.strip) if self._spec.strip else text
        return f"{text} {self._eos}" if self._spec.close and not text.endswith(self._eos) else text

    def _begins(self, text: str) -> bool:
        return bool(self._bos) and text.lstrip().startswith(self._bos)

    def _tokens(self, texts: Sequence[str], finish: bool = True) -> list[Encoded]:
        tokens: dict[int, Encoded] = {}
        forced = self._spec.special_tokens
        for begun in (True, False):
            chosen = [i for i, text in enumerate(texts) if self._begins(text) == begun]
            if chosen:
                add = forced if forced is not None else not begun
                lines = [texts[i] for i in chosen]
                tokens |= zip(chosen, tokenize(self._tokenizer, lines, add_special_tokens=add), strict=True)
        ordered = [tokens[i] for i in range(len(texts))]
        return [self._ended(encoded) for encoded in ordered] if finish else ordered

    def _ended(self, encoded: Encoded) -> Encoded:
        ids, last = encoded.ids, self._spec.append
        if self._spec.close and len(ids):
            ids = np.append(ids[:-1], np.int32(self._tokenizer.eos_token_id))
        if last is not None and (not len(ids) or ids[-1] != last):
            ids = np.append(ids, np.int32(last))
        return replace(encoded, ids=ids)

    def _ending(self, encoded: Encoded) -> str:
        last = int(encoded.ids[-1]) if len(encoded.ids) else None
        if last is None:
            return "no token at all"
        if last == self._tokenizer.eos_token_id:
            return f"the text ends with the EOS token ({self._eos})"
        return f"the text ends with token {last} ({self._tokenizer.convert_ids_to_tokens(last)!r})"

    def _with_prompts(
        self, conversations: Sequence[Conversation], texts: Sequence[str | Unrendered], tokens: dict[int, Encoded]
    ) -> dict[int, Encoded]:
        """Mark where the answer begins: after the tokens that the prompt alone gives too."""
        order = list(tokens)
        before = [conversations[i][:-1] for i in order]
        opened, bare = self._texts(before, prompt=True), self._closed_prompts(before)
        starts = [
            next((p for p in (with_header, plain) if isinstance(p, str) and str(texts[i]).startswith(p)), "")
            for i, with_header, plain in zip(order, opened, bare, strict=True)
        ]
        return {
            i: replace(tokens[i], prompt=_common(tokens[i].ids, start.ids))
            for i, start in zip(order, self._tokens(starts, finish=False), strict=True)
        }

    def _closed_prompts(self, conversations: Sequence[Conversation]) -> list[str | Unrendered]:
        return self._template.render(conversations, add_generation_prompt=False)


class PairInput(ConversationInput):
    """Question and answer as the two segments of an encoder."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.description = "none: question and answer are the two segments of the tokenizer's own pair"

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""
        good = [i for i, conversation in enumerate(conversations) if is_text(conversation)]
        pairs = [as_pair(conversations[i]) for i in good]
        encoded = tokenize(self._tokenizer, [q for q, _ in pairs], [a for _, a in pairs]) if pairs else []
        tokens = dict(zip(good, encoded, strict=True))
        reason = "it holds half a surrogate pair, which is not text"
        return [tokens.get(i, reason) for i in range(len(conversations))]


def chosen_template(
    checkpoint: Checkpoint, tokenizer: Any, spec: InputSpec, asked: str | None
) -> tuple[FoundTemplate, InputSpec]:
    """The template that writes conversations out: the user's, the format's own or the tokenizer's.

    Args:
        checkpoint: whose tokenizer may bring a chat template.
        tokenizer: of the transformers library.
        spec: how the format writes.
        asked: ``chat``, ``plain``, a file's path, or ``None`` for the format's way.

    Raises:
        LoadRefusedError: when the tokenizer's chat template is needed and there is none.
        UsageError: when a file does not exist.
    """
    own = f"the tokenizer's chat template ({{}}) {'with' if spec.generation else 'without'} generation prompt"
    if asked == "plain" or (asked is None and spec.template == PLAIN):
        return FoundTemplate(PLAIN, spec.origin or "plain text: one turn directly after the other, then EOS"), spec
    if asked not in (None, "chat"):
        file = Path(str(asked)).expanduser()
        if not file.is_file():
            raise UsageError(f"--template {asked} is neither chat nor plain nor a file. Give a Jinja file.")
        source = safety.read_bytes(file, MAX_SOURCE_BYTES).decode("utf-8", "replace")
        return FoundTemplate(source, f"the template of the user ({file.name})"), spec
    if asked is None and spec.template is not None:
        return FoundTemplate(spec.template, spec.origin or "the format's own text"), spec
    if checkpoint.template is None:
        raise LoadRefusedError(
            f"{checkpoint.root} has no chat template, so it is not known how its conversations are to be "
            "written out, and a guess would shift every score. Put the template it was trained with into the "
            "folder as chat_template.jinja, or pass it with --template FILE (--template plain writes one turn "
            "directly after the other, then the EOS token)."
        )
    return FoundTemplate(checkpoint.template.source, own.format(checkpoint.template.origin)), spec


def tokenize(
    tokenizer: Any, texts: list[str], seconds: list[str] | None = None, add_special_tokens: bool = True
) -> list[Encoded]:
    """Tokens of texts, or of pairs of texts, neither padded nor cut."""
    if not texts:
        return []
    written = tokenizer(
        texts, seconds, add_special_tokens=add_special_tokens, padding=False, truncation=False, verbose=False
    )
    segments = written.get("token_type_ids") or [None] * len(texts)
    return [
        Encoded(np.asarray(ids, dtype=np.int32), None if types is None else np.asarray(types, dtype=np.int32))
        for ids, types in zip(written["input_ids"], segments, strict=True)
    ]


def is_text(conversation: Conversation) -> bool:
    """Half of a surrogate pair can stand in JSON, but is no text, and tokenizers fail on it."""
    try:
        for turn in conversation:
            turn["content"].encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(text: str | Unrendered) -> str:
    return text.reason if isinstance(text, Unrendered) else "it could not be written out"


def _common(whole: NDArray[np.int32], start: NDArray[np.int32]) -> int:
    """Number of tokens at the beginning that two sequences share."""
    size = min(len(whole), len(start))
    different = np.flatnonzero(whole[:size] != start[:size])
    return int(different[0]) if len(different) else size
