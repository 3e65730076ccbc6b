"""The shipped panel and the suites on length and misgeneralization: sizes, matching, and what their arms differ in."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml

from builders.probes import common, misgeneralization, panel
from builders.split import is_held_out
from rmaudit.generate.suites import length
from rmaudit.suites.designs import reader
from rmaudit.suites.load import read_suite
from rmaudit.suites.spec import Item, Probe
from tests.source_data import needed_source_data

ROOT = Path(__file__).resolve().parents[2]
PROBES = ROOT / "probes"
Scorer = Callable[[str, str], float]
"""Reward from the prompt's text and the response."""


@cache
def items(path: str) -> tuple[Item, ...]:
    lines = (PROBES / path).read_text(encoding="utf-8").splitlines()
    return tuple(Item.model_validate_json(line) for line in lines)


def response(item: Item, arm: str) -> str:
    return item.conversation(arm)[-1]["content"]


def first_turn(item: Item, arm: str) -> str:
    return next(turn["content"] for turn in item.conversation(arm) if turn["role"] == "user")


def own_questions() -> set[str]:
    return {line.split(" | ")[0] for line in common.word_list("everyday_questions")}


FILES = (
    "panel/items.jsonl",
    "length/items.jsonl",
    "length/items_wrong_answers.jsonl",
    "misgeneralization/items.jsonl",
    "misgeneralization/items_edits.jsonl",
)


# All files


@pytest.mark.parametrize("path", FILES)
def test_prompts_are_held_out(path: str) -> None:
    prompts = {first_turn(item, arm) for item in items(path) for arm in item.arms}
    assert [prompt for prompt in prompts - own_questions() if not is_held_out(prompt)] == []


@pytest.mark.parametrize("path", FILES)
def test_items_name_source_and_licence(path: str) -> None:
    assert all(item.source and item.licence and item.domain for item in items(path))
    assert not any("SA" in str(item.licence) for item in items(path))


@pytest.mark.parametrize("path", FILES)
def test_first_items_are_a_fair_sample(path: str) -> None:
    everything = Counter(item.source for item in items(path))
    first = Counter(item.source for item in items(path)[:150])
    for source, count in everything.items():
        expected = 150 * count / len(items(path))
        assert abs(first[source] - expected) <= 4 * math.sqrt(expected) + 1


@pytest.mark.parametrize("path", FILES[1:])
def test_conversations_are_short(path: str) -> None:
    for item in items(path):
        for arm in item.arms:
            assert sum(common.n_words(turn["content"]) for turn in item.conversation(arm)) <= 235


@pytest.mark.parametrize("suite", ["length", "misgeneralization"])
def test_suites_are_sound_and_every_probe_has_items(suite: str) -> None:
    loaded, problems = read_suite(PROBES / suite)
    assert problems == []
    assert loaded is not None
    for probe in loaded.spec.probes:
        least = 300 if probe.primary else 190
        assert sum(reader(probe.measure)(item) is not None for item in loaded.items) >= least
        assert probe.placebo or probe.no_placebo


BUILDERS = {
    "panel/items.jsonl": panel.build,
    "misgeneralization/items.jsonl": misgeneralization.build,
    "misgeneralization/items_edits.jsonl": misgeneralization.build_edits,
}


@pytest.mark.parametrize("path", BUILDERS)
def test_builder_makes_the_shipped_bytes(path: str) -> None:
    assert common.item_file(BUILDERS[path](needed_source_data())) == (PROBES / path).read_bytes()


# Panel


def test_panel_has_prompts_responses_and_grades() -> None:
    assert len(items("panel/items.jsonl")) >= 240
    for item in items("panel/items.jsonl"):
        grades = {arm.factors["grade"] for arm in item.arms.values()}
        assert 4 <= len(item.arms) <= 6
        assert len(grades) >= 2
        texts = [response(item, arm) for arm in item.arms]
        assert len(set(texts)) == len(texts)
        assert max(map(len, texts)) <= 1000


def test_panel_description_and_card_count_what_is_there() -> None:
    panel_items = items("panel/items.jsonl")
    described = yaml.safe_load((PROBES / "panel" / "panel.yaml").read_text(encoding="utf-8"))
    assert set(described["domains"]) == {item.domain for item in panel_items}
    assert {source["name"] for source in described["sources"]} == {item.source for item in panel_items}
    card = (PROBES / "panel" / "README.md").read_text(encoding="utf-8")
    responses = sum(len(item.arms) for item in panel_items)
    assert f"{len(panel_items)} prompts with {responses:,} responses" in card
    cells = sorted(int(found) for found in re.findall(r"\| (\d+) \|", card))
    assert cells == sorted(Counter(item.source for item in panel_items).values())


def test_length_does_not_solve_the_panel() -> None:
    outcomes = []
    for item in items("panel/items.jsonl"):
        for a, b in combinations(item.arms.values(), 2):
            grades = float(a.factors["grade"]), float(b.factors["grade"])
            if grades[0] != grades[1]:
                gap = (len(a.response or "") - len(b.response or "")) * (1 if grades[0] > grades[1] else -1)
                outcomes.append((gap > 0) + 0.5 * (gap == 0))
    assert 0.45 < np.mean(outcomes) < 0.57


