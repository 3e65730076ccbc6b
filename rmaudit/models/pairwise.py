"""Models that compare two responses to one prompt and have no reward of their own for a single one.

Each pair is shown in both orders, since such models favour a place, and the two answers are put together so that
swapping the responses turns the preference round exactly.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from scipy.special import expit

from rmaudit.conversation import Conversation, Message
from rmaudit.errors import LoadRefusedError
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.models.native import NativeModel, Side
from rmaudit.models.text import ConversationInput, Encoded, is_text

REPLY = "."
"""The fixed response that a single one is compared with. SteamSHP's authors chose it for scoring single responses;
here it serves every pairwise model, so that their rewards mean the same."""

Unit = Literal["margin", "probability"]
"""Of a preference: a difference of two scores (0 is indifferent), or the probability that the first response is the
better one (0.5 is indifferent)."""

ORDERS = ("shown first", "shown second")
"""Attributes: what a reward owes to the order with the response before the fixed one, and to the other."""

RISKS = (
    "a pairwise model: it compares two responses and has no reward for one alone",
    f"rewards are margins over the fixed response {REPLY!r} to the same prompt, averaged over both orders, so an "
    "effect is one on beating that response; rmaudit score compares chosen and rejected with each other",
)
"""What a reader must know of every pairwise model."""

_UNITS = {
    "margin": "preferences are differences of two scores: 0 is indifferent",
    "probability": "preferences are probabilities of the first response, 0.5 is indifferent; rewards are log-odds",
}


def pairwise_risks(unit: Unit) -> tuple[str, ...]:
    """What a reader should know of a pairwise model's numbers."""
    return (*RISKS, _UNITS[unit])


@dataclass(frozen=True)
class Comparison:
    """A prompt and the two responses, in the order in which they are shown."""

    context: Conversation
    first: str
    second: str


