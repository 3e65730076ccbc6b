"""Text Embeddings Inference: ``/predict`` with question and answer as a pair.

A flat list of two texts would be one pair, so each conversation is a list of its own. The labels of an answer come
sorted by score, so they are put back by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmaudit.conversation import as_pair
from rmaudit.errors import ScoringError
from rmaudit.models.servers.client import Client, Post
from rmaudit.models.servers.server import (
    ONE,
    About,
    Answer,
    Sent,
    Server,
    Way,
    field_of,
    number,
    rows,
    text_of,
    whole,
)


class Tei(Server):
    """``text-embeddings-router`` with a classifier."""

    name = "tei"
    form = "pair"
    ways = (Way("/predict", {"raw_scores": True}, {"raw_scores": False}),)
    start = "text-embeddings-router --model-id CHECKPOINT"
    raw_advice = "ask the server itself, whose /predict answers raw numbers when asked (raw_scores: true)"
    shape_advice = "serve a sequence classifier with one label"
    risks = ("question and answer go to the server as a pair of texts, and its tokenizer joins them: no chat template",)

    def about(self, client: Client) -> About:
        """All of it from ``/info``.

        Raises:
            ScoringError: when embeddings are served.
        """
        info = client.get("/info")
        info = info if isinstance(info, dict) else {}
        kind = info.get("model_type")
        if isinstance(kind, dict) and kind and not {*kind} & {"classifier", "reranker"}:
            raise ScoringError(
                f"{client.url} serves a model of kind {', '.join(map(str, kind))}, which gives no rewards. Serve a "
                f"sequence classifier: {self.start}"
            )
        sha = text_of(info.get("model_sha"))
        dtype = text_of(info.get("model_dtype"))
        return About(
            model=self.model or text_of(info.get("model_id")),
            version=text_of(info.get("version")),
            max_length=whole(info.get("max_input_length")),
            batch=whole(info.get("max_client_batch_size")),
            dtype=dtype,
            told=(f"model_sha {sha}",) if sha else (),
            content={"model_sha": sha} if sha else {},
        )

    def ask(self, post: Post, way: Way, batch: Sequence[Sent], fields: Mapping[str, Any]) -> list[Answer]:
        """Numbers of a batch by label."""
        pairs = [list(as_pair(one.conversation)) for one in batch]
        answer = post(way.path, {"inputs": pairs, "truncate": False, **fields})
        return [_values(entry, way.path) for entry in rows(answer, len(batch), way.path)]


def _values(entry: Any, where: str) -> Answer:
    labels = entry if isinstance(entry, list) else [entry]
    values = {str(field_of(one, "label", where)): number(field_of(one, "score", where), where) for one in labels}
    return {ONE: next(iter(values.values()))} if len(values) == 1 else dict(sorted(values.items()))
