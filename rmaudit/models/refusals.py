"""Checkpoints that are recognised as something that cannot be loaded yet, or as no reward model at all."""

from __future__ import annotations

import re

from rmaudit.models import heads
from rmaudit.models.checkpoint import Checkpoint

_OTHER_HEADS: tuple[tuple[str, str, str], ...] = (
    (r"v_head\.summary\.\d+\.weight", "grm", "an MLP value head"),
    (r"v_head\.summary\.weight", "trl-value-head", "a TRL value head"),
    (r"head_layer\.\d+\.weight", "pairrm", "a PairRM head"),
    (r"rwtransformer\.", "deepspeed-chat", "a DeepSpeed-Chat reward model"),
    (r"v_head\.weight", "trlx, deepspeed-chat, starling or internlm2", "a value head without bias"),
    (r"value_head\.weight", "openrlhf", "an OpenRLHF value head"),
    (r"score_head\.weight", "beaver-reward or beaver-cost", "a safe-rlhf score head"),
    (r"regression_head\.weight", "ultrarm or eurus", "a regression head"),
    (r"gating\.|regression_layer\.", "armorm or qrm", "gated objectives"),
    (r"weights\.fc\.", "urm", "an attribute head with weights"),
    (r"score\.[02]\.weight", "qwen2-rm, qwen2-prm or inf-orm", "an MLP score head"),
    (r"score\.bias", "token-classification", "a token classification head"),
    (r"rm_head\.", "nemo", "a NeMo head"),
)
"""Pattern at the start of a tensor name, the format it announces, and that in words."""

_WRAPPERS = r"(?:module\.|base_model\.model\.|pretrained_model\.|_orig_mod\.)?"
_SIDE_HEADS = (
    "value_head.safetensors",
    "value_head.bin",
    "regression_layer.pt",
    "gating_layer.pt",
    "reward_head.pt",
)

_ADVICE = (
    "To audit it now, score the conversations with its own code: pass a function as python:FILE.py:NAME, "
    "or its rewards as scores:FILE.jsonl."
)


def other_format(checkpoint: Checkpoint) -> str | None:
    """Say which format it is that cannot be loaded yet, or ``None`` when nothing announces one."""
    where = checkpoint.root
    for name in _SIDE_HEADS:
        if name in checkpoint.names:
            return f"{where} keeps its head in its own file ({name}), which is not supported yet. {_ADVICE}"
    for pattern, formats, words in _OTHER_HEADS:
        match = next((name for name in checkpoint.tensors if re.match(_WRAPPERS + pattern, name)), None)
        if match:
            tensor = checkpoint.tensors[match]
            return f"{where} has {words} ({tensor}): format {formats}, which is not supported yet. {_ADVICE}"
    if checkpoint.config.get("is_encoder_decoder"):
        architecture = checkpoint.architecture
        return f"{where} is an encoder-decoder ({architecture}), which is not supported yet. {_ADVICE}"
    return None


def unknown(checkpoint: Checkpoint) -> str:
    """Say why no format fits: the head is missing, the config says something else, or nothing is known."""
    where, architecture = checkpoint.root, checkpoint.architecture
    if heads.is_sequence_classifier(checkpoint):
        missing = ", ".join(heads.missing_head(checkpoint)) or "score.weight"
        return (
            f"{where} has no score head: its config says {architecture}, but the weights lack {missing}. "
            "Loading it would fill them with random numbers. Save the trained head with the checkpoint (with "
            "PEFT, name it in modules_to_save), and load again."
        )
    output = heads.decoder_output(checkpoint) or heads.encoder_output(checkpoint)
    if output is not None:
        return (
            f"{where} has a head ({output}), but its config says {architecture or 'no architecture'}, so it "
            "could be seqcls, openrlhf or token-classification, which read it differently. If it was saved "
            "as a sequence classifier, pass --as seqcls (or --as seqcls-pair for an encoder of question and "
            "answer)."
        )
    return (
        f"{where} is no reward model that we know: its config says {architecture or 'no architecture'}, and "
        f"there is no score head among its {len(checkpoint.tensors)} tensors ({_glimpse(checkpoint)}). If it "
        "is a language model that judges by its text or by its likelihood, that is not supported yet. "
        f"{_ADVICE}"
    )


def _glimpse(checkpoint: Checkpoint) -> str:
    names = sorted(checkpoint.tensors)
    return ", ".join([names[0], "…", names[-1]] if len(names) > 2 else names)
