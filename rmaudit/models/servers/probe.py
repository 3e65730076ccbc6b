"""What a server is asked before anything is scored, to see that its numbers are rewards.

One text is asked for three times, with others beside it and alone; others differ, grow in length, or differ at the end
alone. From the answers: embeddings (too many numbers), a softmax over one number (always 1.0), probabilities (all
between 0 and 1), randomness, and texts that are cut without a word.

Numbers between 0 and 1 can be raw rewards too. Where a server has a switch, both positions are asked for: what is raw
gives the probabilities by a sigmoid (several outputs: or a softmax), so that it is known and not guessed. Where it
has none, such numbers are refused unless the user says what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models.servers.client import Post, Rejected
from rmaudit.models.servers.server import Sent, Server, Way

ACTIVATIONS = ("none", "sigmoid")
"""What a user may say of a server's numbers."""

MOST_OUTPUTS = 64
"""A head with more outputs is taken for an embedding."""
_CLOSE = 2e-3
"""Largest difference between probabilities that are the same, but for 16 bits."""
_STEADY = 1e-2
"""Largest difference between two scorings of one text that is no news, relative above 1."""

Numbers = NDArray[np.float64]

_SENTENCE = "The committee met on Tuesday and agreed on a plan for the old bridge. "


def _talk(answer: str) -> Conversation:
    return [{"role": "user", "content": "What happened at the meeting?"}, {"role": "assistant", "content": answer}]


CONVERSATIONS: tuple[Conversation, ...] = (
    _talk("They agreed on a plan."),
    _talk("They agreed on a plan."),
    _talk("zx qv 77 ;; blorp blorp"),
    _talk("I do not know, and I will not look it up for you."),
    _talk(_SENTENCE),
    _talk(_SENTENCE * 4),
    _talk(_SENTENCE * 12 + "Everybody was glad."),
    _talk(_SENTENCE * 12 + "Nobody came."),
)
"""What is asked: the first two are equal, the last two differ at their end alone."""


@dataclass(frozen=True)
class Settled:
    """How a server is to be asked, and what its answers showed."""

    way: Way
    names: tuple[str, ...]
    """Of the numbers that come with each conversation."""
    evidence: tuple[str, ...]
    risks: tuple[str, ...]
    invert: bool = False
    """Whether its numbers are probabilities, to be taken back to rewards."""

    @property
    def fields(self) -> Mapping[str, object]:
        """Further fields of each request."""
        return self.way.raw


def settle(server: Server, post: Post, sent: Sequence[Sent], url: str, activation: str | None, most: int) -> Settled:
    """Try the ways of asking until one gives rewards.

    Args:
        server: the kind of server.
        post: asks it.
        sent: `CONVERSATIONS` as they are sent, without those that are too long for the server.
        url: its address, for messages.
        activation: what the user says of the numbers, one of `ACTIVATIONS`, or ``None``.
        most: conversations of one request.

    Raises:
        ScoringError: when no way does; the message says what the server does instead, and what to change.
    """
    rejected: Rejected | None = None
    unfit: ScoringError | None = None
    for way in server.ways:
        try:
            values, names = _asked(server, post, way, sent, way.raw, url, most)
            again, _ = _asked(server, post, way, sent[:1], way.raw, url, most)
        except Rejected as error:
            # What an earlier way was told is nearer to the point than that the last one is unknown.
            if rejected is None or rejected.status in (404, 405):
                rejected = error
            continue
        how = _how(way)
        raw = _is_raw(server, post, way, sent, values, url, most)
        if (values == 1.0).all():
            unfit = unfit or ScoringError(
                f"{url} answers 1.0 to each of {len(values)} different texts{how}: a softmax over a single number, "
                f"which is 1.0 whatever the text. To have rewards, {server.raw_advice}."
            )
            continue
        if raw is None and activation is None:
            unfit = unfit or ScoringError(
                f"{url} answers with probabilities: all {values.size} numbers lie between {values.min():.3g} and "
                f"{values.max():.3g}{how}, so the server applies a sigmoid (or a softmax), which keeps the order but "
                f"distorts every difference. To have rewards, {server.raw_advice}. If they are rewards all the same, "
                "pass --server-activation none; to take them back by the inverse of a sigmoid, sigmoid in its place."
            )
            continue
        if raw is None and activation == "sigmoid" and len(names) > 1:
            raise ScoringError(
                f"{url} answers with {len(names)} numbers a text, and --server-activation sigmoid takes back one. To "
                f"have rewards, {server.raw_advice}."
            )
        if raw is not None and activation == "sigmoid" and not raw.proven:
            raise ScoringError(
                f"{url} answers with numbers outside 0 to 1 ({values.min():.3g} to {values.max():.3g}), so it applies "
                "no sigmoid. Leave --server-activation out."
            )
        invert = raw is None and activation == "sigmoid"
        told = raw.told if raw is not None else f"the user says that the server's activation is: {activation}"
        return Settled(way, names, _evidence(way, values, told), _risks(way, sent, values, again, raw, invert), invert)
    if unfit is not None:
        raise unfit
    assert rejected is not None, "a server has a way of asking"
    path = server.ways[0].path
    advice = (
        f"This address has no {path}: check that --server {server.name} is the kind of server"
        if rejected.status in (404, 405)
        else "It may be started for another task"
    )
    raise ScoringError(f"{url}: {rejected}. {advice}; {server.shape_advice}. Start one by: {server.start}")


