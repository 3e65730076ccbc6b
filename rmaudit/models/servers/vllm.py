"""vLLM: ``/classify``, else ``/pooling``.

Without being told otherwise it answers with a sigmoid of the reward. The field that says so has had three names;
an older server passes over a name that it does not know, a newer one refuses an old name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rmaudit.models.servers.client import Client, Post
from rmaudit.models.servers.server import (
    About,
    Answer,
    Sent,
    Server,
    Way,
    chosen_model,
    field_of,
    malformed,
    rows,
    text_of,
    vector,
    whole,
)


def _ways() -> tuple[Way, ...]:
    fields = ("use_activation", "activation", "softmax")
    classify = [Way("/classify", {name: False}, {name: True}) for name in fields]
    pooling = Way(
        "/pooling",
        {"task": "classify", "use_activation": False},
        {"task": "classify", "use_activation": True},
    )
    each = Way(
        "/pooling",
        {"task": "token_classify", "use_activation": False},
        {"task": "token_classify", "use_activation": True},
        note="the server answers with a value for each token, and the last token's is the reward",
    )
    return (*classify, pooling, each)


class Vllm(Server):
    """``vllm serve`` with a pooling model."""

    name = "vllm"
    form = "tokens"
    ways = _ways()
    start = "vllm serve CHECKPOINT --runner pooling --convert classify"
    raw_advice = (
        "update vLLM, whose newer versions answer raw numbers when asked (use_activation: false), or start it with "
        "--pooler-config '{\"use_activation\": false}'"
    )
    shape_advice = "start the server with --runner pooling --convert classify"
    own_template: ClassVar[bool] = True

    def about(self, client: Client) -> About:
        """Id and length from ``/v1/models``, version from ``/version``."""
        entry, version = chosen_model(client, self.model), client.get("/version")
        self.model = text_of(entry.get("id")) or self.model
        root = text_of(entry.get("root"))
        return About(
            model=self.model,
            version=text_of(version.get("version")) if isinstance(version, dict) else None,
            max_length=whole(entry.get("max_model_len")),
            told=(f"the server loaded {root}",) if root and root != self.model else (),
        )

    def ask(self, post: Post, way: Way, batch: Sequence[Sent], fields: Mapping[str, Any]) -> list[Answer]:
        """Numbers of a batch; messages go one conversation a request."""
        body: dict[str, Any] = {"model": self.model} if self.model else {}
        if batch[0].ids:
            body["input"] = [list(one.ids) for one in batch]
        else:
            (one,) = batch
            body |= {"messages": one.conversation, "add_generation_prompt": False}
        answer = post(way.path, {**body, **fields})
        data = rows(field_of(answer, "data", way.path), len(batch), way.path)
        return [_values(entry, way.path) for entry in data]


def _values(entry: Any, where: str) -> Answer:
    if isinstance(entry, dict) and "probs" in entry:
        return vector(entry["probs"], where)
    values = field_of(entry, "data", where)
    if isinstance(values, list) and values and all(isinstance(row, list) for row in values):
        values = values[-1]
    if values == []:
        raise malformed(where, values, "a reward")
    return vector(values, where)
