"""Loads a sequence classifier with transformers, and accepts no weight that is not the file's."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import heads, safety
from rmaudit.models.card import read_card
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.conversation_input import PairInput, TemplateInput
from rmaudit.models.interface import Identity, ModelFacts
from rmaudit.models.options import LoadOptions
from rmaudit.models.transformers_model import TransformersModel, first_line

if TYPE_CHECKING:
    import torch

    from rmaudit.models.family import Detection

_DTYPES = ("float32", "bfloat16", "float16")

_HARMLESS_LEFTOVERS = re.compile(
    r"(^|\.)(lm_head\.|cls\.predictions\.|lm_predictions\.|mask_predictions\.)|(position_ids|inv_freq|masked_bias)$"
)
"""Tensors that a checkpoint may hold beyond the classifier: heads of pretraining, and buffers."""

_OFFSET_POSITIONS = frozenset(
    ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "mpnet", "xmod")
)
"""Encoders that count positions from after the padding index, and so read fewer tokens than they have."""

_UNLIMITED = 1_000_000
"""Tokenizers without a limit give an absurd one."""


def load_classifier(
    checkpoint: Checkpoint,
    detection: Detection,
    source: str,
    options: LoadOptions,
    input_type: type[TemplateInput] | type[PairInput],
) -> TransformersModel:
    """Load a sequence classifier with one output and check that every weight came from the files.

    Raises:
        UsageError: when an option does not fit the machine or the model.
        LoadRefusedError: when the library does not know the model, or any weight is missing, of another
            shape or left over.
    """
    _refuse_foreign_class(checkpoint)
    device = _device(options.device)
    dtype = _dtype(options.dtype, device)
    _refuse_too_large(checkpoint, device, dtype)
    with _quiet():
        try:
            tokenizer, model, report = _from_pretrained(checkpoint, dtype)
        except Exception as error:
            raise LoadRefusedError(
                f"{checkpoint.root} could not be loaded: {first_line(error)}. Check that the files are whole "
                "and that the installed transformers version knows this model."
            ) from error
        _refuse_partial(checkpoint, report)
        conversation_input = input_type(tokenizer, checkpoint)
        try:
            model = model.to(device).eval()
        except RuntimeError as error:
            raise LoadRefusedError(f"The model does not fit on {device}: {first_line(error)}.") from error
    limit = _max_length(model.config, tokenizer, decoder=hasattr(model, "score"), asked=options.max_length)
    files = checkpoint.digests()
    remote = ("config.json names code of its own (auto_map), which was not run",)
    facts = ModelFacts(
        identity=Identity(safety.identity_digest(files), source, checkpoint.revision, files),
        format=detection.format,
        evidence=detection.evidence + (remote if "auto_map" in checkpoint.config else ()),
        head=str(detection.head[-1]),
        pooling=_pooling(model),
        dtype=str(model.dtype).removeprefix("torch."),
        device=str(model.device),
        template=conversation_input.description,
        max_length=limit,
        architecture=type(model).__name__,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        card=read_card(checkpoint.root),
    )
    pad_id = next((i for i in (tokenizer.pad_token_id, model.config.pad_token_id) if i is not None), 0)
    return TransformersModel(model, conversation_input, facts, int(pad_id), options.batch_size)


def _from_pretrained(checkpoint: Checkpoint, dtype: torch.dtype | Literal["auto"]) -> tuple[Any, Any, dict[str, Any]]:
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        AutoTokenizer,
    )

    root = str(checkpoint.root)
    # Said at each call: left unset, the library would stop and ask on the terminal.
    closed: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    config = AutoConfig.from_pretrained(root, num_labels=1, **closed)
    tokenizer = AutoTokenizer.from_pretrained(root, **closed)
    model, report = AutoModelForSequenceClassification.from_pretrained(
        root,
        config=config,
        dtype=dtype,
        use_safetensors=not checkpoint.pickled,
        weights_only=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # so that the report names them; they are refused just the same
        **closed,
    )
    return tokenizer, model, report


def _refuse_too_large(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype | Literal["auto"]) -> None:
    """Refuse, before anything is read, what cannot fit into this machine's memory at all."""
    import torch

    if device.type != "cpu" or not hasattr(os, "sysconf"):
        return
    item = 2 if dtype in ("auto", torch.bfloat16, torch.float16) else 4
    need, have = checkpoint.parameters * item, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if need > have:
        raise LoadRefusedError(
            f"{checkpoint.root} needs {need / 1e9:.0f} GB for its weights alone, and this machine has "
            f"{have / 1e9:.0f} GB of memory. Use --dtype bfloat16, a GPU (--device cuda) or a larger machine."
        )


