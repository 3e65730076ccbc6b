"""LLaMA-Factory's API in stage ``rm``: ``/v1/score/evaluation`` with plain texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmaudit.models.headspec import InputSpec
from rmaudit.models.servers.client import Client, Post
from rmaudit.models.servers.server import (
    About,
    Answer,
    Sent,
    Server,
    Way,
    chosen_model,
    field_of,
    rows,
    text_of,
    vector,
)


class LlamaFactory(Server):
    """``llamafactory-cli api`` with ``stage: rm``."""

    name = "llamafactory"
    form = "text"
    ways = (Way("/v1/score/evaluation"),)
    start = "llamafactory-cli api with stage: rm and infer_backend: huggingface"
    raw_advice = "serve the model without a sigmoid of your own"
    shape_advice = "start it with stage: rm and infer_backend: huggingface, the only one that scores"
    spec = InputSpec(special_tokens=False)
    risks = ("the name that this server gives its model is a setting, the same for every model unless it was changed",)

    def about(self, client: Client) -> About:
        """A name from ``/v1/models``, whatever it is worth."""
        self.model = text_of(chosen_model(client, self.model).get("id")) or self.model
        return About(model=self.model)

    def ask(self, post: Post, way: Way, batch: Sequence[Sent], fields: Mapping[str, Any]) -> list[Answer]:
        """Scores of a batch, as a list of numbers or of lists of one."""
        body: dict[str, Any] = {"model": self.model or "rm", "messages": [one.text for one in batch], **fields}
        if self.max_length is not None:
            body["max_length"] = self.max_length  # or the server cuts at a length of its own
        scores = field_of(post(way.path, body), "scores", way.path)
        return [vector(entry, way.path) for entry in rows(scores, len(batch), way.path)]
