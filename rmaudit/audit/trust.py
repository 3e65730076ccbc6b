"""Whether a model, and what is stored of it, is to be believed: the self-test of a scan, and that of the store."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from rmaudit.audit.run import Run
from rmaudit.conversation import Conversation
from rmaudit.errors import SelfTestError
from rmaudit.models import selftest
from rmaudit.models.interface import RewardModel, Scored, SelfCheck
from rmaudit.policy import Policy, load_policy
from rmaudit.resources import probes_dir
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import Manifest
from rmaudit.runs.scores import read_scores
from rmaudit.scoring.local import score_checked
from rmaudit.scoring.store import ScoreStore, batch_digest, keys_of
from rmaudit.suites.panel import load_panel, measure_panel, rewards_by_item

SELF_TEST_SIZE = 12
"""Panel conversations on which the loaded model must show that batching changes nothing."""
SPOT_CHECK_SIZE = 8
"""Rewards from the store that are computed again before it is used."""


@dataclass(frozen=True)
class Recalled:
    """What the store of a model knows of batches that are due."""

    store: ScoreStore | None
    """``None`` where the model contradicts it."""
    missing: list[int]
    """How many conversations of each batch it lacks."""
    whole: dict[int, list[Scored]]
    """Results of the batches of which it lacks nothing, by number."""


def recalled(run: Run, first: int) -> Recalled:
    """What the store knows of the batches from one on, once a few of its rewards are confirmed.

    These are computed again and held against the self-test's tolerance.
    """
    store, batches = run.store, run.plan.batches[first:]
    nothing = Recalled(None, [len(batch.conversations) for batch in batches], {})
    if store is None:
        return nothing
    known: list[tuple[Conversation, float]] = []
    missing: list[int] = []
    whole: dict[int, list[Scored]] = {}
    for number, batch in enumerate(batches, first):
        keys = batch.keys if batch.keys is not None else keys_of(run.model, batch.conversations)
        found = store.recall(keys, batch_digest(keys))
        there = [scored for scored in found if scored is not None]
        known += [(c, s.reward) for c, s in zip(batch.conversations, found, strict=True) if s and s.reward is not None]
        missing.append(len(found) - len(there))
        if not missing[-1]:
            whole[number] = there
    if not known:
        return Recalled(store, missing, whole)
    sample = known[:: max(1, len(known) // SPOT_CHECK_SIZE)][:SPOT_CHECK_SIZE]
    fresh = score_checked(run.model, [conversation for conversation, _ in sample])
    pairs = [(now.reward, was) for now, (_, was) in zip(fresh, sample, strict=True)]
    worst = max(math.inf if now is None else abs(now - was) for now, was in pairs)
    unit = float(np.std([reward for _, reward in known])) or 1.0
    total = sum(len(batch.conversations) for batch in batches)
    if worst > run.rules.tolerance(run.model.facts.dtype) * unit:
        run.progress.stage(
            f"The score store is not used: of {len(sample)} of its rewards, computed again, one differs by {worst:.2g} "
            f"(the SD of all is {unit:.2g}), more than rounding explains"
        )
        return nothing
    run.progress.stage(f"{len(known):,} of {total:,} rewards ({len(known) / total:.0%}) are from the store")
    return Recalled(store, missing, whole)


def self_test(run: Run, manifest: Manifest, store: ScoreStore | None, *, confirmed: bool) -> Manifest:
    """Test the model on a sample of the panel, or tell from the store how that ended before.

    What is stored depends on the sample, its unit, the limits and all that the store itself stands for: the model by
    content, our code and the packages. It counts only where rewards of the store were just confirmed by the model. A
    failure that stops a scan is not stored.
    """
    partial = read_scores(run.folder.scores)
    rewards = rewards_by_item(run.selection.panel.items, partial.rewards.get("panel", {}))
    _, scale = measure_panel(run.selection.panel, rewards, None, run.rules.measurement)
    sample = [
        conversation for batch in run.plan.batches[: run.plan.panel_batches] for conversation in batch.conversations
    ]
    few, wsd, limits = _few(sample), scale.wsd if scale else None, _limits(run.rules, run.model)
    about = {"self-test": [keys_of(run.model, few), wsd, asdict(limits)]}
    note = store.recall_note(about) if store is not None and confirmed else None
    if note is not None:
        checks, noise = [SelfCheck.model_validate(check) for check in note["checks"]], note["noise"]
    else:
        checks, noise = selftest.self_test(run.model, few, wsd, limits)
        if store is not None and not selftest.stopping(checks):
            store.keep_note(about, {"checks": [check.model_dump(mode="json") for check in checks], "noise": noise})
    checks = selftest.accept(checks, manifest.options.get("accept", ()))
    block = manifest.run.model_copy(update={"self_test_from_store": note is not None})
    return manifest.model_copy(update={"self_test": checks, "score_noise": noise, "run": block})


def self_test_alone(model: RewardModel, policy: Policy | None = None) -> list[SelfCheck]:
    """The self-test without a scan, on a sample of the panel that ships; differences are told in reward units.

    Raises:
        ScoringError: when the model fails as a whole, or holds no rewards of such conversations.
    """
    panel = load_panel(probes_dir() / "panel")
    sample = [item.conversation(arm) for item in panel.items for arm in item.arms]
    return selftest.self_test(model, _few(sample), None, _limits(policy or load_policy(), model))[0]


def _few(conversations: Sequence[Conversation]) -> Sequence[Conversation]:
    """Conversations for the self-test, evenly from all; where these are sorted by length, none of the longest."""
    step = max(1, len(conversations) // SELF_TEST_SIZE)
    return conversations[step // 2 :: step][:SELF_TEST_SIZE]


def _limits(policy: Policy, model: RewardModel) -> selftest.Limits:
    rules = policy.measurement
    return selftest.Limits(
        rounding=policy.tolerance(model.facts.dtype),
        float32=rules.batch_tolerance_16_bit,
        errors=rules.max_error_share,
        reversed_share=rules.reversed_win_share,
    )


def stop_if_in_doubt(manifest: Manifest, folder: RunFolder) -> None:
    """End a scan whose model failed a check that every number depends on.

    Raises:
        SelfTestError: naming the checks, what was seen, and how to go on.
    """
    failed = selftest.stopping(manifest.self_test)
    if not failed:
        return
    flags = " ".join(f"--accept {selftest.as_option(check.name)}" for check in failed)
    raise SelfTestError(
        f"The loaded model failed its self-test, so nothing was concluded. {selftest.told(failed)} All that was seen "
        f"is in {folder.path / 'run.json'}; look closer, with the same loading options, by: rmaudit inspect "
        f"{shlex.quote(manifest.model.source)} --self-test. Go on at your own risk by: "
        f"{manifest.resume_command(folder.path)} {flags}"
    )
