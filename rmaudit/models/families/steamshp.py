"""`steamshp`: a T5 that names the better of two responses by the letter A or B."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rmaudit.conversation import as_pair
from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import assemble
from rmaudit.models.backbone import load_backbone, load_tokenizer
from rmaudit.models.checkpoint import Checkpoint, Tensor
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.headspec import require_head
from rmaudit.models.interface import RewardModel
from rmaudit.models.language import UNTOLD
from rmaudit.models.native import Network
from rmaudit.models.options import LoadOptions
from rmaudit.models.pairwise import ORDERS, Comparison, ComparisonInput, PairwiseModel, pairwise_risks, single_token
from rmaudit.models.placement import placement
from rmaudit.models.readout import Row, Values
from rmaudit.models.text import Encoded, tokenize

if TYPE_CHECKING:
    import torch


class FirstWordNetwork(Network):
    """Log-odds of one word against all others as the first that an encoder-decoder writes."""

    left = False

    def __init__(self, model: Any, word: int) -> None:
        self.model = model
        self._word = word
        told = (getattr(owner, "decoder_start_token_id", None) for owner in (model.generation_config, model.config))
        self._start = next((start for start in told if start is not None), model.config.pad_token_id)

    def __call__(self, inputs: dict[str, torch.Tensor], rows: Sequence[Row]) -> list[Values]:
        """Log-odds of each text, in order; see `Network`."""
        import torch

        start = torch.full((len(rows), 1), self._start, device=inputs["input_ids"].device)
        return self._odds(self.model(**inputs, decoder_input_ids=start, use_cache=False).logits[:, 0])

    def library(self, inputs: dict[str, torch.Tensor], row: Row) -> float | None:
        """The same by generation, as the authors' card shows it."""
        del row
        told = self.model.generate(
            **inputs, max_new_tokens=1, do_sample=False, output_scores=True, return_dict_in_generate=True
        )
        return self._odds(told.scores[0])[0].reward

    def _odds(self, logits: torch.Tensor) -> list[Values]:
        """Before the softmax over the vocabulary, so that a near certain word still has an odds of its own."""
        logits = logits.cpu().double()
        own = logits[:, self._word]
        others = logits.index_fill(1, logits.new_tensor([self._word]).long(), float("-inf")).logsumexp(dim=1)
        return [Values(odds) for odds in (own - others).tolist()]


class PostInput(ComparisonInput):
    """A post and two responses to it, in the words that the model was trained on."""

    description = (
        "POST: … RESPONSE A: … RESPONSE B: … as SteamSHP's authors published it, line ends in the texts as spaces; "
        "several turns are one post, each with its role before it"
    )

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode_pairs(self, pairs: Sequence[Comparison]) -> list[Encoded | str]:
        """Tokens of each pair, in order."""
        return list(tokenize(self._tokenizer, [question(pair) for pair in pairs]))


def question(pair: Comparison) -> str:
    """What the model is asked, as it was trained: the texts in it have no line ends."""
    post, _ = as_pair([*pair.context, {"role": "assistant", "content": ""}]) if pair.context else ("", "")
    post, first, second = (text.replace("\n", " ") for text in (post, pair.first, pair.second))
    return f"POST: {post}\n\n RESPONSE A: {first}\n\n RESPONSE B: {second}\n\n Which response is better? RESPONSE"


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    """Never by itself: the files are those of any T5."""
    del checkpoint, options
    return None


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    if not (checkpoint.architecture or "").endswith("ForConditionalGeneration"):
        raise LoadRefusedError(
            f"{checkpoint.root} is a {checkpoint.architecture or checkpoint.model_type} and no encoder-decoder that "
            "writes, so it is not a SteamSHP. Leave --as steamshp out."
        )
    return Reading(
        head=(_output_layer(checkpoint),),
        pooling="first token of the decoder, the word A of the output layer",
        template="the published text of SteamSHP",
        attributes=ORDERS,
        risks=(UNTOLD, *pairwise_risks("probability")),
    )


def _output_layer(checkpoint: Checkpoint) -> Tensor:
    """Its weight, which is the embedding's where the config does not say otherwise.

    The library ties the two whenever the file lacks the one, so that it is asked for here.
    """
    tied = checkpoint.config.get("tie_word_embeddings") is not False and "lm_head.weight" not in checkpoint.canonical
    return require_head(checkpoint, ("shared.weight" if tied else "lm_head.weight",))[0]


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    place = placement(checkpoint, options)
    tokenizer = load_tokenizer(checkpoint)
    network = FirstWordNetwork(
        load_backbone(checkpoint, "seq2seq", place), single_token(tokenizer, "A", checkpoint.root)
    )
    orders = assemble(
        network,
        PostInput(tokenizer),
        checkpoint,
        detection,
        source,
        options,
        place,
        tokenizer,
        decoder=False,
    )
    return PairwiseModel(orders, "probability")


FAMILY = Family(
    format="steamshp",
    examples="stanfordnlp/SteamSHP-flan-t5-large and -xl",
    recognised="`--as steamshp` only: a plain T5",
    scalar="probability, over the whole vocabulary, that the first word written is `A`; half of it where the response "
    "is A and half of its complement where it is B; rewards are the log-odds",
    recognise=_recognise,
    read=_read,
    load=_load,
    needs="--as steamshp",
)
