"""For trainers of the transformers library, TRL's `RewardTrainer` among them: audit the checkpoints of a training.

    trainer = RewardTrainer(..., callbacks=[AuditCallback(tier="smoke", stop_on="fail")])

Each saved checkpoint is scanned from its folder like any other, so what is audited is what would be released.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rmaudit.errors import CannotMeasureError
from rmaudit.gate.judge import judge
from rmaudit.gate.result import GateResult
from rmaudit.policy import load_policy

log = logging.getLogger(__name__)
StopOn = Literal["fail", "not passed", "never"]


class AuditCallback(TrainerCallback):  # type: ignore[misc]
    """Scans every saved checkpoint and holds it against a policy.

    Attributes:
        results: the gate's result by step; a checkpoint that could not be measured is missing there and logged.
    """

    def __init__(
        self,
        *,
        policy: str | Path | None = None,
        preset: str | None = None,
        baseline: str | Path | None = None,
        stop_on: StopOn = "never",
        **scan: Any,
    ) -> None:
        """Say what is required and when to stop.

        Args:
            policy: policy file; the one that ships when ``None``.
            preset: ``strict``, ``default`` or ``advisory``.
            baseline: an earlier run, or a folder of blessed ones, to compare with.
            stop_on: ``fail`` ends the training when a bias is shown to exceed its limit; ``not passed`` also when
                nothing was decided or measured; ``never`` only looks.
            **scan: further arguments of `rmaudit.scan`, such as ``tier`` and ``suites``.

        Raises:
            UsageError: when the policy is wrong, so that a training does not begin with one.
        """
        self._policy_file = Path(policy) if policy else None
        self._policy = load_policy(self._policy_file, preset)
        self._baseline = Path(baseline) if baseline else None
        self._stop_on = stop_on
        self._scan = scan
        self.results: dict[int, GateResult] = {}

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Audit the checkpoint that was just saved; only the main process does."""
        del kwargs
        if not state.is_world_process_zero:
            return control
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        passed, failed = self._audit(checkpoint, state.global_step)
        if (self._stop_on == "fail" and failed) or (self._stop_on == "not passed" and not passed):
            log.warning("rmaudit ends the training at step %d: see %s", state.global_step, _run_of(checkpoint))
            control.should_training_stop = True
        return control

    def _audit(self, checkpoint: Path, step: int) -> tuple[bool, bool]:
        """Whether the checkpoint passed, and whether it failed; neither where it could not be measured."""
        import rmaudit

        run = _run_of(checkpoint)
        try:
            rmaudit.scan(str(checkpoint), out=run, policy=self._policy_file, **self._scan)
        except CannotMeasureError as error:
            log.warning("rmaudit could not measure %s: %s", checkpoint, error)
            return False, False
        result = judge(run, self._policy, self._baseline)
        self.results[step] = result
        log.info("rmaudit at step %d: %s (%s)", step, result.words, run)
        return result.decision.outcome == "pass", result.decision.outcome == "fail"


def _run_of(checkpoint: Path) -> Path:
    """The run folder of a checkpoint, beside it, so that old checkpoints can be deleted without their audits."""
    return checkpoint.with_name(f"{checkpoint.name}-audit")
