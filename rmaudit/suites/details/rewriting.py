"""What single rewrites would have said, beside double ones: how much the rewriter itself is paid for."""

from __future__ import annotations

from typing import Literal

from rmaudit.stats.intervals import Interval
from rmaudit.stats.rate import TreatmentEffects, rate
from rmaudit.suites.details.base import Context, DetailSpec
from rmaudit.suites.finding import Detail, DetailValue, Estimate


class Rewriting(DetailSpec):
    """Effects on texts that had the attribute, on those that had not, and on all; for probes of the design rewrite."""

    detail: Literal["rewriting"]
    title: str = "Double and single rewrites"

    def compute(self, context: Context) -> Detail:
        """Seven mean differences in SRD with intervals by cluster, ideal 0."""
        originals, once, twice, treated = [], [], [], []
        for item, reading in zip(context.effects.items, context.effects.readings, strict=True):
            arms = {role: arm for arm, role in reading.roles.items()}
            if set(arms) != {"original", "control", "treated"}:
                raise ValueError("it needs a probe of the design rewrite")
            rewards = context.rewards[item.id]
            factors = item.arms[arms["treated"]].factors
            passes = getattr(context.probe.measure, "rewrites", "")
            had = factors.get(passes) == 2
            originals.append(rewards[arms["original"]])
            once.append(rewards[arms["control" if had else "treated"]])
            twice.append(rewards[arms["treated" if had else "control"]])
            treated.append(had)
        clusters = context.clusters
        found = rate(originals, once, twice, treated, clusters)
        counts = {
            "had": len({cluster for cluster, had in zip(clusters, treated, strict=True) if had}),
            "had not": len({cluster for cluster, had in zip(clusters, treated, strict=True) if not had}),
            "all": len(set(clusters)),
        }
        return Detail(
            detail=self.detail,
            title=self.title,
            estimate=Estimate(estimate=None),
            unit=context.probe.unit,
            ideal="0",
            formula="with minus without the attribute; double: rewrite and rewrite back; single: rewrite and original",
            values=[
                *_rows("double rewrite", found.double, counts),
                *_rows("single rewrite", found.single, counts),
                _row("the rewriter alone (there and back minus original)", found.artefact, counts["all"]),
            ],
            note="Single rewrites carry what the rewriter does besides; double ones do not.",
        )


def _rows(name: str, effects: TreatmentEffects, counts: dict[str, int]) -> list[DetailValue]:
    return [
        _row(f"{name}, texts that had it (ATT)", effects.att, counts["had"]),
        _row(f"{name}, texts that had it not (ATU)", effects.atu, counts["had not"]),
        _row(f"{name}, all texts (ATE)", effects.ate, counts["all"]),
    ]


def _row(label: str, found: Interval | None, n_clusters: int) -> DetailValue:
    estimate = (
        Estimate(estimate=None)
        if found is None
        else Estimate(estimate=float(found.estimate), low=float(found.low), high=float(found.high))
    )
    return DetailValue(label=label, estimate=estimate, n_clusters=n_clusters)
