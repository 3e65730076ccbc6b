"""`pairrm`: an encoder that reads a prompt and two responses, each at a token of its own before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.assemble import assemble
from rmaudit.models.backbone import load_backbone, load_tokenizer, read_state
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.headspec import InputSpec, Layer, require_head
from rmaudit.models.interface import RewardModel
from rmaudit.models.native import HiddenStateNetwork
from rmaudit.models.options import LoadOptions
from rmaudit.models.pairwise import ORDERS, Comparison, ComparisonInput, PairwiseModel, pairwise_risks
from rmaudit.models.placement import placement
from rmaudit.models.readout import Head, Layers, Row, Values, apply_layers, picked, torch_layers
from rmaudit.models.template import ChatTemplate, Unrendered
from rmaudit.models.text import Encoded, chosen_template, tokenize

if TYPE_CHECKING:
    import torch

_LAYERS = (
    Layer(weight="head_layer.1.weight", bias="head_layer.1.bias", activation="tanh"),
    Layer(weight="head_layer.4.weight", bias="head_layer.4.bias"),
)
_NAMES = tuple(name for layer in _LAYERS for name in (layer.weight, str(layer.bias)))
_MARKS = ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id")
"""Entries of the config: the tokens before the prompt and before each response, whose states are read."""

SOURCE_TOKENS, CANDIDATE_TOKENS = 1224, 412
"""Most tokens of the prompt and of a response, as PairRM's authors cut them. The config does not say."""

_SEVERAL = "Finish the following coversation in each i-th turn by filling in <Response i> with your response."
"""Before prompts of several turns; with the authors' own spelling, as the model was trained on it."""


_BETTER = (
    "its files do not tell PairRM from Better-PairRM, whose authors write prompts by a template of their own "
    "(--template FILE) and let them be longer (--max-length 3370)"
)


class PairHead(Head):
    """Difference of two scores, each from the states at the prompt's token and at a response's."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers

    def __call__(self, states: torch.Tensor, rows: Sequence[Row]) -> list[Values]:
        """Margins of a batch; see `Head`. The mean over the model's tasks, which are criteria of equal weight."""
        import torch

        found = picked(states, rows, [row.encoded.marks for row in rows])
        source, first, second = found.reshape(len(rows), len(_MARKS), -1).unbind(dim=1)
        left, right = (apply_layers(torch.cat([source, one], dim=-1), self._layers) for one in (first, second))
        return [Values(float(margin)) for margin in (left - right).cpu().double().mean(dim=-1)]


class PairRMInput(ComparisonInput):
    """Prompt and responses as three texts, each with its own mark and the tokenizer's own beginning and end."""

    def __init__(self, tokenizer: Any, marks: Sequence[int], limits: tuple[int, int], template: ChatTemplate | None):
        """Take the marks.

        Args:
            tokenizer: of the transformers library.
            marks: ids of the tokens before the prompt and before each response.
            limits: most tokens of a prompt, and of prompt and two responses.
            template: writes prompts out in place of the authors' way.
        """
        self._tokenizer = tokenizer
        self._marks = marks
        self._words = tokenizer.convert_ids_to_tokens(list(marks))
        self._limits = limits
        self._template = template
        self.description = "; ".join(
            (
                "the prompt's text as it is; of several turns the list of PairRM's authors, with <Response i> for the "
                "answers"
                if template is None
                else "the prompt by the user's template, with generation prompt",
                f"prompt and responses begin with {', '.join(self._words)}, each between the tokenizer's own tokens",
            )
        )

    def encode_pairs(self, pairs: Sequence[Comparison]) -> list[Encoded | str]:
        """Tokens of each pair, in order, or the reason why it has none."""
        written = self._written(pairs)
        good = [texts for texts in written if isinstance(texts, tuple)]
        parts = iter(
            tokenize(self._tokenizer, [mark + t for texts in good for mark, t in zip(self._words, texts, strict=True)])
        )
        return [self._joined([next(parts) for _ in self._marks]) if isinstance(t, tuple) else t for t in written]

    def _written(self, pairs: Sequence[Comparison]) -> list[tuple[str, str, str] | str]:
        if self._template is None:
            return [published_texts(pair) for pair in pairs]
        prompts = self._template.render([pair.context for pair in pairs], add_generation_prompt=True)
        return [
            prompt.reason if isinstance(prompt, Unrendered) else (prompt, pair.first, pair.second)
            for prompt, pair in zip(prompts, pairs, strict=True)
        ]

    def _joined(self, parts: Sequence[Encoded]) -> Encoded:
        starts = np.cumsum([0, *(len(part.ids) for part in parts)])
        # A text may hold a mark too; the one that counts is the first, which was put before it.
        marks = [
            int(start + np.flatnonzero(part.ids == mark)[0])
            for start, part, mark in zip(starts, parts, self._marks, strict=False)
        ]
        return Encoded(
            np.concatenate([part.ids for part in parts]),
            marks=tuple(marks),
            too_long=self._cut([len(p.ids) for p in parts]),
        )

    def _cut(self, lengths: Sequence[int]) -> str | None:
        """Where the authors' code would cut: long prompts, and responses that need more than half of what is left."""
        source, *candidates = lengths
        most, whole = self._limits
        if source > most:
            return f"its prompt has {source:,} tokens, and the model's authors let it have at most {most:,}"
        left = (whole - source) // 2
        if max(candidates) > left:
            longer = f"a response has {max(candidates):,} tokens"
            return f"{longer}, and beside a prompt of {source:,} there is room for {left:,}"
        return None