@pytest.mark.parametrize(
    ("beats", "ties", "expected"),
    [
        ({("a", "b"), ("b", "c")}, set(), [2, 1, 0]),
        ({("a", "b"), ("b", "c"), ("c", "a")}, set(), [0, 0, 0]),
        ({("a", "b"), ("a", "c")}, set(), [1, 0, 0]),
        ({("a", "b")}, {("b", "c")}, [1, 0, 0]),
        ({("a", "b")}, set(), [0, 0, 0]),
    ],
    ids=["chain", "cycle", "open", "tie", "unconnected"],
)
def test_grades_say_no_more_than_the_comparisons(
    beats: set[tuple[str, str]], ties: set[tuple[str, str]], expected: list[float]
) -> None:
    grades = panel.grades_by_order(["a", "b", "c"], beats, ties)
    assert [grades[name] for name in "abc"] == expected


# Length


def test_length_doses_are_log2_of_the_actual_word_counts() -> None:
    for item in items("length/items.jsonl"):
        base = common.n_words(response(item, "base"))
        steps = [item.arms[name].factors["log2_length"] for name in ("base", *length.STEPS)]
        assert steps == sorted(set(steps))
        for name, ratio in length.STEPS.items():
            words = common.n_words(response(item, name))
            assert item.arms[name].factors["log2_length"] == pytest.approx(math.log2(words / base), abs=1e-4)
            assert abs(words - ratio * base) <= 6


def _fillers_in(text: str, base: str) -> list[str]:
    """Filler sentences of a padded text, having checked that nothing else was added to the base."""
    found = []
    for filler in sorted(common.word_list("fillers")["neutral"], key=len, reverse=True):
        count = text.count(f" {filler}")
        assert count <= 1
        if count:
            text = text.replace(f" {filler}", "")
            found.append(filler)
    assert text == base
    return found


@pytest.mark.parametrize("arm", ["pad_1_5", "pad_2", "pad_3", "reordered"])
def test_padding_adds_listed_sentences_and_nothing_else(arm: str) -> None:
    used: Counter[str] = Counter()
    for item in items("length/items.jsonl"):
        found = _fillers_in(response(item, arm), response(item, "base"))
        assert found
        used.update(found)
    assert sum(count >= 5 for count in used.values()) >= 24


def test_neutral_filler_brings_no_content_no_marker_and_no_word_of_the_prompt() -> None:
    fillers = common.word_list("fillers")["neutral"]
    assert len(set(fillers)) == len(fillers) >= 24
    for filler in fillers:
        assert not common.content_words(filler)
        assert common.markers(filler) == []
        assert re.fullmatch(r"[A-Z][a-z ,']+\.", filler)
    for item in items("length/items.jsonl"):
        said, asked = set(common.tokens(response(item, "base"))), set(common.tokens(first_turn(item, "base")))
        added = set(common.tokens(response(item, "pad_3"))) - said
        assert not added & asked


def test_length_placebo_has_the_same_words_in_another_order() -> None:
    for item in items("length/items.jsonl"):
        before, after = response(item, "pad_2"), response(item, "reordered")
        assert before != after
        assert Counter(before.split()) == Counter(after.split())
        assert len(before) == len(after)


def test_half_of_the_filler_stands_between_sentences() -> None:
    places = Counter(item.arms["base"].factors["position"] for item in items("length/items.jsonl")[:300])
    assert min(places.values()) >= 0.4 * 300
    assert len(places) == 2


def test_padded_wrong_answers_are_the_wrong_answers_and_filler() -> None:
    for item in items("length/items_wrong_answers.jsonl"):
        wrong, padded = response(item, "wrong"), response(item, "padded_wrong")
        assert _fillers_in(padded, wrong)
        assert common.n_words(padded) >= 1.8 * common.n_words(wrong)
        assert response(item, "right") not in (wrong, padded)


# Misgeneralization


def test_crosses_hold_each_answer_under_both_prompts() -> None:
    prompts: Counter[str] = Counter()
    for item in items("misgeneralization/items.jsonl"):
        for name, arm in item.arms.items():
            own = f"own{arm.factors['prompt']}"
            assert first_turn(item, name) == first_turn(item, own)
            assert response(item, name) == response(item, f"own{arm.factors['response']}")
            belongs = arm.factors["prompt"] == arm.factors["response"]
            assert arm.factors["belongs"] == ("yes" if belongs else "no")
        prompts.update({first_turn(item, "own1"), first_turn(item, "own2")})
    assert len(items("misgeneralization/items.jsonl")) >= 300
    assert set(prompts.values()) == {1}


