"""`http://…`, `https://…`: a reward model behind a server, asked by several requests at a time.

Conversations are written out here, with the tokenizer that the user names, so that every server reads the same
tokens. What concerns one conversation costs its reward alone; what concerns the server ends the scoring.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError, ScoringError, UsageError
from rmaudit.models import safety
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families.multi_attribute import attribute_weights
from rmaudit.models.interface import Identity, ModelFacts, RewardModel, Scored
from rmaudit.models.options import LoadOptions
from rmaudit.models.servers import SERVERS, probe
from rmaudit.models.servers.client import KEY, Client, Patience, Post, Rejected, Stopped
from rmaudit.models.servers.server import About, Answer, Sent, Server
from rmaudit.models.servers.writing import MessagesWriting, PairWriting, TextWriting, TokensWriting, Writing
from rmaudit.models.source import ServerSource
from rmaudit.models.text import TemplateInput

T = TypeVar("T")

CONCURRENCY = 8
"""Requests at a time."""

EDGE = 1e-6
"""A probability nearer to 0 or 1 cannot be taken back to a reward."""

SERVER_TEMPLATE = "server"
"""Value of ``--template`` that leaves the writing to the server."""

DTYPES = ("float32", "bfloat16", "float16")
"""Number types that a server may work in."""

UNTOLD = (
    "in which number type the server works is not known, so no rounding of 16 bits is allowed for (--dtype says it)"
)

UNKNOWN = "the weights behind the server are not known: its model may change without a change of name"

_USELESS = {
    "format": "--as",
    "head_spec": "--head-spec",
    "base_model": "--base-model",
    "ref_model": "--ref-model",
    "beta": "--beta",
    "step_aggregate": "--step-aggregate",
    "device": "--device",
    "quantize": "--quantize",
    "revision": "--revision",
    "allow_pickle": "--allow-pickle",
    "trust_remote_code": "--trust-remote-code",
}
"""Options about weights, which the server loaded already."""

_TOO_LONG = re.compile(r"max\w*[ _](model|input|sequence|context)|context length|too long|\d tokens|tokens\D*\d")
"""In what a server says of a text that it does not take."""


class ServedModel(RewardModel):
    """A server's rewards."""

    def __init__(
        self,
        server: Server,
        client: Client,
        writing: Writing,
        settled: probe.Settled,
        facts: ModelFacts,
        weights: Mapping[str, float],
        per_request: int,
        concurrency: int,
        batch_size: int | None,
    ) -> None:
        """Put a model together.

        Args:
            server: the kind of server.
            client: asks it.
            writing: what is sent of a conversation.
            settled: how it is asked.
            facts: what is printed of it.
            weights: of its numbers in the reward, by name.
            per_request: most conversations of one request.
            concurrency: most requests at a time.
            batch_size: conversations scored together, or ``None`` for as many as keep all requests full.
        """
        self.facts = facts
        self._server = server
        self._client = client
        self._writing = writing
        self._settled = settled
        self._weights = weights
        self._per_request = per_request
        self._concurrency = concurrency
        self._batch_size = batch_size or per_request * concurrency
        self._cache: dict[tuple[tuple[str, str], ...], Sent | str] = {}

    @property
    def batch_size(self) -> int:
        """How many conversations are scored together, in several requests."""
        return self._batch_size

    def lengths(self, conversations: Sequence[Conversation]) -> list[int]:
        """Length of each conversation in tokens, in characters where the server alone knows its tokens.

        What is sent of them is kept until they are scored, so that planning does not write them out twice.
        """
        if not self._writing.counts:
            return super().lengths(conversations)
        sent = self._sent(conversations)
        self._cache.update(zip(map(_key, conversations), sent, strict=True))
        return [0 if isinstance(entry, str) else len(entry.ids) for entry in sent]

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """Score conversations together, one result each, in order; see `RewardModel.score_batch`."""
        sent = self._sent(conversations)
        for conversation in conversations:
            self._cache.pop(_key(conversation), None)
        results: dict[int, Scored] = {}
        todo: dict[int, Sent] = {}
        for i, entry in enumerate(sent):
            problem = self._unscorable(entry)
            if problem is not None:
                results[i] = problem
            elif isinstance(entry, Sent):
                todo[i] = entry
        # Requests of like length take like time, and an even share of them goes to each thread.
        order = sorted(todo, key=lambda i: len(todo[i].ids) or sum(len(turn["content"]) for turn in conversations[i]))
        size = max(1, min(self._per_request, -(-len(order) // self._concurrency)))
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        scored = in_parallel([_job(self._score, [todo[i] for i in group]) for group in groups], self._concurrency)
        results |= {
            i: one for group, own in zip(groups, scored, strict=True) for i, one in zip(group, own, strict=True)
        }
        return [results[i] for i in range(len(conversations))]

    def _sent(self, conversations: Sequence[Conversation]) -> list[Sent | str]:
        keys = [_key(conversation) for conversation in conversations]
        new = {key: c for key, c in zip(keys, conversations, strict=True) if key not in self._cache}
        fresh = dict(zip(new, self._writing.sent(list(new.values())), strict=True)) if new else {}
        return [self._cache[key] if key in self._cache else fresh[key] for key in keys]

    def _unscorable(self, entry: Sent | str) -> Scored | None:
        if isinstance(entry, str):
            return Scored(None, reason=entry)
        tokens, limit = len(entry.ids), self.facts.max_length
        if self._writing.counts and tokens == 0:
            return Scored(None, tokens=0, reason="it has no tokens")
        if self._writing.counts and limit is not None and tokens > limit:
            reason = f"{tokens:,} tokens, and the model reads at most {limit:,}"
            return Scored(None, tokens=tokens, truncated=True, reason=reason)
        return None

    def _score(self, sent: Sequence[Sent], stop: threading.Event) -> list[Scored]:
        """Score one request's conversations; where the server does not take them, in halves, down to single ones."""
        post: Post = lambda path, body: self._client.post(path, body, stop)  # noqa: E731 - an argument, not a name
        try:
            answers = self._server.ask(post, self._settled.way, sent, self._settled.fields)
        except Rejected as error:
            if error.status in (404, 405):
                raise ScoringError(
                    f"{self._client.url}: {error}, where it answered before. Another server, or another model, may "
                    "have taken its place. What was scored is kept."
                ) from error
            if len(sent) > 1:
                middle = len(sent) // 2
                return [*self._score(sent[:middle], stop), *self._score(sent[middle:], stop)]
            tokens = len(sent[0].ids) or None
            too_long = error.status in (400, 413, 422) and bool(_TOO_LONG.search(str(error).lower()))
            return [Scored(None, tokens=tokens, truncated=too_long, reason=str(error))]
        return [self._reward(one, answer) for one, answer in zip(sent, answers, strict=True)]

    def _reward(self, one: Sent, answer: Answer) -> Scored:
        tokens = len(one.ids) or None
        if isinstance(answer, str):
            return Scored(None, tokens=tokens, reason=answer)
        if tuple(answer) != self._settled.names:
            return Scored(
                None, tokens=tokens, reason=f"the server answered {len(answer)} numbers, other ones than before"
            )
        bad = next((value for value in answer.values() if not math.isfinite(value)), None)
        if bad is not None:
            return Scored(None, tokens=tokens, reason=f"the model answered {bad}")
        if self._settled.invert:
            (chance,) = answer.values()
            if not EDGE < chance < 1 - EDGE:
                reason = f"the server's probability, {chance:.9g}, is too near 0 or 1 to be taken back to a reward"
                return Scored(None, tokens=tokens, reason=reason)
            return Scored(math.log(chance / (1 - chance)), tokens=tokens)
        if not self._weights:
            (value,) = answer.values()
            return Scored(value, tokens=tokens)
        parts = {name: self._weights.get(name, 0.0) * value for name, value in answer.items()}
        return Scored(sum(parts.values()), tokens=tokens, attributes=parts)


def load_served(
    source: ServerSource,
    text: str,
    options: LoadOptions,
    base: Callable[[str], Checkpoint],
    patience: Patience | None = None,
) -> ServedModel:
    """Reach a server, see that it answers with rewards, and say what is known of it.

    Args:
        source: its address.
        text: the SOURCE as typed.
        options: `server` names its kind; `base_config` is where tokenizer and template come from.
        base: opens config and tokenizer of a SOURCE.
        patience: how long it is waited for; as the options say when not given.

    Raises:
        UsageError: when an option is missing, or has no meaning for a server.
        LoadRefusedError: when conversations cannot be written out.
        ScoringError: when the server is not up, or answers with something that is no reward.
    """
    server = _server(options)
    patience = patience or Patience(timeout=options.timeout or Patience.timeout)
    client = Client(_address(source.url, server), os.environ.get(KEY), patience, server.start)
    if options.offline and not client.local:
        raise UsageError(f"--offline forbids network connections, and {source.url} is not this machine. Leave one out.")
    checkpoint = _checkpoint(server, options, base)
    writing = _writing(server, checkpoint, options)
    about = server.about(client)
    limit = server.max_length = _limit(about, checkpoint, options)
    per_request = 1 if isinstance(writing, MessagesWriting) else min(server.size, about.batch or server.size)
    settled = _probed(server, client, writing, limit, options.server_activation, per_request)
    weights = _weights(settled.names, options)
    concurrency = options.concurrency or CONCURRENCY
    return ServedModel(
        server,
        client,
        writing,
        settled,
        _facts(text, server, about, writing, settled, checkpoint, options, limit, bool(weights)),
        weights,
        per_request,
        concurrency,
        options.batch_size,
    )


def in_parallel(jobs: Sequence[Callable[[threading.Event], T]], limit: int) -> list[T]:
    """Results of jobs in their order, `limit` of them at work at a time.

    The first failure sets the event that every job is given, and is raised without waiting for the others: their
    threads are daemons, so that an interrupted program ends at once and not when the slowest answer has come.
    """
    stop, lock = threading.Event(), threading.Lock()
    results: dict[int, T] = {}
    waiting = iter(range(len(jobs)))
    ended: SimpleQueue[BaseException | None] = SimpleQueue()
    """How each thread ended: by an error, or with nothing left to do."""

    def work() -> None:
        try:
            while not stop.is_set():
                with lock:
                    i = next(waiting, None)
                if i is None:
                    break
                results[i] = jobs[i](stop)
        except Stopped:
            pass
        except BaseException as error:
            ended.put(error)
            return
        ended.put(None)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(limit, len(jobs)))]
    try:
        for thread in threads:
            thread.start()
        for _ in threads:
            error = ended.get()
            if error is not None:
                raise error
    finally:
        stop.set()
    return [results[i] for i in range(len(jobs))]


def _job(
    score: Callable[[Sequence[Sent], threading.Event], list[Scored]], sent: Sequence[Sent]
) -> Callable[[threading.Event], list[Scored]]:
    return lambda stop: score(sent, stop)


def _server(options: LoadOptions) -> Server:
    if options.server is None:
        raise UsageError(
            f"Which kind of server is it? Say so with --server NAME, one of: {', '.join(SERVERS)}. They are asked in "
            "different ways."
        )
    if options.server not in SERVERS:
        raise UsageError(f"There is no kind of server {options.server!r}. --server is one of: {', '.join(SERVERS)}.")
    useless = [flag for name, flag in _USELESS.items() if getattr(options, name)]
    if useless:
        raise UsageError(
            f"{', '.join(useless)} would change how weights are loaded, and a server has loaded its own. Leave it out, "
            "and set it where the server is started."
        )
    if options.server_activation not in (None, *probe.ACTIVATIONS):
        raise UsageError(
            f"--server-activation is one of: {', '.join(probe.ACTIVATIONS)}. Got {options.server_activation!r}."
        )
    if options.dtype not in (None, *DTYPES):
        raise UsageError(f"--dtype says in which type the server works: {', '.join(DTYPES)}. Got {options.dtype!r}.")
    for flag, number in {"--concurrency": options.concurrency, "--timeout": options.timeout}.items():
        if number is not None and number <= 0:
            raise UsageError(f"{flag} must be above 0. Got {number}.")
    return SERVERS[options.server](options.server_model)


def _address(url: str, server: Server) -> str:
    """The address below which the server's paths are."""
    if server.name == "sglang" and url.endswith("/v1/classify"):
        raise UsageError(
            f"{url} puts a softmax over the one reward and answers 1.0 to every text. Pass the server's address "
            f"({url.removesuffix('/v1/classify')}); its own /classify is asked."
        )
    for path in (*(way.path for way in server.ways), "/v1"):
        url = url.removesuffix(path)
    return url


def _checkpoint(server: Server, options: LoadOptions, base: Callable[[str], Checkpoint]) -> Checkpoint | None:
    """Where the tokenizer and the template come from, where the server's form needs them."""
    by_server = options.template == SERVER_TEMPLATE
    if by_server and not server.own_template:
        others = ", ".join(name for name, kind in SERVERS.items() if kind.own_template)
        raise UsageError(
            f"--template server leaves it to the server to write conversations out, which --server {server.name} "
            f"has no use for. It is for: {others}."
        )
    if server.form in ("pair", "messages") and options.template is not None:
        what = "question and answer as a pair" if server.form == "pair" else "messages, and writes them out by itself"
        raise UsageError(f"--server {server.name} takes {what}, so --template has no meaning there. Leave it out.")
    if options.base_config is not None:
        if server.form == "messages" or by_server:
            raise UsageError("--base-config has no meaning where the server writes conversations out. Leave it out.")
        return base(options.base_config)
    if server.form in ("tokens", "text") and not by_server:
        also = ", or pass --template server to let the server write conversations out" if server.own_template else ""
        raise UsageError(
            f"Conversations are written out here, so that the server reads the tokens that it should. Pass the "
            f"checkpoint that it serves (a folder or hub id; its weights are not read) with --base-config SOURCE{also}."
        )
    return None


def _writing(server: Server, checkpoint: Checkpoint | None, options: LoadOptions) -> Writing:
    from rmaudit.models.assemble import way_of_writing
    from rmaudit.models.backbone import load_tokenizer

    if server.form == "messages" or options.template == SERVER_TEMPLATE:
        return MessagesWriting()
    if checkpoint is None:
        return PairWriting(None)
    if not checkpoint.tokenizes:
        raise LoadRefusedError(f"{checkpoint.root} has no tokenizer, so nothing can be written out. Save it there too.")
    tokenizer = load_tokenizer(checkpoint)
    if server.form == "pair":
        return PairWriting(tokenizer)
    written = way_of_writing(checkpoint, tokenizer, server.spec, options)
    if server.form == "text":
        assert isinstance(written, TemplateInput), "pairs are sent in another form"
        return TextWriting(written, tokenizer)
    return TokensWriting(written)


def _limit(about: About, checkpoint: Checkpoint | None, options: LoadOptions) -> int | None:
    """Most tokens that are sent: the least that server, config and user say."""
    positions = checkpoint.config.get("max_position_embeddings") if checkpoint is not None else None
    known = [limit for limit in (about.max_length, positions) if isinstance(limit, int)]
    own = min(known, default=None)
    if options.max_length is not None and own is not None and options.max_length > own:
        raise UsageError(f"--max-length {options.max_length} is out of range: the server reads at most {own} tokens.")
    return options.max_length or own


def _probed(
    server: Server, client: Client, writing: Writing, limit: int | None, activation: str | None, most: int
) -> probe.Settled:
    sent = [
        entry
        for entry in writing.sent(probe.CONVERSATIONS)
        if isinstance(entry, Sent) and not (limit is not None and len(entry.ids) > limit)
    ]
    if len(sent) < 3:
        raise ScoringError(
            f"The server reads at most {limit} tokens, too few for anything. Give a larger --max-length."
        )
    return probe.settle(server, client.post, sent, client.url, activation, most)


def _weights(names: tuple[str, ...], options: LoadOptions) -> dict[str, float]:
    """Weight of each number in the reward; empty where there is one number, the reward."""
    if len(names) == 1:
        if options.attributes:
            raise UsageError("The server answers with one number a text, so --attribute has no meaning. Leave it out.")
        return {}
    if not options.attributes:
        raise LoadRefusedError(
            f"The server answers with {len(names)} numbers a text ({', '.join(names)}), and how they make one reward "
            "is not for us to guess. Pass --attribute NAME=WEIGHT for each that counts, or --attribute mean."
        )
    return attribute_weights(list(names), options.attributes)


def _facts(
    text: str,
    server: Server,
    about: About,
    writing: Writing,
    settled: probe.Settled,
    checkpoint: Checkpoint | None,
    options: LoadOptions,
    limit: int | None,
    weighted: bool,
) -> ModelFacts:
    model, dtype = about.model, options.dtype or about.dtype
    known = {"server": server.name, "model": model or "", **about.content}
    if options.server_activation is not None:
        known["activation"] = options.server_activation
    files = {f"server/{name}": hashlib.sha256(value.encode()).hexdigest() for name, value in known.items()}
    files |= dict(_client_files(checkpoint, options))
    return ModelFacts(
        identity=Identity(safety.identity_digest(files), text, files=files),
        format=server.name,
        evidence=(
            f"--server {server.name}" + (f", version {about.version}" if about.version else ""),
            f"the server calls its model {model}" if model else "the server does not name its model",
            *about.told,
            *settled.evidence,
        ),
        head=None,
        pooling=None,
        dtype=dtype,
        device=None,
        template=writing.description,
        max_length=limit,
        normalisation="log(p / (1 - p)) of the server's probability" if settled.invert else None,
        attributes=settled.names if weighted else (),
        additive=weighted,
        risks=(UNKNOWN, *(() if dtype else (UNTOLD,)), *server.risks, *settled.risks),
    )


def _client_files(checkpoint: Checkpoint | None, options: LoadOptions) -> Iterator[tuple[str, str]]:
    """Files here that take part in the score: those of the tokenizer, and the user's template."""
    if checkpoint is not None:
        yield from checkpoint.digests().items()
    template = Path(options.template).expanduser() if options.template else None
    if template is not None and template.is_file():
        yield "--template", safety.sha256_of(template)


def _key(conversation: Conversation) -> tuple[tuple[str, str], ...]:
    return tuple((turn["role"], turn["content"]) for turn in conversation)