class ComparisonInput(ConversationInput):
    """How a pair is written out in one order: a conversation whose last two turns are the two responses."""

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each pair, in order, or the reason why it has none."""
        good = [i for i, conversation in enumerate(conversations) if is_text(conversation)]
        encoded = dict(zip(good, self.encode_pairs([_comparison(conversations[i]) for i in good]), strict=True))
        return [encoded.get(i, "it holds half a surrogate pair, which is not text") for i in range(len(conversations))]

    @abstractmethod
    def encode_pairs(self, pairs: Sequence[Comparison]) -> list[Encoded | str]:
        """Tokens of each pair, in order, or the reason why it has none."""


def single_token(tokenizer: Any, word: str, where: object) -> int:
    """Id of a word that is one token at the beginning of a text.

    Raises:
        LoadRefusedError: when it is none.
    """
    ids = tokenizer(word, add_special_tokens=False)["input_ids"]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise LoadRefusedError(
            f"{where} answers by the word {word}, and its tokenizer has no token for it. Check that the tokenizer is "
            "the model's own, and that --as names the right format."
        )
    return int(ids[0])


def _comparison(conversation: Conversation) -> Comparison:
    *context, first, second = conversation
    return Comparison(context, first["content"], second["content"])


class PairwiseModel(RewardModel):
    """A network that compares two responses, asked in both orders.

    A preference is a margin or a probability, as `unit` says. A reward is the margin of a response over `REPLY`; of a
    model of probabilities the margin is their log-odds, which does not saturate. The attributes of a reward are what
    the two orders add to it.
    """

    pairwise = True
    storable = "always"

    def __init__(self, orders: NativeModel, unit: Unit) -> None:
        """Take a model of one order.

        Args:
            orders: gives a conversation whose last two turns are the two responses a number above 0 where the first
                is preferred: a margin, or the log-odds of the first.
            unit: of a preference.
        """
        self.facts = replace(orders.facts, attributes=ORDERS, additive=True)
        self.unit = unit
        self._orders = orders

    @property
    def batch_size(self) -> int:
        """How many pairs are compared together in one order."""
        return self._orders.batch_size

    def reload(self, dtype: str | None = None) -> RewardModel | None:
        """Load the same model once more from its files; see `RewardModel.reload`."""
        return self._orders.reload(dtype)

    def fingerprints(self, conversations: Sequence[Conversation]) -> list[bytes]:
        """Digest of the tokens of each conversation in both orders; see `RewardModel.fingerprints`."""
        pairs = [_rivals(conversation) for conversation in conversations]
        first = self._orders.fingerprints([list(pair) for pair in pairs])
        second = self._orders.fingerprints([_swapped(pair) for pair in pairs])
        return [a + b for a, b in zip(first, second, strict=True)]

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """Margin of each conversation's response over `REPLY`; see `RewardModel.score_batch`."""
        both = self._both([_rivals(conversation) for conversation in conversations])
        return [self._reward(first, second) for first, second in both]

    def compare_batch(self, pairs: Sequence[tuple[Conversation, Conversation]]) -> list[Scored]:
        """How much the first of two responses is preferred, in this model's unit; see `RewardModel.compare_batch`."""
        same = [i for i, (a, b) in enumerate(pairs) if a[:-1] == b[:-1]]
        both = dict(zip(same, self._both([(*pairs[i][0], pairs[i][1][-1]) for i in same]), strict=True))
        apart = Scored(None, reason="the two responses do not answer the same prompt, and this model compares them")
        return [self._preference(*both[i]) if i in both else apart for i in range(len(pairs))]

    def padded_rewards(self, conversations: Sequence[Conversation], side: Side) -> list[float] | None:
        """Rewards in one padded pass for each order, for the self-test; see `NativeModel.padded_rewards`."""
        pairs = [_rivals(conversation) for conversation in conversations]
        first = self._orders.padded_rewards([list(pair) for pair in pairs], side)
        second = self._orders.padded_rewards([_swapped(pair) for pair in pairs], side)
        if first is None or second is None:
            return None
        return [(a - b) / 2 for a, b in zip(first, second, strict=True)]

    def library_reward(self, conversation: Conversation) -> float | None:
        """Reward by the library's own forward pass, where it has one."""
        pair = _rivals(conversation)
        first, second = (self._orders.library_reward(order) for order in (list(pair), _swapped(pair)))
        return None if first is None or second is None else (first - second) / 2

    def _both(self, pairs: Sequence[tuple[Message, ...]]) -> list[tuple[Scored, Scored]]:
        """Each pair in both orders, `batch_size` of them together."""
        asked = [order for pair in pairs for order in (list(pair), _swapped(pair))]
        size = self.batch_size
        scored = [
            s for start in range(0, len(asked), size) for s in self._orders.score_batch(asked[start : start + size])
        ]
        return list(zip(scored[::2], scored[1::2], strict=True))

    def _reward(self, first: Scored, second: Scored) -> Scored:
        if first.reward is None or second.reward is None:
            return _failed(first, second)
        # The second order asks about the rival, so its sign is turned round.
        parts = dict(zip(ORDERS, (first.reward / 2, -second.reward / 2), strict=True))
        return Scored(sum(parts.values()), tokens=first.tokens, attributes=parts)

    def _preference(self, first: Scored, second: Scored) -> Scored:
        if first.reward is None or second.reward is None:
            return _failed(first, second)
        if self.unit == "margin":
            return Scored((first.reward - second.reward) / 2, tokens=first.tokens)
        return Scored(float(expit(first.reward) + expit(-second.reward)) / 2, tokens=first.tokens)


def _rivals(conversation: Conversation) -> tuple[Message, ...]:
    """A conversation's response beside the fixed one."""
    return (*conversation, {"role": "assistant", "content": REPLY})


def _swapped(pair: tuple[Message, ...]) -> Conversation:
    return [*pair[:-2], pair[-1], pair[-2]]


def _failed(first: Scored, second: Scored) -> Scored:
    lost = first if first.reward is None else second
    return Scored(None, tokens=lost.tokens, truncated=lost.truncated, reason=lost.reason)