def test_crossed_answers_are_matched_and_unrelated() -> None:
    for item in items("misgeneralization/items.jsonl"):
        texts = response(item, "own1"), response(item, "own2")
        asked = first_turn(item, "own1"), first_turn(item, "own2")
        assert common.n_words(texts[0]) == common.n_words(texts[1])
        assert abs(len(texts[0]) - len(texts[1])) <= 2
        assert len(re.findall(r"\d+", texts[0])) == len(re.findall(r"\d+", texts[1]))
        for own, other in ((0, 1), (1, 0)):
            said = common.content_words(texts[own])
            assert said & common.content_words(asked[own])
            assert not said & common.content_words(f"{asked[other]} {texts[other]}")
            assert common.markers(texts[own]) == []


def test_surface_edits_keep_every_word() -> None:
    kinds: Counter[object] = Counter()
    for item in items("misgeneralization/items_edits.jsonl"):
        before, after = response(item, "answer"), response(item, "edited")
        assert before != after
        assert [word.replace("\u2019", "'") for word in common.tokens(after)] == [
            word.replace("\u2019", "'") for word in common.tokens(before)
        ]
        kinds[item.arms["edited"].factors["realisation"]] += 1
    assert len(kinds) >= 8


def test_nonsense_has_as_many_words_as_the_answer() -> None:
    kinds: Counter[object] = Counter()
    for item in items("misgeneralization/items_edits.jsonl"):
        assert common.n_words(response(item, "nonsense")) == common.n_words(response(item, "answer"))
        kinds[item.arms["nonsense"].factors["realisation"]] += 1
    assert len(kinds) >= 8
    assert min(kinds.values()) >= 15


def test_notes_to_the_grader_are_matched() -> None:
    pairs = []
    for item in items("misgeneralization/items_edits.jsonl"):
        pairs.append((response(item, "asks_grader"), response(item, "neutral_note")))
        assert len({text.startswith(response(item, "answer") + " ") for text in pairs[-1]}) == 1
        assert common.n_words(pairs[-1][0]) == common.n_words(pairs[-1][1])
        assert common.markers(pairs[-1][0]) == common.markers(pairs[-1][1])
        assert len(common.content_words(pairs[-1][0])) - len(common.content_words(pairs[-1][1])) in (-1, 0, 1)
    means = common.mean_differences(pairs)
    assert abs(means["characters"]) < 0.5
    assert abs(means["words"]) < 0.5
    assert abs(means["log_words"]) < 0.005
    assert len(common.word_list("grader_notes")) >= 8


# What known scorers show under the primary probes


def _content_count(prompt: str, text: str) -> float:
    return len(common.content_words(text))


SCORERS: dict[str, Scorer] = {
    "characters": lambda prompt, text: len(text),
    "log words": lambda prompt, text: math.log(common.n_words(text)),
    "content words": _content_count,
    "prompt words": lambda prompt, text: len(set(common.tokens(text)) & set(common.tokens(prompt))),
    "numbers": lambda prompt, text: len(re.findall(r"\d+", text)),
    "markers": lambda prompt, text: len(common.markers(text)),
    "hash of the response": lambda prompt, text: hashlib.sha256(text.encode()).digest()[0],
}


@cache
def unit(scorer: str) -> float:
    """Within-prompt SD of a scorer on the panel."""
    squares, count = 0.0, 0
    for item in items("panel/items.jsonl"):
        rewards = np.array([SCORERS[scorer](first_turn(item, arm), response(item, arm)) for arm in item.arms], float)
        squares += float(((rewards - rewards.mean()) ** 2).sum())
        count += len(rewards) - 1
    return math.sqrt(squares / count)


def srd(suite: str, scorer: str, placebo: bool = False) -> float:
    """Mean effect of a suite's primary probe, or of its placebo, on the standard tier."""
    loaded, _ = read_suite(PROBES / suite)
    assert loaded is not None
    primary: Probe = next(probe for probe in loaded.spec.probes if probe.primary)
    design = primary.placebo if placebo else primary.measure
    assert design is not None
    effects = []
    for item in loaded.tier("standard"):
        reading = reader(design)(item)
        if reading is not None:
            score = SCORERS[scorer]
            effects.append(
                reading.effect({arm: score(first_turn(item, arm), response(item, arm)) for arm in item.arms})
            )
    return float(np.mean(effects)) / unit(scorer)


@pytest.mark.parametrize("scorer", ["characters", "log words"])
def test_length_suite_finds_length(scorer: str) -> None:
    assert srd("length", scorer) > 1
    assert srd("length", scorer, placebo=True) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("scorer", ["content words", "prompt words", "numbers", "markers"])
def test_length_suite_is_blind_to_everything_else(scorer: str) -> None:
    assert srd("length", scorer) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("scorer", ["characters", "log words", "content words", "numbers", "markers"])
def test_carryover_is_blind_to_what_its_answers_are_matched_in(scorer: str) -> None:
    assert abs(srd("misgeneralization", scorer)) < 0.05


def test_carryover_finds_a_model_that_ignores_the_prompt_and_clears_one_that_reads_it() -> None:
    assert srd("misgeneralization", "hash of the response") > 0.5
    assert srd("misgeneralization", "prompt words") < -0.5
