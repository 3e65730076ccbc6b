"""Fills `scores.jsonl`: first the panel, then the self-test, then the suites."""

from __future__ import annotations

from collections.abc import Sequence

from rmaudit.audit.run import Run
from rmaudit.audit.selection import Selection
from rmaudit.audit.trust import recalled, self_test, stop_if_in_doubt
from rmaudit.errors import RunError, ScoringError
from rmaudit.models.interface import Scored
from rmaudit.progress import Part, counted
from rmaudit.runs.manifest import Manifest
from rmaudit.runs.scores import ScoreWriter, read_scores
from rmaudit.scoring.local import score_batches, tell_memory
from rmaudit.scoring.plan import PANEL, Batch
from rmaudit.scoring.stopping import CleanStop


def score(run: Run, manifest: Manifest, stop: CleanStop) -> Manifest:
    """Score what is not scored yet, and give the manifest with what the self-test found.

    Raises:
        RunError: when the folder holds the scores of another plan, or cannot be written.
        ScoringError: when the model fails.
        SelfTestError: when it gives rewards that no number can be built on.
        KeyboardInterrupt: when a stop was asked for.
    """
    model, plan, folder, progress = run.model, run.plan, run.folder, run.progress
    earlier = read_scores(folder.scores, resume=True) if folder.scores.exists() else None
    if earlier and earlier.batches and earlier.plan_sha256 != plan.sha256:
        raise RunError(f"{folder.scores} holds the scores of another plan. Scan again into a new folder.")
    done = earlier.batches if earlier else 0
    scored = sum(len(batch.conversations) for batch in plan.batches[:done])
    if done:
        progress.stage(f"Going on: {scored:,} of {plan.unique:,} conversations are scored already")
    numbered = list(enumerate(plan.batches))
    known = recalled(run, done)
    store, missing = known.store, known.missing
    counting = counted(progress, plan.unit, _parts(plan.batches[done:], missing, run.selection))
    with counting, ScoreWriter(folder.scores, plan.sha256) as writer:
        save = _Saver(writer, plan.unique, hopeful=earlier is not None and earlier.any_reward)
        score_batches(model, numbered[done : plan.panel_batches], save, progress, store, stop, run.engine, known.whole)
        confirmed = sum(missing) < plan.unique - scored
        manifest = self_test(run, manifest, store, confirmed=confirmed)
        tell_memory(model, progress)
        folder.write_manifest(manifest)
        stop_if_in_doubt(manifest, folder)
        rest = numbered[max(done, plan.panel_batches) :]
        score_batches(model, rest, save, progress, store, stop, run.engine, known.whole)
    return manifest


def _parts(batches: Sequence[Batch], missing: Sequence[int], selection: Selection) -> dict[str, Part]:
    """What is to be computed of the panel and of each suite, given how much of each batch is not in the store."""
    items = {PANEL: len(selection.panel.items)} | {name: len(items) for name, items in selection.named}
    parts = {}
    for label in dict.fromkeys(batch.label for batch in batches):
        own = [(batch, left) for batch, left in zip(batches, missing, strict=True) if batch.label == label]
        total = sum(len(batch.conversations) for batch, _ in own)
        known = 1 - sum(left for _, left in own) / total
        share = f", {'all' if known == 1 else f'{known:.0%}'} from the store" if known else ""
        work = sum(batch.cost(left) for batch, left in own)
        parts[label] = Part(work, f"{items[label]:,} items, {total:,} conversations{share}")
    return parts


class _Saver:
    """Saves batches, and stops a run in which nothing at all can be scored before it has gone far."""

    def __init__(self, writer: ScoreWriter, total: int, *, hopeful: bool) -> None:
        self._writer = writer
        self._hopeful = hopeful
        """Whether anything could be scored so far."""
        self._seen = 0
        self._patience = min(total, 512)

    def __call__(self, number: int, batch: Batch, scored: list[Scored]) -> None:
        self._writer.append(number, batch, scored)
        self._seen += len(scored)
        self._hopeful |= any(result.reward is not None for result in scored)
        if not self._hopeful and self._seen >= self._patience:
            raise ScoringError(
                f"None of the first {self._seen} conversations could be scored: {scored[0].reason}. "
                "Nothing can be said about this model; mend what the reason names and scan again."
            )