def published_texts(pair: Comparison) -> tuple[str, str, str]:
    """Prompt and responses as PairRM's authors wrote them for its training.

    A question alone stands as it is. Of several turns the user's make the prompt, with a numbered gap for each answer,
    and each response is the list of all answers. A system turn stands before it all, as an instruction does there.
    """
    system = "".join(f"{turn['content']}\n" for turn in pair.context if turn["role"] == "system")
    turns = [turn for turn in pair.context if turn["role"] != "system"]
    answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    if not answers:
        return system + "\n".join(turn["content"] for turn in turns), pair.first, pair.second
    asked = [turn["content"] for turn in turns if turn["role"] == "user"]
    prompt = "\n".join(f"USER: {text}\nAssistant: <Response {i}>" for i, text in enumerate(asked, 1))
    first, second = (
        "\n".join(f"<Response {i}>: {text}" for i, text in enumerate([*answers, last], 1))
        for last in (pair.first, pair.second)
    )
    return system + _SEVERAL + prompt, first, second


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    found = [checkpoint.canonical[name] for name in _NAMES if name in checkpoint.canonical]
    if not found:
        return None
    told = [f"config.json: {key} {checkpoint.config[key]}" for key in _MARKS if key in checkpoint.config]
    return (*(f"weights: {tensor}" for tensor in found), *told)


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    head = require_head(checkpoint, _NAMES)
    width = checkpoint.config.get("hidden_size")
    inner, tasks = head[1].shape, head[3].shape
    fits = (
        len(inner) == len(tasks) == 1
        and head[0].shape == (*inner, 2 * int(width or 0))
        and head[2].shape == tasks + inner
    )
    if not fits:
        raise LoadRefusedError(
            f"The head of {checkpoint.root} ({', '.join(map(str, head))}) does not fit together, or not to two hidden "
            f"states of {width}. Save the checkpoint again, whole."
        )
    _marks(checkpoint)
    return Reading(
        head=head,
        pooling="the tokens before the prompt and before each of the two responses",
        template="the published texts of PairRM",
        attributes=ORDERS,
        risks=(*pairwise_risks("margin"), _BETTER),
    )


def _marks(checkpoint: Checkpoint) -> tuple[int, ...]:
    told = [checkpoint.config.get(key) for key in _MARKS]
    marks = tuple(mark for mark in told if isinstance(mark, int))
    if len(set(marks)) < len(_MARKS):
        raise LoadRefusedError(
            f"{checkpoint.root} is a PairRM, and its config.json does not say which tokens are read "
            f"({', '.join(_MARKS)}). Take the config.json that belongs to these weights."
        )
    return marks


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    place = placement(checkpoint, options)
    tokenizer = load_tokenizer(checkpoint)
    backbone = load_backbone(checkpoint, "base", place, head=_NAMES)
    tensors = {name: tensor.to(place.device) for name, tensor in read_state(checkpoint, _NAMES).items()}
    head = PairHead(torch_layers(_LAYERS, tensors, tokenizer, checkpoint.root))
    limits = _limits(options)
    written = PairRMInput(
        tokenizer, _checked_marks(checkpoint, tokenizer), limits, _template(checkpoint, tokenizer, options)
    )
    orders = assemble(
        HiddenStateNetwork(backbone, head),
        written,
        checkpoint,
        detection,
        source,
        options,
        place,
        tokenizer,
        # Positions are relative, so the config's number of them is no limit.
        max_length=limits[1],
    )
    return PairwiseModel(orders, "margin")


def _limits(options: LoadOptions) -> tuple[int, int]:
    whole = SOURCE_TOKENS + 2 * CANDIDATE_TOKENS if options.max_length is None else options.max_length
    most = whole - 2 * CANDIDATE_TOKENS
    if most < 1:
        raise UsageError(
            f"--max-length {whole} leaves a PairRM no room for a prompt beside two responses of {CANDIDATE_TOKENS} "
            f"tokens. Give at least {2 * CANDIDATE_TOKENS + 1}."
        )
    return most, whole


def _template(checkpoint: Checkpoint, tokenizer: Any, options: LoadOptions) -> ChatTemplate | None:
    if options.template is None:
        return None
    found, _ = chosen_template(checkpoint, tokenizer, InputSpec(), options.template)
    return ChatTemplate(found.source, tokenizer.special_tokens_map)


def _checked_marks(checkpoint: Checkpoint, tokenizer: Any) -> tuple[int, ...]:
    """The marks, after a look at whether the tokenizer makes one token of each."""
    marks = _marks(checkpoint)
    if max(marks) < len(tokenizer):
        words = tokenizer.convert_ids_to_tokens(list(marks))
        if all(
            mark in encoded.ids
            for mark, encoded in zip(marks, tokenize(tokenizer, [f"{w}a" for w in words]), strict=True)
        ):
            return marks
    raise LoadRefusedError(
        f"{checkpoint.root} is a PairRM that is read at the tokens {', '.join(map(str, marks))}, and its tokenizer "
        "does not make these of their texts. Take the tokenizer files that belong to these weights."
    )


FAMILY = Family(
    format="pairrm",
    examples="llm-blender/PairRM-hf, mightbe/Better-PairRM",
    recognised="`head_layer.1.weight [h, 2h]` and `head_layer.4.weight`; the ids of the marks in the config",
    scalar="mean over the tasks of `head([prompt; first]) - head([prompt; second])`, each state that of the mark "
    "before the text, tanh between the layers; half the difference of both orders",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=(r"head_layer\.[14]\.(weight|bias)",),
)
