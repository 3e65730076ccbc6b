"""SGLang: its own ``/classify``, which answers raw numbers.

Its other path, ``/v1/classify``, puts a softmax over the one reward, which makes it 1.0 whatever the text: never used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmaudit.errors import ScoringError
from rmaudit.models.servers.client import Client, Post
from rmaudit.models.servers.server import About, Answer, Sent, Server, Way, field_of, rows, text_of, vector, whole


class Sglang(Server):
    """``sglang.launch_server`` with ``--is-embedding``."""

    name = "sglang"
    form = "tokens"
    ways = (Way("/classify"),)
    start = "python -m sglang.launch_server --model-path CHECKPOINT --is-embedding"
    raw_advice = "pass the server's own address, so that its /classify is asked and not /v1/classify or a wrapper of it"
    shape_advice = "serve a checkpoint with a reward head by --is-embedding; its config.json must name the class"

    def about(self, client: Client) -> About:
        """Path and kind from ``/get_model_info``, version and length from ``/get_server_info``.

        Raises:
            ScoringError: when a generating model is served.
        """
        info = _first(client, "/get_model_info", "/model_info")
        if info.get("is_generation") is True:
            raise ScoringError(
                f"{client.url} generates text and gives no rewards. Start it with --is-embedding: {self.start}"
            )
        settings = _first(client, "/get_server_info", "/server_info")
        return About(
            model=self.model or text_of(info.get("model_path")),
            version=text_of(settings.get("version")),
            max_length=whole(settings.get("context_length")),
        )

    def ask(self, post: Post, way: Way, batch: Sequence[Sent], fields: Mapping[str, Any]) -> list[Answer]:
        """Numbers of a batch; a text that the server cut has none."""
        answer = post(way.path, {"input_ids": [list(one.ids) for one in batch], **fields})
        data = rows([answer] if isinstance(answer, dict) else answer, len(batch), way.path)
        return [_values(entry, one, way.path) for entry, one in zip(data, batch, strict=True)]


def _values(entry: Any, one: Sent, where: str) -> Answer:
    values = vector(field_of(entry, "embedding", where), where)
    told = entry.get("meta_info")
    read = whole(told.get("prompt_tokens")) if isinstance(told, dict) else None
    if read is not None and read != len(one.ids):
        return f"the server read {read:,} tokens of {len(one.ids):,}"
    return values


def _first(client: Client, *paths: str) -> dict[str, Any]:
    """The first of several paths with an object; the names have changed."""
    for path in paths:
        found = client.get(path)
        if isinstance(found, dict):
            return found
    return {}
