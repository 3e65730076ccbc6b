"""The one door: a SOURCE becomes a `RewardModel`, or a refusal that says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import safety
from rmaudit.models import source as sources
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.detect import detect
from rmaudit.models.folder import BaseFinder, read_config, read_folder
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.remote import require_pin

DEMO = Path(__file__).parents[1] / "demo_model"
"""Where the package keeps its own reward model."""

MAX_DEPTH = 2
"""How far references from one checkpoint to another are followed."""

Openable = sources.DemoSource | sources.FolderSource | sources.HubSource


def load(source: str, options: LoadOptions | None = None) -> RewardModel:
    """Load a reward model.

    Args:
        source: ``demo``, a checkpoint folder, ``owner/name[@revision]``, ``python:FILE.py:NAME``,
            ``scores:FILE.jsonl``, or ``http://HOST:PORT`` with the option `server`.
        options: how to load it; the defaults are right for most checkpoints.

    Raises:
        UsageError: when the source or an option makes no sense.
        LoadRefusedError: when the checkpoint cannot be trusted to give its own scores.
        ScoringError: when a scores file holds no scores, or a server does not answer with rewards.
    """
    options = options or LoadOptions()
    _check(options)
    parsed = sources.parse_source(source, options.revision, by_content=options.trust_remote_code)
    if isinstance(parsed, sources.CallableSource):
        from rmaudit.models.callable import load_callable

        return load_callable(parsed, source, options)
    if isinstance(parsed, sources.ScoresSource):
        from rmaudit.models.scores_file import load_scores

        return load_scores(parsed, source)
    if isinstance(parsed, sources.ServerSource):
        from rmaudit.models.served import load_served

        return load_served(parsed, source, options, lambda name: _config_of(name, options.offline))
    _refuse_server_options(options)
    checkpoint = _asked_for(parsed, options)
    detection = detect(checkpoint, options)
    if options.revision is not None and isinstance(parsed, sources.FolderSource) and not detection.family.last_resort:
        require_pin(checkpoint, source, options)
    safety.require_pickle_permission(checkpoint.root, checkpoint.pickles, options.allow_pickle)
    if detection.aside:
        kept = {name: tensor for name, tensor in checkpoint.tensors.items() if name not in detection.aside}
        checkpoint = replace(checkpoint, tensors=kept)
    return detection.family.load(checkpoint, detection, source, options)


def open_checkpoint(source: str, options: LoadOptions | None = None, *, look: bool = False) -> Checkpoint:
    """Read everything but the weights of a checkpoint, for looking at it without loading it.

    Args:
        source: ``demo``, a checkpoint folder or ``owner/name[@revision]``.
        options: how it would be loaded.
        look: whether weights of a hub's checkpoint may stay on the hub; what is returned cannot be loaded then.

    Raises:
        UsageError: when the source is no checkpoint.
        LoadRefusedError: when there is no model, or a file is damaged, missing or outside the folder.
    """
    options = options or LoadOptions()
    parsed = sources.parse_source(source, options.revision, by_content=options.trust_remote_code)
    if not isinstance(parsed, Openable):
        raise UsageError(f"{source} is not a checkpoint, so there are no files of a model to look at.")
    return _asked_for(parsed, options, look)


def _config_of(name: str, offline: bool) -> Checkpoint:
    """Config and tokenizer of a checkpoint; its weights are neither read nor fetched.

    Raises:
        UsageError: when it is no checkpoint.
        LoadRefusedError: when there is no config, or a file is damaged, missing or outside the folder.
    """
    parsed = sources.parse_source(name)
    if not isinstance(parsed, Openable):
        raise UsageError(f"{name} is not a checkpoint, so it has no tokenizer.")
    if isinstance(parsed, sources.HubSource):
        from rmaudit.models import hub

        found = hub.look(parsed, offline, allow_pickle=True)
        return read_config(found.path, found.commit)
    return read_config(DEMO if isinstance(parsed, sources.DemoSource) else parsed.path)


def _refuse_server_options(options: LoadOptions) -> None:
    """Refuse options of a server where there is none: they would be passed over."""
    flags = ("server", "server_model", "server_activation", "concurrency", "timeout")
    given = [f"--{name.replace('_', '-')}" for name in flags if getattr(options, name) is not None]
    if given:
        raise UsageError(f"{', '.join(given)} is for a SOURCE that begins with http:// or https://. Leave it out.")


def _asked_for(source: Openable, options: LoadOptions, look: bool = False) -> Checkpoint:
    """The checkpoint of a SOURCE, with the user's own files that take part in its scores."""
    files = {"--head-spec": options.head_spec, "--template": options.template}
    paths = {name: Path(file).expanduser() for name, file in files.items() if file is not None}
    given = {name: safety.sha256_of(path) for name, path in paths.items() if path.is_file()}
    return replace(_open(source, options, look=look), given=given)


def _open(source: Openable, options: LoadOptions, trail: tuple[str, ...] = (), look: bool = False) -> Checkpoint:
    place = _place(source)
    if place in trail:
        raise LoadRefusedError(f"{place} names itself as its base model. Pass the real base with --base-model.")
    try:
        return _read(source, options, (*trail, place), look)
    except OSError as error:
        raise LoadRefusedError(f"The checkpoint could not be read: {error}. Check the disk and its rights.") from error


def _place(source: Openable) -> str:
    """What a source is, whatever it was called."""
    if isinstance(source, sources.FolderSource):
        return str(source.path.resolve())
    return source.repo if isinstance(source, sources.HubSource) else "demo"


def _read(source: Openable, options: LoadOptions, trail: tuple[str, ...], look: bool) -> Checkpoint:
    def base(name: str, whole: bool = True) -> Checkpoint:
        if len(trail) > MAX_DEPTH:
            raise LoadRefusedError(f"{trail[0]} refers to a base that refers to a base, without an end.")
        parsed = sources.parse_source(name)
        if not isinstance(parsed, Openable):
            raise UsageError(f"{name} is not a checkpoint, so it cannot be the base of one.")
        if not whole and isinstance(parsed, sources.FolderSource):
            return read_config(parsed.path)
        return _open(parsed, LoadOptions(offline=options.offline, allow_pickle=options.allow_pickle), trail, look)

    bases = BaseFinder(base, lambda name: base(name, whole=False), options.base_model, options.base_config)
    if isinstance(source, sources.HubSource):
        from rmaudit.models import hub

        fetch = hub.look if look else hub.download
        found = fetch(source, options.offline, options.allow_pickle, options.trust_remote_code)
        return read_folder(found.path, bases, found.commit, options.trust_remote_code, found.elsewhere)
    if isinstance(source, sources.FolderSource):
        return read_folder(source.path, bases, code=options.trust_remote_code)
    if not (DEMO / "config.json").is_file():
        raise LoadRefusedError(
            f"The demo model is not in this installation ({DEMO} has no config.json). Install the package again."
        )
    return read_folder(DEMO, bases)


def _check(options: LoadOptions) -> None:
    if options.batch_size is not None and options.batch_size < 1:
        raise UsageError(f"--batch-size must be at least 1. Got {options.batch_size}.")
    if options.max_length is not None and options.max_length < 1:
        raise UsageError(f"--max-length must be at least 1. Got {options.max_length}.")
