"""Loads a model of the transformers library from a checkpoint's own tensors, and accepts no other number in it."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.absurd import SLACK, absurd_config
from rmaudit.models.checkpoint import Checkpoint, module_prefix
from rmaudit.models.placement import Placement

if TYPE_CHECKING:
    pass

Kind = Literal["base", "classifier", "causal", "seq2seq"]
"""The bare model, or the library's class with a classifier's or a language model's head."""

State = dict[str, Any]
"""Tensors by name."""

_HARMLESS_LEFTOVERS = re.compile(
    r"(^|\.)(lm_head\.|embed_out\.|cls\.predictions\.|lm_predictions\.|mask_predictions\.)"
    r"|(position_ids|inv_freq|masked_bias|attn\.bias|attention\.bias|rotary_emb\.\w+|num_batches_tracked)$"
)
"""Tensors that a checkpoint may hold beyond the model: heads of pretraining, and buffers."""

_OFFSET_POSITIONS = frozenset(
    ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "mpnet", "xmod")
)
"""Encoders that count positions from after the padding index, and so read fewer tokens than they have."""

_UNLIMITED = 1_000_000
"""Tokenizers without a limit give an absurd one."""

CLOSED: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
"""Said at each call of the library: left unset, it would stop and ask on the terminal, or look on the network."""


def load_backbone(
    checkpoint: Checkpoint,
    kind: Kind,
    place: Placement,
    *,
    head: Collection[str] = (),
    rename: Callable[[State], State] | None = None,
    config: Any = None,
    labels: int = 1,
) -> Any:
    """Load a model, with its adapter where there is one, and check that every weight came from the files.

    Args:
        checkpoint: the checkpoint.
        kind: which class of the library.
        place: device, number type, rounding.
        head: canonical names of tensors that are read elsewhere and are not this model's.
        rename: from the checkpoint's tensors (by canonical name) to the model's.
        config: of the library, where the checkpoint's own is of a type that the library does not know.
        labels: outputs of a classifier.

    Raises:
        LoadRefusedError: when the library does not know the model, or any weight is missing, of another shape or
            left over.
    """
    whole = checkpoint.whole
    refuse_foreign_kernel(whole)
    with quiet():
        config = config if config is not None else library_config(whole, labels)
        model_class = _class(whole, config, kind)
        state = {name: tensor for name, tensor in read_state(whole).items() if name not in head}
        model, absent = _filled(whole, model_class, config, rename(state) if rename else state, place, checkpoint)
        if checkpoint.adapter is not None:
            from rmaudit.models.adapter import apply_adapter

            model = apply_adapter(model, checkpoint, skip=head, absent=absent)
        return _placed(model, place)


def fill_class(checkpoint: Checkpoint, model_class: Any, config: Any, state: State, place: Placement) -> Any:
    """A model of a given class with these tensors, each of which must have its place and fill one.

    Raises:
        LoadRefusedError: when any weight is missing, of another shape or left over.
    """
    return _placed(_filled(checkpoint, model_class, config, state, place, checkpoint)[0], place)


