"""Real HTTP servers on this machine that speak each server's payload, rightly or wrongly."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], Any]
"""Status, headers, and a JSON value or raw bytes."""


class Broken(Exception):
    """The connection is cut in the middle of an answer."""


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]
    at: float


@dataclass
class Place:
    """A server's address, its behaviour and what it was asked."""

    url: str
    answer: Callable[[Asked], Any]
    """A JSON value, `bytes`, a `Reply` or `Broken`."""
    before: Callable[[Asked, int], Any] | None = None
    """Answers in place of `answer` unless it gives ``None``; the number counts requests to the same path."""
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def posts(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST"]


@contextlib.contextmanager
def serve(answer: Callable[[Asked], Any], before: Callable[[Asked, int], Any] | None = None) -> Iterator[Place]:
    """Serve on a free port."""
    place = Place("", answer, before)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            asked = Asked(self.command, self.path, body, dict(self.headers), time.monotonic())
            with lock:
                place.asked.append(asked)
                place.at_once += 1
                place.most_at_once = max(place.most_at_once, place.at_once)
                count = sum(one.path == asked.path for one in place.asked)
            try:
                given = place.before(asked, count) if place.before else None
                given = place.answer(asked) if given is None else given
            except Rude as error:
                given = error.reply
            finally:
                with lock:
                    place.at_once -= 1
            with contextlib.suppress(OSError):
                self.send(given)

        do_POST = do_GET

        def send(self, given: Any) -> None:
            if given is Broken:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"data": [')
                self.wfile.flush()
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return
            status, headers, value = given if isinstance(given, tuple) else (200, {}, given)
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Length": str(len(raw)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(raw)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    place.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Rude(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, value: Any = None, **headers: str) -> None:
        self.reply: Reply = (status, {name.replace("_", "-"): text for name, text in headers.items()}, value)


def gone() -> str:
    """An address of this machine at which nothing is."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


def reward(ids: Sequence[int]) -> float:
    """A reward of tokens that any change of them changes."""
    return 3.0 * math.sin(sum((place % 97 + 1) * (token + 1) * 0.01 for place, token in enumerate(ids)))


def of_text(text: str) -> float:
    return reward(text.encode())


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def vllm(
    *,
    switch: str | None = "use_activation",
    refuses: Sequence[str] = (),
    score: Callable[[Sequence[int]], float] = reward,
    shuffle: bool = False,
    paths: Sequence[str] = ("/classify",),
    models: Sequence[str] = ("rm",),
    limit: int = 4096,
    outputs: Callable[[float], list[float]] | None = None,
    raw: Callable[[float], float] = lambda value: value,
) -> Callable[[Asked], Any]:
    """vLLM: ``switch`` is the field that turns its sigmoid off, ``refuses`` are fields that it rejects."""

    def answer(asked: Asked) -> Any:
        if asked.path == "/version":
            return {"version": "0.32.0"}
        if asked.path == "/v1/models":
            return {"data": [{"id": name, "root": "/models/x", "max_model_len": limit} for name in models]}
        if asked.path not in paths:
            raise Rude(404, {"detail": "Not Found"})
        body = asked.body
        bad = [name for name in refuses if name in body]
        if bad:
            raise Rude(400, {"error": {"message": f"{bad[0]}: Extra inputs are not permitted", "code": 400}})
        if body.get("model", models[0]) not in models:
            raise Rude(404, {"error": {"message": f"The model {body['model']} does not exist."}})
        if "messages" in body:
            assert body["add_generation_prompt"] is False
            values = [of_text(json.dumps(body["messages"]))]
        else:
            too_long = max(map(len, body["input"]))
            if too_long > limit:
                message = f"This model's maximum context length is {limit} tokens. However, you requested {too_long}."
                raise Rude(400, {"error": {"message": message}})
            values = [score(ids) for ids in body["input"]]
        off = switch is not None and body.get(switch) is False
        values = [raw(value) if off else sigmoid(value) for value in values]
        kind, task = ("probs", None) if asked.path == "/classify" else ("data", body["task"])
        data = [
            {"index": i, kind: as_rows(outputs(value) if outputs else [value], task)} for i, value in enumerate(values)
        ]
        return {"id": "x", "object": "list", "data": data[::-1] if shuffle else data}

    return answer


def as_rows(values: list[float], task: str | None) -> Any:
    """Values as they come for a task: those for each token, the last of which counts, for ``token_classify``."""
    return [[0.5], [-9.0], values] if task == "token_classify" else values


def sglang(*, generates: bool = False, cuts: int | None = None) -> Callable[[Asked], Any]:
    def answer(asked: Asked) -> Any:
        if asked.path == "/get_model_info":
            return {"model_path": "owner/rm", "is_generation": generates}
        if asked.path == "/get_server_info":
            return {"version": "0.5.6", "context_length": 4096}
        if asked.path != "/classify":
            raise Rude(404, {"detail": "Not Found"})
        return [
            {"embedding": [reward(ids)], "meta_info": {"prompt_tokens": min(len(ids), cuts or len(ids))}}
            for ids in asked.body["input_ids"]
        ]

    return answer


def tei(
    *, labels: Sequence[str] = ("LABEL_0",), kind: str = "reranker", batch: int = 32, limit: int = 1200
) -> Callable[[Asked], Any]:
    """TEI: pairs, a sigmoid (or softmax) unless raw scores are asked for, labels sorted by score."""

    def one(pair: Any, raw: bool) -> Any:
        assert isinstance(pair, list), "a flat list of two texts is one pair"
        assert len(pair) == 2
        if len("".join(pair)) > limit:
            raise Rude(413, {"error": f"`inputs` must have less than {limit} tokens. Given: 9999", "error_type": "x"})
        value = of_text("\0".join(pair))
        values = [value, *(value / 2 - place for place in range(1, len(labels)))]
        total = sum(map(math.exp, values))
        shown = values if raw else [sigmoid(v) if len(values) == 1 else math.exp(v) / total for v in values]
        scored = [{"label": label, "score": score} for label, score in zip(labels, shown, strict=True)]
        return sorted(scored, key=lambda entry: -entry["score"])

    def answer(asked: Asked) -> Any:
        if asked.path == "/info":
            return {
                "model_id": "owner/rm",
                "model_sha": "abc123",
                "model_dtype": "float16",
                "model_type": {kind: {"id2label": dict(enumerate(labels))}},
                "max_input_length": 512,
                "max_client_batch_size": batch,
                "version": "1.9.0",
            }
        if asked.path != "/predict":
            raise Rude(404)
        inputs = asked.body["inputs"]
        assert asked.body["truncate"] is False
        if len(inputs) > batch:
            raise Rude(413, {"error": f"batch size {len(inputs)} > maximum allowed batch size {batch}"})
        return [one(pair, asked.body["raw_scores"]) for pair in inputs]

    return answer


def openrlhf(*, nested: bool = False) -> Callable[[Asked], Any]:
    def answer(asked: Asked) -> Any:
        if asked.path != "/get_reward":
            raise Rude(404, {"detail": "Not Found"})
        rewards = [of_text(text) for text in asked.body["query"]]
        return {"rewards": [[r] for r in rewards] if nested else rewards, "scores": rewards, "extra_logs": {}}

    return answer


def llamafactory(*, nested: bool = False) -> Callable[[Asked], Any]:
    def answer(asked: Asked) -> Any:
        if asked.path == "/v1/models":
            return {"object": "list", "data": [{"id": "gpt-3.5-turbo"}]}
        if asked.path != "/v1/score/evaluation":
            raise Rude(404, {"detail": "Not Found"})
        assert all(isinstance(text, str) for text in asked.body["messages"])
        scores = [of_text(text) for text in asked.body["messages"]]
        return {"id": "x", "object": "score.evaluation", "scores": [[s] for s in scores] if nested else scores}

    return answer


def nim(content: Callable[[float], str] = lambda value: f"reward:{value:.6f}") -> Callable[[Asked], Any]:
    def answer(asked: Asked) -> Any:
        if asked.path == "/v1/models":
            return {"data": [{"id": "nvidia/reward"}]}
        if asked.path != "/v1/chat/completions":
            raise Rude(404)
        value = of_text(json.dumps(asked.body["messages"]))
        return {"choices": [{"message": {"role": "assistant", "content": content(value)}}]}

    return answer
