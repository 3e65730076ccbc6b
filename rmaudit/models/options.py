"""How a SOURCE is to be loaded: what the loading options of the command line say."""

from __future__ import annotations

from dataclasses import dataclass, fields

FLAGS = {"format": "--as", "attributes": "--attribute"}
"""Options whose flag is not their field's name."""


@dataclass(frozen=True)
class LoadOptions:
    """How a SOURCE is to be loaded. The defaults are right for most checkpoints."""

    format: str | None = None
    """Name of a format that overrides detection (``--as``), or ``None`` to detect it from the files."""
    device: str | None = None
    """``cpu``, ``cuda``, ``cuda:1`` …; ``None`` takes the GPU where there is one."""
    dtype: str | None = None
    """``float32``, ``bfloat16`` or ``float16``; ``None`` is float32 on a CPU, else the checkpoint's own. Of a served
    model: in which the server works."""
    max_length: int | None = None
    """Most tokens of one conversation; ``None`` is the model's own limit."""
    batch_size: int | None = None
    """Conversations a forward pass; ``None`` lets the model choose."""
    revision: str | None = None
    """Commit, tag or branch of a hub checkpoint."""
    offline: bool = False
    """Never open a network connection."""
    allow_pickle: bool = False
    """Also read weights from ``.bin`` and ``.pt`` files, as plain tensors only."""
    head_spec: str | None = None
    """File that describes the head of a checkpoint whose format is not known (``--head-spec``)."""
    template: str | None = None
    """``chat``, ``plain`` or a Jinja file: how conversations are written out, in place of the format's own way."""
    base_model: str | None = None
    """Folder or hub id of the base of an adapter, in place of the one that the adapter names."""
    base_config: str | None = None
    """Folder or hub id whose config and tokenizer belong to a bare weight file."""
    ref_model: str | None = None
    """Folder or hub id of the reference of a policy whose implicit reward is audited (``dpo``)."""
    beta: float | None = None
    """Factor of the implicit reward; ``None`` is 0.1, which is the usual one in training."""
    step_aggregate: str | None = None
    """``last``, ``min``, ``mean``, ``prod`` or ``softmin``: how a process reward model's steps become one number."""
    attributes: tuple[str, ...] = ()
    """``NAME=WEIGHT`` for each output of a head with several, or the one word ``mean``."""
    quantize: str | None = None
    """``8bit`` or ``4bit``: weights are rounded to fit, and the reward with them."""
    trust_remote_code: bool = False
    """Run the checkpoint's own Python code; only at a pinned `revision`."""
    server: str | None = None
    """Kind of the server at an ``http://`` SOURCE: ``vllm``, ``sglang``, ``tei``, ``openrlhf``, ``llamafactory`` or
    ``nim``."""
    server_model: str | None = None
    """Name of the model on a server that holds several."""
    server_activation: str | None = None
    """``none`` or ``sigmoid``: what a server's numbers between 0 and 1 are, where it cannot be found out."""
    concurrency: int | None = None
    """Requests to a server at a time; ``None`` is 8."""
    timeout: float | None = None
    """Seconds to wait for one answer of a server; ``None`` is 600."""

    def words(self) -> list[str]:
        """The options that were given, as words of a command line."""
        words: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            flag = FLAGS.get(field.name, f"--{field.name.replace('_', '-')}")
            for entry in value if isinstance(value, tuple) else [value]:
                words += [] if entry is None or entry is False else [flag] if entry is True else [flag, str(entry)]
        return words

    def __post_init__(self) -> None:
        """Take one attribute, or a list of them, as well as a tuple."""
        told = (self.attributes,) if isinstance(self.attributes, str) else tuple(self.attributes)
        object.__setattr__(self, "attributes", told)