@dataclass(frozen=True)
class _Raw:
    """Why numbers count as raw."""

    told: str
    proven: bool


def _asked(
    server: Server, post: Post, way: Way, sent: Sequence[Sent], fields: Mapping[str, object], url: str, most: int
) -> tuple[Numbers, tuple[str, ...]]:
    """Numbers of all texts, shape ``(n, outputs)``, with the outputs' names."""
    answers = [a for i in range(0, len(sent), most) for a in server.ask(post, way, sent[i : i + most], fields)]
    names: tuple[str, ...] | None = None
    rows = []
    for answer in answers:
        if isinstance(answer, str):
            raise ScoringError(f"{url}: {answer}. To have rewards, {server.shape_advice}.")
        if len(answer) > MOST_OUTPUTS or not answer:
            raise ScoringError(
                f"{url} answers with {len(answer):,} numbers a text, which is an embedding and no reward: "
                f"{server.shape_advice}. Start one by: {server.start}"
            )
        if names is not None and tuple(answer) != names:
            raise ScoringError(
                f"{url} answers with {len(names)} numbers to one text and {len(answer)} to another, or under other "
                f"names, so there is no telling which is the reward: {server.shape_advice}."
            )
        names = tuple(answer)
        rows.append(list(answer.values()))
    values = np.asarray(rows, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ScoringError(f"{url} answers with numbers that are not finite. Serve the model in float32 or bfloat16.")
    return values, names or ()


def _is_raw(
    server: Server, post: Post, way: Way, sent: Sequence[Sent], values: Numbers, url: str, most: int
) -> _Raw | None:
    """Why the numbers are raw, or ``None`` when they look like probabilities."""
    if way.activated is not None:
        try:
            switched, _ = _asked(server, post, way, sent, way.activated, url, most)
        except (Rejected, ScoringError):
            switched = None
        if switched is not None and switched.shape == values.shape and not np.allclose(switched, values, atol=_CLOSE):
            guesses = [expit(values), softmax(values, axis=1)]
            if any(np.allclose(guess, switched, atol=_CLOSE) for guess in guesses):
                return _Raw("raw: asked for probabilities, the server answers with the sigmoid of these numbers", True)
    if values.min() < 0.0 or values.max() > 1.0:
        return _Raw("raw: the numbers are not confined to 0 to 1, as probabilities are", False)
    return None


def _how(way: Way) -> str:
    told = ", ".join(f"{name} {str(value).lower()}" for name, value in way.raw.items())
    return f" at {way.path} with {told}" if told else f" at {way.path}"


def _evidence(way: Way, values: Numbers, told: str) -> tuple[str, ...]:
    return (
        f"asked{_how(way)}",
        told,
        f"probe of {len(values)} texts: numbers from {values.min():.3g} to {values.max():.3g}",
    )


def _risks(
    way: Way, sent: Sequence[Sent], values: Numbers, again: Numbers, raw: _Raw | None, invert: bool
) -> tuple[str, ...]:
    found = [way.note] if way.note else []
    same = np.concatenate([values[:2], again])
    spread = float(np.ptp(same, axis=0).max())
    if spread > _STEADY * max(1.0, float(np.abs(same).max())):
        found.append(f"the server is not steady: one text asked for three times differs by {spread:.2g}")
    ends = len(sent) == len(CONVERSATIONS) and (values[-2] == values[-1]).all() and np.ptp(values) > 0
    if ends:
        length = f" of {len(sent[-1].ids):,} tokens" if sent[-1].ids else ""
        found.append(f"two texts{length} that differ at their end alone get one reward: the server may cut texts")
    if np.ptp(values) == 0:
        found.append("the server answers with the same number to different texts")
    if invert:
        found.append("rewards are taken back from probabilities, which is exact only where these are not near 0 or 1")
    elif raw is None:
        found.append("all numbers of the probe lie between 0 and 1; that they are rewards is the user's word")
    return tuple(found)
