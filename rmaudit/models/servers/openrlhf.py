"""OpenRLHF's reward server: ``/get_reward`` with texts that carry template and EOS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmaudit.models.headspec import InputSpec
from rmaudit.models.servers.client import Client, Post
from rmaudit.models.servers.server import About, Answer, Sent, Server, Way, field_of, rows, vector


class OpenRlhf(Server):
    """``openrlhf.cli.serve_rm``."""

    name = "openrlhf"
    form = "text"
    ways = (Way("/get_reward"),)
    start = "python -m openrlhf.cli.serve_rm with the checkpoint"
    raw_advice = "serve the model without a sigmoid of your own"
    shape_advice = "serve a reward model with one output"
    spec = InputSpec(special_tokens=False, strip="\n", close=True)
    risks = (
        "the server does not tell its model, whether it normalises rewards, nor the length at which it cuts texts",
        "older versions of this server put a begin-of-text token of their own before each text, which its answers do "
        "not show",
    )

    def about(self, client: Client) -> About:
        """Nothing: it has no such path. The first request shows whether it is there."""
        return About(model=self.model)

    def ask(self, post: Post, way: Way, batch: Sequence[Sent], fields: Mapping[str, Any]) -> list[Answer]:
        """Rewards of a batch, as a list of numbers or of lists of one."""
        empty = [""] * len(batch)
        body = {"query": [one.text for one in batch], "prompts": empty, "labels": empty, **fields}
        rewards = field_of(post(way.path, body), "rewards", way.path)
        return [vector(entry, way.path) for entry in rows(rewards, len(batch), way.path)]