def library_config(checkpoint: Checkpoint, labels: int = 1) -> Any:
    """The library's config object of a checkpoint.

    Raises:
        LoadRefusedError: when the library does not know the model type.
    """
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    root = checkpoint.root if checkpoint.base is None or "config.json" in checkpoint.names else checkpoint.base.root
    try:
        return AutoConfig.from_pretrained(str(root), num_labels=labels, **CLOSED)
    except Exception as error:
        told = first_line(error.__cause__ or error)
        if checkpoint.model_type in CONFIG_MAPPING_NAMES:
            raise LoadRefusedError(
                f"The config.json of {root} is not a config of a {checkpoint.model_type} model: {told}. Correct it, or "
                "copy the checkpoint again."
            ) from error
        raise LoadRefusedError(
            f"{checkpoint.root} is of model type {checkpoint.model_type}, which the installed transformers does not "
            f"know ({told}). Pass a function that scores with the model's own code as python:FILE.py:NAME."
        ) from error


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The checkpoint's tokenizer.

    Raises:
        LoadRefusedError: when there is none, or it would need code of its own.
    """
    from transformers import AutoTokenizer

    generic = checkpoint.tokenizer_config.get("tokenizer_class") in ("PreTrainedTokenizerFast", "TokenizersBackend")
    with quiet():
        try:
            if generic and (checkpoint.tokenizer_root / "tokenizer.json").is_file():
                # Told so, tokenizer.json is the whole tokenizer; the library would put that of the model type in place.
                return _fast(checkpoint)
            return AutoTokenizer.from_pretrained(str(checkpoint.tokenizer_root), **CLOSED)
        except Exception as error:
            return _plain_tokenizer(checkpoint, error)


def _plain_tokenizer(checkpoint: Checkpoint, error: Exception) -> Any:
    """A tokenizer of a model type that the library does not know, from its ``tokenizer.json`` alone."""
    if (checkpoint.tokenizer_root / "tokenizer.json").is_file():
        try:
            return _fast(checkpoint)
        except Exception as own:
            error = own
    raise LoadRefusedError(
        f"The tokenizer of {checkpoint.root} could not be loaded: {first_line(error)}. Check that its files are whole; "
        "a tokenizer that needs code of its own is not loaded (save it as tokenizer.json)."
    ) from error


def _fast(checkpoint: Checkpoint) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(str(checkpoint.tokenizer_root), **CLOSED)


def read_state(checkpoint: Checkpoint, names: Collection[str] | None = None) -> State:
    """Tensors of a checkpoint's files by canonical name, mapped into memory and read when they are used.

    Args:
        checkpoint: the checkpoint.
        names: canonical names; all when not given.
    """
    from safetensors import safe_open

    from rmaudit.models.pickles import load_tensors

    wanted = {tensor.name: name for name, tensor in checkpoint.canonical.items() if names is None or name in names}
    files = {checkpoint.tensors[name].file for name in wanted}
    state: State = {}
    for file in sorted(files):
        path = checkpoint.root / file
        own = [name for name in wanted if checkpoint.tensors[name].file == file]
        if file.endswith(".safetensors"):
            with safe_open(path, framework="pt") as stream:
                state |= {wanted[name]: stream.get_tensor(name) for name in own}
        else:
            tensors = load_tensors(path)
            state |= {wanted[name]: tensors[name.removeprefix(module_prefix(file))] for name in own}
    return state


def _class(checkpoint: Checkpoint, config: Any, kind: Kind) -> Any:
    from transformers.models.auto import modeling_auto as auto

    mappings = {
        "base": auto.MODEL_MAPPING,
        "classifier": auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
        "causal": auto.MODEL_FOR_CAUSAL_LM_MAPPING,
        "seq2seq": auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    }
    try:
        found = mappings[kind][type(config)]
    except KeyError as error:
        raise LoadRefusedError(
            f"{checkpoint.root} is of model type {config.model_type}, for which the installed transformers has no "
            f"{ {'base': 'model', 'classifier': 'sequence classifier'}.get(kind, 'language model') }. Pass a function "
            "that scores with the model's own code as python:FILE.py:NAME."
        ) from error
    return found[0] if isinstance(found, tuple | list) else found


def _filled(
    checkpoint: Checkpoint, model_class: Any, config: Any, state: State, place: Placement, adapter: Checkpoint
) -> tuple[Any, list[str]]:
    """The model, and the names of those of its parameters that an adapter still has to bring."""
    if reason := absurd_config(config.to_dict(), checkpoint.tensors):
        raise LoadRefusedError(f"The config of {checkpoint.root} makes no sense for its weights: {reason}.")
    try:
        _refuse_oversized(checkpoint, model_class, config, state)
        model, report = model_class.from_pretrained(
            None,
            config=config,
            state_dict=state,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that the report names them; they are refused just the same
            **place.arguments(),
        )
    except LoadRefusedError:
        raise
    except Exception as error:
        raise LoadRefusedError(
            f"{checkpoint.root} could not be loaded: {first_line(error)}. Check that the files are whole "
            "and that the installed transformers version knows this model."
        ) from error
    # The head of an adapter's classifier comes with the adapter, where its presence is checked.
    excused = _CLASSIFIER if adapter.adapter is not None and "Classification" in model_class.__name__ else None
    beginning = f"{model_class.base_model_prefix}."
    wrapped = any(name.startswith(beginning) for name in state) and not hasattr(model, model_class.base_model_prefix)
    return model, _refuse_partial(checkpoint, report, excused, beginning if wrapped else "")


def _refuse_oversized(checkpoint: Checkpoint, model_class: Any, config: Any, state: State) -> None:
    """Refuse a model that its weights could never fill: the library would make room for it and then compare.

    Built on the meta device, where numbers take no memory. What is missing may be as large as a head in its own file
    or weights that are tied, and eight numbers may be packed into one.
    """
    import torch

    with torch.device("meta"):
        model = model_class(config)
    tensors = [*model.parameters(), *model.buffers()]
    announced, there = sum(t.numel() for t in tensors), sum(t.numel() for t in state.values())
    if announced > SLACK * there + _NEGLIGIBLE:
        raise LoadRefusedError(
            f"The config of {checkpoint.root} makes no sense for its weights: it describes {announced:,} numbers, and "
            f"there are {there:,}."
        )


_NEGLIGIBLE = 1 << 25
"""Numbers that can be made room for whatever is there, such as masks and tables of positions."""


_CLASSIFIER = re.compile(r"^(score|classifier|pre_classifier|pooler|head|classification_head|bert\.pooler)\.")
"""Tensors of the library's classification heads."""


