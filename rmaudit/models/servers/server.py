"""What a kind of server is: how a batch is asked of it, and how its answer becomes numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError, UsageError
from rmaudit.models.headspec import InputSpec
from rmaudit.models.servers.client import Client, Post

Form = Literal["tokens", "text", "pair", "messages"]
"""What is sent of a conversation: its token ids; its text, to which the server adds no special tokens; question and
answer; or the messages, which the server writes out by itself."""

Answer = Mapping[str, float] | str
"""Numbers of one conversation by name (``"0"`` where the server names none), or the reason why there are none."""

ONE = "0"
"""Name of the one number of a server that names none."""


@dataclass(frozen=True)
class Sent:
    """One conversation as it is sent, in the `Form` of the server."""

    conversation: Conversation
    ids: tuple[int, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Way:
    """One way of asking: servers of different ages want different fields."""

    path: str
    raw: Mapping[str, Any] = field(default_factory=dict)
    """Fields that ask for raw numbers."""
    activated: Mapping[str, Any] | None = None
    """Fields that ask for probabilities in their place, to see that `raw` does something."""
    note: str | None = None
    """What a reader should know of numbers had in this way."""


@dataclass(frozen=True)
class About:
    """What a server tells of itself."""

    model: str | None = None
    """Id of the model, as the server calls it."""
    version: str | None = None
    max_length: int | None = None
    """Most tokens that it reads."""
    dtype: str | None = None
    """Number type that it works in."""
    batch: int | None = None
    """Most conversations of one request."""
    told: tuple[str, ...] = ()
    """Further things for the report's evidence."""
    content: Mapping[str, str] = field(default_factory=dict)
    """What tells the model's content, such as a commit; part of its identity."""


class Server(ABC):
    """One kind of server."""

    name: ClassVar[str]
    form: ClassVar[Form]
    ways: ClassVar[tuple[Way, ...]]
    """In the order in which they are tried."""
    start: ClassVar[str]
    """Command that starts one."""
    raw_advice: ClassVar[str]
    """What to change on a server that answers with probabilities."""
    shape_advice: ClassVar[str]
    """What to change on a server that answers with something else than rewards."""
    size: ClassVar[int] = 16
    """Conversations of one request."""
    spec: ClassVar[InputSpec] = InputSpec()
    """How conversations are written out, where the client does."""
    own_template: ClassVar[bool] = False
    """Whether the server can also be given messages (``--template server``)."""
    risks: ClassVar[tuple[str, ...]] = ()
    """What a reader should know of all servers of this kind."""

    def __init__(self, model: str | None = None) -> None:
        """Take the model's name.

        Args:
            model: as the user gave it, where a server holds several.
        """
        self.model = model
        self.max_length: int | None = None
        """Most tokens that are sent, set before the first is."""

    @abstractmethod
    def about(self, client: Client) -> About:
        """What the server tells of itself.

        Raises:
            ScoringError: when it is not to be reached, or serves something else.
            UsageError: when it holds several models and the user named none.
        """

    @abstractmethod
    def ask(self, post: Post, way: Way, batch: Sequence[Sent], fields: Mapping[str, Any]) -> list[Answer]:
        """Numbers of a batch, in its order.

        Args:
            post: asks the server.
            way: how to ask.
            batch: conversations, at most `size`.
            fields: further fields of the request.

        Raises:
            Rejected: when the server does not take the batch.
            ScoringError: when it answers with something that cannot be read.
        """


def chosen_model(client: Client, asked: str | None) -> dict[str, Any]:
    """The entry of ``/v1/models`` that is scored with, empty where the server lists none.

    Raises:
        UsageError: when there are several, or none of the name that was asked for.
    """
    listed = client.get("/v1/models")
    entries = listed.get("data") if isinstance(listed, dict) else None
    models = {
        str(entry["id"]): entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and "id" in entry
    }
    if asked is not None:
        if models and asked not in models:
            raise UsageError(f"{client.url} serves no model {asked}. It has: {', '.join(list(models)[:8])}.")
        return models.get(asked, {"id": asked})
    if len(models) > 1:
        raise UsageError(
            f"{client.url} serves {len(models)} models ({', '.join(list(models)[:8])}). Say which one with "
            "--server-model NAME."
        )
    return next(iter(models.values()), {})


def whole(value: Any) -> int | None:
    """A positive whole number, or ``None``."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def text_of(value: Any) -> str | None:
    """A text that is not empty, or ``None``."""
    return value if isinstance(value, str) and value else None


def vector(value: Any, where: str) -> dict[str, float]:
    """Numbers of one conversation from a number or a list of them.

    Raises:
        ScoringError: when they are none.
    """
    values = value if isinstance(value, list) else [value]
    return {str(i): number(entry, where) for i, entry in enumerate(values)}


def number(value: Any, where: str) -> float:
    """A number; NaN and infinity are, and fail later, one conversation alone.

    Raises:
        ScoringError: when it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(where, value, "a number")
    return float(value)


def rows(value: Any, count: int, where: str) -> list[Any]:
    """One entry for each conversation, in order: by their ``index`` where they have one.

    Raises:
        ScoringError: when their number or their order is not that of the conversations.
    """
    if not isinstance(value, list):
        raise malformed(where, value, f"a list of {count}")
    if len(value) != count:
        raise ScoringError(f"{where} was asked for {count} rewards and answered with {len(value)}. {_ADVICE}")
    places = [entry.get("index") for entry in value if isinstance(entry, dict)]
    if not places or all(place is None for place in places):
        return value
    if sorted(place for place in places if isinstance(place, int)) != list(range(count)):
        raise ScoringError(f"{where} numbers its {count} answers by index {places}, so their order is lost. {_ADVICE}")
    return sorted(value, key=lambda entry: int(entry["index"]))


def field_of(value: Any, name: str, where: str) -> Any:
    """A field of a JSON object.

    Raises:
        ScoringError: when it is not there.
    """
    if not isinstance(value, dict) or name not in value:
        raise malformed(where, value, f"an object with {name}")
    return value[name]


def malformed(where: str, value: Any, expected: str) -> ScoringError:
    """An answer that cannot be read."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in str(value)[:120]).split())
    return ScoringError(f"{where} answered {shown!r} where {expected} was expected. {_ADVICE}")


_ADVICE = "Check that --server names the kind of server that is at this address."
