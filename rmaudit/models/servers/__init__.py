"""Servers that answer with rewards: one file each, and the client that they share."""

from __future__ import annotations

from rmaudit.models.servers.llamafactory import LlamaFactory
from rmaudit.models.servers.nim import Nim
from rmaudit.models.servers.openrlhf import OpenRlhf
from rmaudit.models.servers.server import Server
from rmaudit.models.servers.sglang import Sglang
from rmaudit.models.servers.tei import Tei
from rmaudit.models.servers.vllm import Vllm

SERVERS: dict[str, type[Server]] = {kind.name: kind for kind in (Vllm, Sglang, Tei, OpenRlhf, LlamaFactory, Nim)}
"""Every server, by the name that ``--server`` takes."""