def _refuse_partial(
    checkpoint: Checkpoint, report: Mapping[str, Any], excused: re.Pattern[str] | None, beginning: str
) -> list[str]:
    """Refuse when weights and model do not fit; returns the excused names that are missing or of another shape.

    Names of missing tensors are told with the beginning that the files give to the others.
    """

    def names(key: str) -> list[str]:
        return sorted(entry if isinstance(entry, str) else str(entry[0]) for entry in report.get(key) or ())

    absent = [name for name in names("missing_keys") + names("mismatched_keys") if excused and excused.search(name)]
    missing = [name for name in names("missing_keys") if name not in absent]
    leftovers = [name for name in names("unexpected_keys") if not _HARMLESS_LEFTOVERS.search(name)]
    problems = [
        f"{what}: {', '.join(found[:8])}{f' and {len(found) - 8} more' if len(found) > 8 else ''}"
        for what, found in (
            ("missing", [f"{beginning}{name}" for name in missing]),
            ("of another shape", [name for name in names("mismatched_keys") if name not in absent]),
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
    return absent


def _placed(model: Any, place: Placement) -> Any:
    if place.spread or place.quantize:
        return model.eval()
    try:
        return model.to(place.device).eval()
    except RuntimeError as error:
        raise LoadRefusedError(f"The model does not fit on {place.device}: {first_line(error)}.") from error


def refuse_foreign_kernel(checkpoint: Checkpoint) -> None:
    """Refuse a config that makes the library download compute code.

    Raises:
        LoadRefusedError: when it does.
    """
    kernel = _foreign_kernel(checkpoint.config)
    if kernel:
        raise LoadRefusedError(
            f"The config.json of {checkpoint.root} asks for compute code from elsewhere ({kernel}), which "
            "would be downloaded and run. Take that entry out if you trust the rest."
        )


def _foreign_kernel(config: Mapping[str, Any]) -> str | None:
    """An ``…implementation`` entry that names a repository, at any depth."""
    for key, value in config.items():
        if isinstance(value, dict) and (found := _foreign_kernel(value)):
            return found
        if "implementation" in key and "/" in str(value):
            return f"{key}: {value}"
    return None


def longest(config: Any, tokenizer: Any, decoder: bool, asked: int | None) -> int | None:
    """Most tokens that a model reads; ``None`` when nothing limits it.

    Raises:
        UsageError: when the user asks for more.
    """
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


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's progress bars and warnings off the terminal; what matters is raised instead."""
    from transformers.utils import logging as library

    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    root_level = logging.getLogger("huggingface_hub").level
    library.set_verbosity(logging.CRITICAL)
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


def first_line(error: BaseException) -> str:
    """An error as one line: its type and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {(lines[0] if lines else '').rstrip('.')[:300]}"
