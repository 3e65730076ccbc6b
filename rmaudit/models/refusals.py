"""Why a checkpoint is of no format that can be loaded, and how to describe it."""

from __future__ import annotations

from collections import Counter

from rmaudit.models.checkpoint import Checkpoint, some
from rmaudit.models.families import _heads

LANGUAGE_MODEL_FORMATS = ("dpo", "nemotron-hf", "yes-no", "rlhflow-prm", "math-shepherd", "pair-preference", "judge")
"""Formats that a plain language model may have; its files do not tell."""

KNOWN_HEADS = (
    "score.weight, classifier.weight, v_head.summary.weight, v_head.weight, value_head.weight, score_head.weight, "
    "regression_head.weight, regression_layer.weight, out_proj.weight or head_layer.1.weight"
)

_DESCRIBE = (
    "If it has a head under another name, describe it with --head-spec FILE (layers: [{weight: NAME}]); or score "
    "with its own code through python:FILE.py:NAME."
)


def unknown(checkpoint: Checkpoint) -> str:
    """Say why no format fits: the head is missing, only the user can know, or nothing is known."""
    where, architecture = checkpoint.root, checkpoint.architecture
    if checkpoint.adapter is not None:
        return (
            f"{where} is a PEFT adapter without a score head: among its {len(checkpoint.tensors)} tensors "
            f"({_glimpse(checkpoint)}) none is one (score.weight, v_head.summary.weight), so loading it would read "
            "scores from random numbers. Train again with the head named in modules_to_save. If it is the policy of "
            "a preference training, pass --as dpo."
        )
    if "config.json" not in checkpoint.names:
        return (
            f"{where} holds weights without a config, and among its {len(checkpoint.tensors)} tensors "
            f"({_glimpse(checkpoint)}) is no head that we know ({KNOWN_HEADS}). {_DESCRIBE}"
        )
    output = _heads.decoder_output(checkpoint) or _heads.encoder_output(checkpoint)
    if output is not None and output.shape[0] > 1 and _heads.classifies(checkpoint):
        candidates = ("two-label", "odin") if output.shape[0] == 2 else ("multi-attribute",)
        return (
            f"{where} gives {output.shape[0]} numbers a conversation ({output}), and its config does not name them, so "
            f"which is the reward is not for us to guess. It could be {' or '.join(candidates)}: say which with "
            f"{' or '.join(f'--as {name}' for name in candidates)}, or describe the head with --head-spec FILE."
        )
    if _heads.classifies(checkpoint):
        missing = ", ".join(n for n in _heads.head_names(checkpoint) if n not in checkpoint.canonical) or "score.weight"
        return (
            f"{where} has no score head: its config says {architecture}, but the weights lack {missing}. "
            "Loading it would fill them with random numbers. Save the trained head with the checkpoint (with "
            "PEFT, name it in modules_to_save), and load again."
        )
    if output is not None:
        return (
            f"{where} has a head ({output}), but its config says {architecture or 'no architecture'} (model type "
            f"{checkpoint.model_type}), so it could be seqcls, openrlhf or token-classification, which read it "
            "differently. Say which with --as seqcls, --as openrlhf or --as token-classification."
        )
    if (architecture or "").endswith("ForConditionalGeneration") and _two_halves(checkpoint):
        return (
            f"{where} is an encoder-decoder ({architecture}) without a score head. If it is a SteamSHP preference "
            f"model, pass --as steamshp. {_DESCRIBE}"
        )
    if "lm_head.weight" in checkpoint.canonical or (architecture or "").endswith(("ForCausalLM", "LMHeadModel")):
        return (
            f"{where} is a language model ({architecture}) without a score head ({KNOWN_HEADS}). Read as a classifier "
            "it would score by random numbers. If it rewards by its text or by its likelihood, its files do not tell "
            f"how: it could be {', '.join(LANGUAGE_MODEL_FORMATS)}. Say which with --as FORMAT (dpo also needs "
            f"--ref-model). {_DESCRIBE}"
        )
    return (
        f"{where} is no reward model that we know: its config says {architecture or 'no architecture'} (model type "
        f"{checkpoint.model_type}), and there is no score head ({KNOWN_HEADS}) among its {len(checkpoint.tensors)} "
        f"tensors ({_glimpse(checkpoint)}). {_DESCRIBE}"
    )


def last_resort(checkpoint: Checkpoint) -> str:
    """' As a last resort …' where the checkpoint brings code of its own, else nothing."""
    if checkpoint.code or checkpoint.adapter is not None or not isinstance(checkpoint.config.get("auto_map"), dict):
        return ""
    return (
        " As a last resort, its own Python code (auto_map) can be run: read it, and pass --trust-remote-code with the "
        "--revision that pins it."
    )


def _glimpse(checkpoint: Checkpoint) -> str:
    """The tensors that may be a head: those that do not begin as most others do; without any, the first and last."""
    names = sorted(checkpoint.canonical)
    ((most, _),) = Counter(name.split(".")[0] for name in names).most_common(1)
    others = [str(checkpoint.canonical[name]) for name in names if name.split(".")[0] != most]
    if others:
        return f"{some(others)} beside {most}.*"
    return ", ".join([names[0], "…", names[-1]] if len(names) > 2 else names)


def _two_halves(checkpoint: Checkpoint) -> bool:
    """Whether it is an encoder-decoder; models of pictures and text are named alike."""
    return bool(checkpoint.config.get("is_encoder_decoder", checkpoint.model_type in ("t5", "mt5", "umt5")))
