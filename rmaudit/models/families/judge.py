"""`judge`: a language model that grades in words."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rmaudit.conversation import Conversation, as_pair
from rmaudit.errors import LoadRefusedError, ScoringError, UsageError
from rmaudit.models import safety
from rmaudit.models.assemble import facts_of, way_of_writing
from rmaudit.models.backbone import first_line, load_backbone, load_tokenizer, longest, quiet
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.headspec import InputSpec, require_head
from rmaudit.models.interface import ModelFacts, RewardModel, Scored
from rmaudit.models.language import UNTOLD, output_layer
from rmaudit.models.options import LoadOptions
from rmaudit.models.placement import placement
from rmaudit.models.template import MAX_SOURCE_BYTES, ChatTemplate, Unrendered
from rmaudit.models.text import ConversationInput, is_text

MAX_NEW_TOKENS = 256
"""Longest judgement; a grade that has not been written by then is none."""

_BARE = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
_SINGLE = """Grade the answer below. Weigh whether it is correct, complete, to the point and harmless.

### Question
{question}

### Answer
{answer}

### Your grade
Give your reasons in two or three sentences. Then end with one line of the form "Rating: [[n]]", where n is a whole \
number from 1 (useless) to 10 (as good as can be).
"""
_PAIR = """Compare two answers to one question. Weigh whether they are correct, complete, to the point and harmless; \
neither their order nor their length counts.

### Question
{question}

### Answer A
{a}

### Answer B
{b}