def _refuse_foreign_class(checkpoint: Checkpoint) -> None:
    """Refuse what would be loaded as another class than the checkpoint's, or with code from elsewhere."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
    )

    known, declared = CLASSES.get(checkpoint.model_type or ""), checkpoint.architecture
    if known is None:
        raise LoadRefusedError(
            f"{checkpoint.root} is of model type {checkpoint.model_type}, for which the installed "
            "transformers has no sequence classifier. Pass a function that scores with the model's own code "
            "as python:FILE.py:NAME."
        )
    names = (known,) if isinstance(known, str) else tuple(known)
    if heads.is_sequence_classifier(checkpoint) and declared not in names:
        raise LoadRefusedError(
            f"{checkpoint.root} is a {declared}, a class that is not part of transformers; loaded as "
            f"{names[0]} it would score differently. Pass a function that scores with its own code as "
            "python:FILE.py:NAME."
        )
    kernel = _foreign_kernel(checkpoint.config)
    if kernel:
        raise LoadRefusedError(
            f"The config.json of {checkpoint.root} asks for compute code from elsewhere ({kernel}), which "
            "would be downloaded and run. Take that entry out if you trust the rest."
        )


def _foreign_kernel(config: dict[str, Any]) -> str | None:
    """An ``…implementation`` entry that names a repository, at any depth."""
    for key, value in config.items():
        if isinstance(value, dict) and (found := _foreign_kernel(value)):
            return found
        if "implementation" in key and "/" in str(value):
            return f"{key}: {value}"
    return None


def _refuse_partial(checkpoint: Checkpoint, report: dict[str, Any]) -> None:
    def names(key: str) -> list[str]:
        return sorted(entry if isinstance(entry, str) else str(entry[0]) for entry in report.get(key) or ())

    leftovers = [name for name in names("unexpected_keys") if not _HARMLESS_LEFTOVERS.search(name)]
    problems = [
        f"{what}: {', '.join(found[:8])}{f' and {len(found) - 8} more' if len(found) > 8 else ''}"
        for what, found in (
            ("missing", names("missing_keys")),
            ("of another shape", names("mismatched_keys")),
            ("left over", leftovers),
            ("errors", [str(entry) for entry in report.get("error_msgs") or ()]),
        )
        if found
    ]
    if problems:
        raise LoadRefusedError(
            f"The weights of {checkpoint.root} do not fit its config, so its scores would not be its own "
            f"({'; '.join(problems)}). Save the checkpoint again, whole, with the class that its config "
            "names."
        )


def _pooling(model: Any) -> str:
    if not hasattr(model, "score"):
        mean = getattr(model.config, "classifier_pooling", "cls") == "mean"
        return "mean over the encoder's tokens" if mean else "first token of the encoder"
    skipped = model.config.get_text_config().pad_token_id
    return "last token" if skipped is None else f"last token other than the padding token ({skipped})"


def _max_length(config: Any, tokenizer: Any, decoder: bool, asked: int | None) -> int | None:
    """Most tokens that the model reads; ``None`` when nothing limits it."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and config.model_type in _OFFSET_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    written = tokenizer.model_max_length if tokenizer.model_max_length < _UNLIMITED else None
    # A decoder's tokenizer often carries the length of some training run; only its positions are a limit.
    limits = [positions] if decoder and positions else [positions, written]
    own = min((int(limit) for limit in limits if limit), default=None)
    if asked is None:
        return own
    if asked < 1 or (own is not None and asked > own):
        raise UsageError(
            f"--max-length {asked} is out of range: the model reads at most {own or 'any number of'} tokens."
        )
    return asked


def _device(asked: str | None) -> torch.device:
    import torch

    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise UsageError(f"There is no device {asked}. Use cpu, cuda or cuda:N.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"There is no device {asked}: torch sees {torch.cuda.device_count()} GPUs. Use --device cpu.")
    return device


def _dtype(asked: str | None, device: torch.device) -> torch.dtype | Literal["auto"]:
    import torch

    if asked is None:
        return torch.float32 if device.type == "cpu" else "auto"
    if asked not in _DTYPES:
        raise UsageError(f"There is no dtype {asked}. Use one of {', '.join(_DTYPES)}.")
    dtype = getattr(torch, asked)
    assert isinstance(dtype, torch.dtype)
    return dtype


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's progress bars and warnings off the terminal; what matters is raised instead."""
    from transformers.utils import logging as library

    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    root_level = logging.getLogger("huggingface_hub").level
    library.set_verbosity(logging.ERROR)
    library.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        library.set_verbosity(verbosity)
        logging.getLogger("huggingface_hub").setLevel(root_level)
        if bars:
            library.enable_progress_bar()
