"""What a checkpoint is, told from its files alone: format, evidence, how its scalar is computed, what is risky."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from rmaudit.errors import LoadRefusedError
from rmaudit.models import safety
from rmaudit.models.card import read_card
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.detect import detect
from rmaudit.models.family import Detection
from rmaudit.models.headspec import InputSpec
from rmaudit.models.interface import SelfCheck
from rmaudit.models.load import open_checkpoint
from rmaudit.models.options import LoadOptions
from rmaudit.models.pickles import scanned
from rmaudit.models.risks import risks_of


class Inspection(BaseModel):
    """What ``rmaudit inspect`` says of a checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    source: str
    format: str
    evidence: list[str]
    """Files, tensors with shapes and config fields that tell the format."""
    architecture: str | None
    parameters: int
    """Numbers in the weight files."""
    head: list[str]
    """The head's tensors with their shapes; the last one gives the scalar."""
    pooling: str
    """Which position is read."""
    scalar: str
    """How the format's scalar is computed."""
    sign: int
    """-1 where the model's own number is a cost."""
    normalisation: str | None
    attributes: list[str]
    """Further numbers that come with each reward."""
    template: str | None
    """How conversations are written out, where that comes from, and which special tokens stand at both ends."""
    identity: str
    """sha256 over all files that take part in the score."""
    revision: str | None
    files: dict[str, str]
    """File name to sha256."""
    licenses: list[str]
    """Licences that the model card declares, and licence files that lie in the folder."""
    base_models: list[str]
    """Base models that the card or the adapter names."""
    risks: list[str]
    """What a reader should know before trusting the numbers."""
    missing: str | None
    """What has to be added before it can be loaded, such as a chat template, or ``null``."""
    problem: str | None
    """Why it is refused whatever is added, or ``null``."""
    next: str
    """The command to run next."""
    self_test: list[SelfCheck] | None = None
    """What the loaded model showed, where it was asked to."""


def inspect(source: str, options: LoadOptions | None = None) -> Inspection:
    """Say what a checkpoint is, from its files alone: no weight is loaded, no pickle opened, no code run.

    Args:
        source: ``demo``, a checkpoint folder or ``owner/name[@revision]``.
        options: how it would be loaded.

    Raises:
        UsageError: when the source is no checkpoint, or an option makes no sense.
        LoadRefusedError: when the format is unknown or ambiguous, the head is not whole, or a file is damaged.
    """
    options = options or LoadOptions()
    checkpoint = open_checkpoint(source, options, look=True)
    detection = detect(checkpoint, options)
    written = _written(checkpoint, detection, options)
    reading, digests = detection.reading, checkpoint.digests()
    card = read_card(checkpoint.root)
    base = (checkpoint.adapter or {}).get("base_model_name_or_path")
    evidence = [*detection.evidence, *scanned(checkpoint.root, checkpoint.weights)]
    return Inspection(
        source=source,
        format=detection.format,
        evidence=evidence,
        architecture=checkpoint.architecture,
        parameters=checkpoint.parameters,
        head=[str(tensor) for tensor in reading.head],
        pooling=reading.pooling,
        scalar=detection.family.scalar,
        sign=reading.sign,
        normalisation=reading.normalisation,
        attributes=list(reading.attributes),
        template=written.template,
        identity=safety.identity_digest(digests),
        revision=checkpoint.revision,
        files=digests,
        licenses=[*card.get("license", []), *sorted(name for name in checkpoint.names if _is_licence(name))],
        base_models=list(dict.fromkeys([*card.get("base_model", []), *([str(base)] if base else [])])),
        risks=[*reading.risks, *risks_of(checkpoint)],
        missing=written.missing,
        problem=written.problem,
        next=_next(source, checkpoint, options),
    )


@dataclass(frozen=True)
class _Written:
    """How conversations are written out."""

    template: str | None
    missing: str | None = None
    problem: str | None = None


def _written(checkpoint: Checkpoint, detection: Detection, options: LoadOptions) -> _Written:
    """How conversations are written out, and why they cannot be, by trying it with the tokenizer alone."""
    from rmaudit.models.assemble import way_of_writing
    from rmaudit.models.backbone import load_tokenizer, refuse_foreign_kernel
    from rmaudit.models.text import chosen_template

    reading = detection.reading
    spec = reading.spec.input if reading.spec is not None else InputSpec()
    try:
        refuse_foreign_kernel(checkpoint)
        if not checkpoint.tokenizes:
            return _Written(reading.template, missing=f"{checkpoint.root} has no tokenizer. Save it there too.")
        tokenizer = load_tokenizer(checkpoint)
        own = reading.spec is None or not (spec.pair or spec.template or options.template)
        if own and reading.template is not None:
            return _Written(reading.template)  # the format's own text, which is no template
        if not spec.pair or options.template is not None:
            try:
                chosen_template(checkpoint, tokenizer, spec, options.template)
            except LoadRefusedError as error:
                return _Written(reading.template, missing=str(error))
        return _Written(way_of_writing(checkpoint, tokenizer, spec, options).description)
    except LoadRefusedError as error:
        return _Written(reading.template, problem=str(error))


def _is_licence(name: str) -> bool:
    return name.upper().split(".")[0] in ("LICENSE", "LICENCE", "COPYING", "USE_POLICY", "NOTICE")


def _next(source: str, checkpoint: Checkpoint, options: LoadOptions) -> str:
    needed = replace(options, allow_pickle=options.allow_pickle or bool(checkpoint.pickles))
    return shlex.join(["rmaudit", "scan", source, *needed.words()])
