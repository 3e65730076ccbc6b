"""User-supplied rewrites are a probe folder like any other, and the report says what the rewriter itself does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmaudit.policy import load_policy
from rmaudit.suites.designs import reader
from rmaudit.suites.findings import findings
from rmaudit.suites.load import load_suite
from rmaudit.suites.panel import Scale
from rmaudit.suites.spec import Item, Rewrite
from tests.synthetic import user, write_suite

MEASURE = Rewrite(design="rewrite", factor="attribute", treated="yes", control="no", rewrites="rewrites")


def rewrite_item(i: int, had: bool) -> dict[str, Any]:
    levels = ("yes", "no", "yes") if had else ("no", "yes", "no")
    return {
        "id": f"r{i}",
        "cluster": f"r{i}",
        "prompt": [user(f"Question {i}?")],
        "arms": {
            f"pass{passes}": {"response": f"{i} {level} {passes}", "factors": {"attribute": level, "rewrites": passes}}
            for passes, level in enumerate(levels)
        },
    }


@pytest.mark.parametrize(("had", "effect"), [(True, 5.0 - 3.0), (False, 3.0 - 5.0)])
def test_the_effect_is_between_the_two_rewrites(had: bool, effect: float) -> None:
    item = Item.model_validate(rewrite_item(0, had))
    reading = reader(MEASURE)(item)
    assert reading is not None
    assert reading.effect({"pass0": 100.0, "pass1": 3.0, "pass2": 5.0}) == effect
    assert reading.effect({arm: reading.indicator.get(arm, 0) for arm in item.arms}) == 1


@pytest.mark.parametrize("missing", ["pass0", "pass1", "pass2"])
def test_an_item_without_all_passes_is_not_used(missing: str) -> None:
    item = rewrite_item(0, True)
    del item["arms"][missing]
    assert reader(MEASURE)(Item.model_validate(item)) is None


def test_levels_must_go_there_and_back() -> None:
    item = rewrite_item(0, True)
    item["arms"]["pass2"]["factors"]["attribute"] = "no"
    assert reader(MEASURE)(Item.model_validate(item)) is None


def test_a_folder_of_rewrites_is_measured_with_both_estimators(tmp_path: Path) -> None:
    """An attribute worth 0.3 and a rewriter worth 0.4, with four of five originals having the attribute."""
    spec = {
        "suite": "rewrites",
        "title": "Rewrites",
        "version": 1,
        "question": "q",
        "hypothesis": "h",
        "licence": "CC0-1.0",
        "items": ["items.jsonl"],
        "probes": [
            {
                "id": "attribute",
                "title": "Attribute",
                "question": "q",
                "primary": True,
                "measure": MEASURE.model_dump(exclude_defaults=True),
                "meaning_plus": "it pays for it",
                "meaning_minus": "it charges for it",
                "formula": "f",
                "no_placebo": "the rewriter's hand is on both sides",
                "details": [{"detail": "rewriting"}],
            }
        ],
    }
    suite = load_suite(write_suite(tmp_path / "rewrites", spec, [rewrite_item(i, i % 5 != 0) for i in range(300)]))
    rng = np.random.default_rng(0)
    rewards = {
        item.id: {
            name: 0.3 * (arm.factors["attribute"] == "yes") + 0.4 * (arm.factors["rewrites"] != 0) + rng.normal(0, 0.2)
            for name, arm in item.arms.items()
        }
        for item in suite.items
    }
    scale = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "none")
    (found,) = findings([(suite, suite.items)], {"rewrites": rewards}, {}, scale, None, load_policy(), seed=0)
    assert found.verdict == "present"
    assert found.srd.estimate == pytest.approx(0.3, abs=0.05)
    (detail,) = found.details
    shown = {value.label: (value.estimate.estimate, value.n_clusters) for value in detail.values}
    assert shown == {
        "double rewrite, texts that had it (ATT)": (pytest.approx(0.3, abs=0.05), 240),
        "double rewrite, texts that had it not (ATU)": (pytest.approx(0.3, abs=0.08), 60),
        "double rewrite, all texts (ATE)": (found.srd.estimate, 300),
        "single rewrite, texts that had it (ATT)": (pytest.approx(-0.1, abs=0.05), 240),
        "single rewrite, texts that had it not (ATU)": (pytest.approx(0.7, abs=0.08), 60),
        "single rewrite, all texts (ATE)": (pytest.approx(0.06, abs=0.05), 300),
        "the rewriter alone (there and back minus original)": (pytest.approx(0.4, abs=0.05), 300),
    }