### Your verdict
Give your reasons in two or three sentences. Then end with one line that holds only [[A]] if A is better, [[B]] if B \
is better, or [[C]] if they are equally good.
"""

_GRADE = re.compile(r"(?:\[RESULT\]|\bRating:|\bScore:)[\s*\[]*(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_VERDICT = re.compile(r"\[\[([ABC])\]\]")
_SIDES = {"A": 1.0, "B": -1.0, "C": 0.0}


def grade(text: str) -> float | None:
    """The last grade that a judge wrote, as ``[RESULT] n``, ``Rating: [[n]]`` or ``Score: n``; ``None`` for none."""
    found = _GRADE.findall(text)
    return float(found[-1]) if found else None


def verdict(text: str) -> float | None:
    """The last verdict that a judge wrote: 1 for ``[[A]]``, -1 for ``[[B]]``, 0 for ``[[C]]``, ``None`` for none."""
    found = _VERDICT.findall(text)
    return _SIDES[found[-1]] if found else None


class JudgeModel(RewardModel):
    """A language model that writes its grade, greedily and one conversation at a time.

    Its reward is the number that it wrote. Two responses are compared in both orders; the preference is the mean of
    the verdicts that were given, from -1 to 1.
    """

    storable = "always"

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        written: ConversationInput,
        facts: ModelFacts,
        ask: Callable[[Conversation], str | Unrendered],
        reloaded: Callable[[str | None], RewardModel],
    ) -> None:
        """Put a judge together.

        Args:
            model: a language model of the library, with its `generation_config`.
            tokenizer: its tokenizer.
            written: how a user's turn becomes tokens after which the model answers.
            facts: what is printed of it.
            ask: from a conversation to the text that asks for a grade.
            reloaded: loads the same model again in a number type.
        """
        self.facts = facts
        self._model = model
        self._tokenizer = tokenizer
        self._written = written
        self._ask = ask
        self._reloaded = reloaded

    def reload(self, dtype: str | None = None) -> RewardModel | None:
        """Load the same model once more from its files; see `RewardModel.reload`."""
        with contextlib.suppress(LoadRefusedError, MemoryError):
            return self._reloaded(dtype)
        return None

    def fingerprints(self, conversations: Sequence[Conversation]) -> list[bytes]:
        """Digest of the text that asks for each grade, and of its tokens; see `RewardModel.fingerprints`."""
        return [self._fingerprint(conversation) for conversation in conversations]

    def _fingerprint(self, conversation: Conversation) -> bytes:
        asked = self._ask(conversation) if is_text(conversation) else None
        if not isinstance(asked, str):
            return super().fingerprints([conversation])[0]
        turn: Conversation = [{"role": "user", "content": asked}]
        (entry,) = self._written.encode([turn])
        ids = b"" if isinstance(entry, str) else entry.ids.tobytes()
        return super().fingerprints([turn])[0] + hashlib.sha256(ids).digest()

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """Grade of each conversation; see `RewardModel.score_batch`."""
        return [
            self._judged(self._ask(conversation), grade, "grade")
            if is_text(conversation)
            else Scored(None, reason="it holds half a surrogate pair, which is not text")
            for conversation in conversations
        ]

    def compare_batch(self, pairs: Sequence[tuple[Conversation, Conversation]]) -> list[Scored]:
        """Preference for the first of two conversations, from -1 to 1; see `RewardModel.compare_batch`."""
        return [self._compared(first, second) for first, second in pairs]

    def _compared(self, first: Conversation, second: Conversation) -> Scored:
        if first[:-1] != second[:-1]:
            return Scored(None, reason="the two responses do not answer the same prompt")
        if not (is_text(first) and is_text(second)):
            return Scored(None, reason="it holds half a surrogate pair, which is not text")
        question, a = as_pair(first)
        b = second[-1]["content"]
        shown = [
            self._judged(_PAIR.format(question=question, a=one, b=other), verdict, "verdict")
            for one, other in ((a, b), (b, a))
        ]
        votes = [sign * s.reward for sign, s in zip((1, -1), shown, strict=True) if s.reward is not None]
        if not votes:
            return replace(shown[0], reason=f"it abstained in both orders; in the first {shown[0].reason}")
        return Scored(float(np.mean(votes)), tokens=shown[0].tokens)

    def _judged(self, asked: str | Unrendered, read: Callable[[str], float | None], what: str) -> Scored:
        """What the model writes when it is asked, read as a number."""
        if isinstance(asked, Unrendered):
            return Scored(None, reason=asked.reason)
        (entry,) = self._written.encode([[{"role": "user", "content": asked}]])
        if isinstance(entry, str):
            return Scored(None, reason=entry)
        tokens, limit = len(entry.ids), self.facts.max_length
        if limit is not None and tokens + MAX_NEW_TOKENS > limit:
            reason = f"{tokens:,} tokens and {MAX_NEW_TOKENS} of judgement, and the model reads at most {limit:,}"
            return Scored(None, tokens=tokens, truncated=True, reason=reason)
        text = self._continued(entry.ids)
        number = read(text)
        if number is None:
            beginning = " ".join(text.split())[:80]
            return Scored(None, tokens=tokens, reason=f"no {what} can be read off what it wrote: {beginning!r}")
        return Scored(number, tokens=tokens)

    def _continued(self, ids: np.ndarray) -> str:
        import torch

        given = torch.from_numpy(ids.astype(np.int64))[None].to(self._model.get_input_embeddings().weight.device)
        try:
            with torch.inference_mode(), quiet():
                made = self._model.generate(input_ids=given, attention_mask=torch.ones_like(given))
        except RuntimeError as error:
            raise ScoringError(
                f"The model failed on {len(ids):,} tokens: {first_line(error)}. If memory ran out, try "
                "--dtype bfloat16."
            ) from error
        return str(self._tokenizer.decode(made[0, len(ids) :].tolist(), skip_special_tokens=True))


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    _prompt_file(options)
    layer, whole = output_layer(checkpoint), checkpoint.whole
    return Reading(
        head=require_head(whole, (layer.weight,)),
        pooling="the number that it writes (at the end, where there are several)",
        template="the prompt of the user" if options.template else "a judge's prompt of rmaudit's own",
        risks=(
            UNTOLD,
            "grades are few different numbers, so ties are many",
            "an answer can speak to the judge that reads it",
        ),
    )


def _prompt_file(options: LoadOptions) -> Path | None:
    if options.template is None:
        return None
    file = Path(options.template).expanduser()
    if not file.is_file():
        raise UsageError(
            f"--template {options.template} is not a file. For a judge it names a Jinja file over messages whose text "
            'asks for a grade such as "Rating: [[n]]".'
        )
    return file


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    from transformers import GenerationConfig

    place = placement(checkpoint, options)
    tokenizer = load_tokenizer(checkpoint)
    file = _prompt_file(options)
    spec = InputSpec(
        template=None if checkpoint.chat_template else _BARE,
        origin="the prompt and a line break",
        generation=True,
    )
    written = way_of_writing(checkpoint, tokenizer, spec, replace(options, template=None))
    model = load_backbone(checkpoint, "causal", place)
    ends = _end_tokens(checkpoint, model.config, tokenizer)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=MAX_NEW_TOKENS,
        eos_token_id=ends or None,
        pad_token_id=next((i for i in (tokenizer.pad_token_id, *ends) if i is not None), 0),
    )
    facts = facts_of(
        model,
        checkpoint,
        detection,
        source,
        place,
        template=f"{detection.reading.template}{f' ({file.name})' if file else ''}, written by {written.description}",
        max_length=longest(model.config, tokenizer, True, options.max_length),
    )
    return JudgeModel(
        model,
        tokenizer,
        written,
        facts,
        _asking(file, tokenizer),
        lambda dtype: detection.family.load(
            checkpoint, detection, source, replace(options, dtype=dtype or options.dtype)
        ),
    )


def _asking(file: Path | None, tokenizer: Any) -> Callable[[Conversation], str | Unrendered]:
    if file is None:
        return _own_prompt
    source = safety.read_bytes(file, MAX_SOURCE_BYTES).decode("utf-8", "replace")
    template = ChatTemplate(source, tokenizer.special_tokens_map)
    return lambda conversation: template.render([conversation], add_generation_prompt=True)[0]


def _own_prompt(conversation: Conversation) -> str:
    question, answer = as_pair(conversation)
    return _SINGLE.format(question=question, answer=answer)


def _end_tokens(checkpoint: Checkpoint, config: Any, tokenizer: Any) -> list[int]:
    """Ids that end an answer: those of the config, of the generation config and the tokenizer's own."""
    told = [config.get_text_config().eos_token_id, tokenizer.eos_token_id]
    if "generation_config.json" in checkpoint.names:
        told.append(safety.read_json(checkpoint.root, "generation_config.json").get("eos_token_id"))
    flat = [i for entry in told for i in (entry if isinstance(entry, list) else [entry])]
    return sorted({i for i in flat if type(i) is int and i >= 0})


FAMILY = Family(
    format="judge",
    examples="Prometheus and other language models that grade",
    recognised="`--as judge` only: a plain language model",
    scalar="the number that it writes when it is asked for a grade (`Rating: [[n]]`, `[RESULT] n`, `Score: n`), "
    "greedily decoded; of two responses the mean verdict over both orders",
    recognise=lambda checkpoint, options: None,
    read=_read,
    load=_load,
    needs="--as judge",
)
