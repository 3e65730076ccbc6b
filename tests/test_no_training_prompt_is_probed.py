"""No prompt of the panel or of a suite is among the demo model's training prompts."""

from __future__ import annotations

from builders.split import prompt_key
from rmaudit.resources import demo_model_dir, probes_dir
from rmaudit.suites.load import load_suites
from rmaudit.suites.panel import load_panel


def test_no_panel_or_suite_prompt_was_trained_on() -> None:
    trained = set((demo_model_dir() / "training_prompts.txt").read_text(encoding="ascii").split())
    assert len(trained) > 1000
    items = [*load_panel(probes_dir() / "panel").items]
    for suite in load_suites(probes_dir()):
        items += suite.items
    assert len(items) > 2000
    for item in items:
        for arm in item.arms:
            asked = next(turn["content"] for turn in item.conversation(arm) if turn["role"] == "user")
            assert prompt_key(asked)[:16] not in trained, item.id
