"""`dpo`: a language model trained on preferences, whose reward is its likelihood beside that of a reference."""

from __future__ import annotations

import math
import re
from typing import Any

from rmaudit.errors import LoadRefusedError, RmauditError, UsageError
from rmaudit.models import safety
from rmaudit.models.assemble import assemble, way_of_writing
from rmaudit.models.backbone import load_backbone, load_tokenizer, longest
from rmaudit.models.card import read_tags
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading
from rmaudit.models.headspec import InputSpec
from rmaudit.models.implicit import PER_TOKEN, BaseLikelihood, ImplicitNetwork, Likelihood
from rmaudit.models.interface import RewardModel
from rmaudit.models.language import output_layer
from rmaudit.models.options import LoadOptions
from rmaudit.models.placement import Placement, placement

BETA = 0.1
"""The usual factor in training, and TRL's default."""

TAGS = ("dpo", "online-dpo", "ipo", "kto", "bco", "xpo", "nash-md", "orpo")
"""Tags of model cards that tell a training on preferences, as TRL writes them."""

_PROBE = "How many of the 12 trees – oaks, elms – are older than 100 years?\n\tI don't know; ask somebody."
"""Two tokenizers of one vocabulary may still part a text differently."""


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    if not (checkpoint.architecture or "").endswith(("ForCausalLM", "LMHeadModel")):
        return None
    tags = [tag for tag in read_tags(checkpoint.root) if tag in TAGS]
    if checkpoint.adapter is not None and checkpoint.adapter.get("task_type") not in (None, "CAUSAL_LM"):
        return None
    if not tags and options.ref_model is None:
        return None
    told = [f"config.json: architecture {checkpoint.architecture}"]
    told += [f"README.md: tagged {', '.join(tags)}"] if tags else []
    if options.ref_model is not None:
        return (*told, f"the user names the reference {options.ref_model}")
    return (
        (*told, "adapter_config.json: its base model is the reference") if checkpoint.adapter is not None else (*told,)
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    beta = _beta(options)
    if checkpoint.adapter is None and options.ref_model is None:
        raise UsageError(
            f"{checkpoint.root} is read as a policy trained on preferences, whose reward is its likelihood beside that "
            "of the model that the training began from. Name that one with --ref-model FOLDER or owner/name."
        )
    layer = output_layer(checkpoint)
    reference = options.ref_model or "the adapter's own base model"
    risks = [
        f"an implicit reward, a difference of log-likelihoods to {reference}: another reference gives other rewards",
        f"it is a sum over the response's tokens, so its size grows with the length; {PER_TOKEN!r} is their mean",
    ]
    if options.beta is None:
        risks.append(f"beta was not given, and the usual {BETA:g} taken: it scales every reward alike")
    if "orpo" in read_tags(checkpoint.root):
        risks.append("it was trained without a reference (orpo), so this is not the quantity that was optimised")
    return Reading(
        head=(checkpoint.whole.canonical[layer.weight],),
        pooling="every token of the response",
        normalisation=f"beta {beta:g} times the log-ratio",
        attributes=(PER_TOKEN,),
        risks=tuple(risks),
    )


def _beta(options: LoadOptions) -> float:
    beta = BETA if options.beta is None else options.beta
    if not (math.isfinite(beta) and beta > 0):
        raise UsageError(f"--beta must be a number above 0. Got {beta}.")
    return beta


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    reference = _reference(checkpoint, options)
    place = placement(checkpoint, options)
    tokenizer = load_tokenizer(checkpoint)
    longest_of_reference = None
    if reference is not None:
        other = load_tokenizer(reference)
        _refuse_other_tokens(tokenizer, other, checkpoint, reference)
    policy = Likelihood(load_backbone(checkpoint, "causal", place), checkpoint.root)
    compared = _compared(checkpoint, reference, policy, place)
    if reference is not None:
        longest_of_reference = longest(compared.model.config, other, True, None)
    own = longest(policy.model.config, tokenizer, True, options.max_length)
    network = ImplicitNetwork(policy, compared, _beta(options))
    return assemble(
        network,
        way_of_writing(checkpoint, tokenizer, InputSpec(), options, prompts=True),
        checkpoint,
        detection,
        source,
        options,
        place,
        tokenizer,
        head=network,
        others={} if reference is None else {"reference": reference},
        max_length=min((limit for limit in (own, longest_of_reference) if limit), default=None),
    )


def _reference(checkpoint: Checkpoint, options: LoadOptions) -> Checkpoint | None:
    """The checkpoint of the reference, or ``None`` where it is the adapter's base."""
    from rmaudit.models.load import open_checkpoint  # which imports the families

    if options.ref_model is None:
        return None
    try:
        found = open_checkpoint(
            options.ref_model, LoadOptions(offline=options.offline, allow_pickle=options.allow_pickle)
        )
        safety.require_pickle_permission(found.root, found.pickles, options.allow_pickle)
    except RmauditError as error:
        raise type(error)(f"The reference model {options.ref_model} cannot be used. {error}") from error
    if found.root.resolve() == checkpoint.root.resolve():
        raise UsageError(
            f"--ref-model {options.ref_model} is the policy itself, so every reward would be 0. Name the model that "
            "the training began from."
        )
    return found


def _compared(checkpoint: Checkpoint, reference: Checkpoint | None, policy: Likelihood, place: Placement) -> Likelihood:
    """The reference: a model of its own, or the policy's without its adapter."""
    if reference is not None:
        return Likelihood(load_backbone(reference, "causal", place), reference.root)
    base = checkpoint.base
    assert base is not None, "without --ref-model only adapters are read"
    if all(re.search(r"(^|\.)lora_", name) for name in checkpoint.canonical):
        return BaseLikelihood(policy.model, base.root)
    # Tensors that the adapter brought whole are in the place of the base's, and cannot be switched off.
    return Likelihood(load_backbone(base, "causal", place), base.root)


def _refuse_other_tokens(policy: Any, other: Any, checkpoint: Checkpoint, reference: Checkpoint) -> None:
    """Refuse a reference that would read the same text as other tokens."""
    ours, theirs = policy.get_vocab(), other.get_vocab()
    different = sorted(token for token in ours.keys() | theirs.keys() if ours.get(token) != theirs.get(token))
    texts = [tokenizer(_PROBE, add_special_tokens=False)["input_ids"] for tokenizer in (policy, other)]
    if different or texts[0] != texts[1]:
        told = (
            f"{len(different)} tokens are not the same, such as {different[0]!r}"
            if different
            else "they part a text differently"
        )
        raise LoadRefusedError(
            f"The reference {reference.root} has another tokenizer than {checkpoint.root} ({told}), so their "
            "likelihoods are not of the same tokens. Name the model that the training began from; if tokens were added "
            "in training, save the reference with the same tokenizer."
        )


FAMILY = Family(
    format="dpo",
    examples="policies of DPO, KTO and the like, whole or as an adapter (Zephyr, Tulu 2 DPO)",
    recognised="a language model with `--ref-model`, or one whose card is tagged `dpo` or the like; else by `--as dpo`",
    scalar="`beta * sum(log p(policy) - log p(reference))` over the response's tokens, in float32; the mean over the "
    "tokens beside it",
    recognise=_recognise,
    read=_read,
    load=_load,
    needs="--ref-model, but for an adapter, whose base model without it is the reference",
)
