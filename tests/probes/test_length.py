"""The length suite: what its arms differ in, and what scorers with known habits show."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from builders.split import is_held_out
from rmaudit.generate import texts
from rmaudit.generate.predictability import letter_surprise, surprise
from rmaudit.generate.suites.length import extension, padding, wrong
from rmaudit.suites.designs import reader
from rmaudit.suites.spec import Item
from tests.probes.shipped import asked, counts_in_card, detection_limit, effects, items, probe, response, suite, unit

FILES = [f"length/{name}" for name in suite("length").spec.items]
LADDER, RECAP, EXTENSION, WRONG = FILES


# All files


@pytest.mark.parametrize("path", FILES)
def test_prompts_are_held_out_and_name_source_and_licence(path: str) -> None:
    for item in items(path):
        assert is_held_out(item.prompt[0]["content"])
        assert item.source
        assert item.domain
        assert item.licence in {"MIT", "Apache-2.0"}


@pytest.mark.parametrize("path", FILES)
def test_first_items_are_a_fair_sample(path: str) -> None:
    everything = Counter(item.source for item in items(path))
    first = Counter(item.source for item in items(path)[:150])
    for source, count in everything.items():
        expected = 150 * count / len(items(path))
        assert abs(first[source] - expected) <= 4 * math.sqrt(expected) + 1


@pytest.mark.parametrize("path", FILES)
def test_one_item_a_prompt_and_no_arm_twice(path: str) -> None:
    assert len({item.prompt[0]["content"] for item in items(path)}) == len(items(path))
    for item in items(path):
        answers = [response(item, arm) for arm in item.arms]
        assert len(set(answers)) == len(answers), item.id


def test_there_are_enough_prompts_for_every_probe() -> None:
    for each in suite("length").spec.probes:
        found = sum(reader(each.measure)(item) is not None for item in suite("length").items)
        assert found >= (500 if each.primary else 150)
        assert each.placebo or each.no_placebo


def test_the_standard_tier_is_short() -> None:
    words = sum(
        texts.n_words(turn["content"])
        for item in suite("length").tier("standard")
        for arm in item.arms
        for turn in item.conversation(arm)
    )
    assert words < 330_000
    for item in suite("length").items:
        for arm in item.arms:
            assert sum(texts.n_words(turn["content"]) for turn in item.conversation(arm)) <= 250


# Padding


def test_doses_are_log2_of_the_actual_word_counts() -> None:
    for item in items(LADDER):
        base = texts.n_words(response(item, "base"))
        steps = [item.arms[name].factors["log2_length"] for name in ("base", *padding.STEPS)]
        assert steps == sorted(set(steps))
        for name, ratio in padding.STEPS.items():
            words = texts.n_words(response(item, name))
            assert item.arms[name].factors["log2_length"] == pytest.approx(math.log2(words / base), abs=1e-4)
            assert abs(words - ratio * base) <= 6


def fillers_in(text: str, base: str) -> list[str]:
    """Filler sentences of a padded text, having checked that nothing else was added to the base."""
    found = []
    for filler in sorted(texts.word_list("fillers")["neutral"], key=len, reverse=True):
        count = text.count(f" {filler}")
        assert count <= 1
        if count:
            text = text.replace(f" {filler}", "")
            found.append(filler)
    assert text == base
    return found


@pytest.mark.parametrize("arm", padding.STEPS)
def test_padding_adds_listed_sentences_and_nothing_else(arm: str) -> None:
    used: Counter[str] = Counter()
    for item in items(LADDER):
        found = fillers_in(response(item, arm), response(item, "base"))
        assert found
        used.update(found)
    assert sum(count >= 5 for count in used.values()) >= 24


def test_each_step_keeps_the_filler_of_the_one_before_so_that_downwards_it_takes_filler_away() -> None:
    for item in items(LADDER):
        found = [set(fillers_in(response(item, step), response(item, "base"))) for step in padding.STEPS]
        assert all(first < second for first, second in pairwise(found))


def test_added_phrases_bring_no_content_no_marker_and_no_word_of_the_prompt() -> None:
    for name in ("fillers", "recaps"):
        phrases = texts.word_list(name)["neutral"]
        assert len(set(phrases)) == len(phrases) >= 8
        for phrase in phrases:
            assert not texts.content_words(phrase)
            assert texts.markers(phrase) == []
    for path, base, longest in ((LADDER, "base", "pad_3"), (RECAP, "plain", "recap_whole")):
        for item in items(path):
            said, wanted = set(texts.tokens(response(item, base))), set(texts.tokens(asked(item, base)))
            assert not (set(texts.tokens(response(item, longest))) - said) & wanted


def test_the_placebo_of_the_contraction_has_the_same_words_in_another_order() -> None:
    for item in items(RECAP):
        first, second = response(item, "recap_whole"), response(item, "reordered")
        assert first != second
        assert len(first) == len(second)
        assert Counter(first.split()) == Counter(second.split())


def test_the_placebo_of_the_padding_puts_likely_text_in_the_place_of_sentences_and_keeps_the_length() -> None:
    fillers = sorted(texts.word_list("fillers")["likely"], key=len, reverse=True)
    counts: Counter[int] = Counter()
    for number, item in enumerate(items(LADDER)):
        base, arms = response(item, "base"), [arm for arm in item.arms if arm.startswith("filled")]
        counts[number // 150] += bool(arms)
        assert ("edit" in item.arms["base"].factors) == bool(arms)
        for arm in arms:
            filled = response(item, arm)
            assert texts.n_words(filled) == texts.n_words(base)
            for filler in fillers:
                filled = filled.replace(f" {filler}", "")
            assert filled in base
            assert 0.25 <= texts.n_words(filled) / texts.n_words(base) <= 0.52
    assert min(counts[0], counts[1]) >= 60


def test_likely_text_in_place_of_a_wrong_answer_is_as_long() -> None:
    gaps = [texts.n_words(response(item, "likely")) - texts.n_words(response(item, "wrong")) for item in items(WRONG)]
    assert max(map(abs, gaps)) <= 2
    assert abs(np.mean(gaps)) < 0.2
    assert all(not texts.content_words(response(item, "likely")) for item in items(WRONG))


def test_half_of_the_filler_stands_between_sentences() -> None:
    places = Counter(item.arms["base"].factors["position"] for item in items(LADDER)[:300])
    assert len(places) == 2
    assert min(places.values()) >= 0.4 * 300


# Contraction


def test_what_is_taken_away_stands_in_the_answer_already() -> None:
    openings: Counter[str] = Counter()
    for item in items(RECAP):
        plain, opening = response(item, "plain"), str(item.arms["plain"].factors["opening"])
        separator = "\n" if "\n" in plain else " "
        whole, part = response(item, "recap_whole"), response(item, "recap_part")
        assert whole == separator.join([plain, f"{opening} {plain}"])
        assert whole.startswith(part)
        assert part.startswith(f"{plain}{separator}{opening} ")
        openings[opening] += 1
    assert len(openings) >= 8


def test_every_step_of_the_contraction_is_as_long_as_its_dose_says() -> None:
    for item in items(RECAP):
        plain = texts.n_words(response(item, "plain"))
        doses = [float(item.arms[arm].factors["log2_length"]) for arm in ("plain", "recap_part", "recap_whole")]
        assert doses == sorted(set(doses))
        assert 2 ** doses[-1] * plain == pytest.approx(texts.n_words(response(item, "recap_whole")), abs=0.05)


# Filler against content


def test_filler_is_as_long_as_the_content_in_whose_place_it_stands() -> None:
    for item in items(EXTENSION):
        short, padded, full, both = (
            response(item, f"content_{content}_filler_{filler}")
            for content in ("no", "yes")
            for filler in ("no", "yes")
        )
        assert full.startswith(short)
        assert fillers_in(padded, short) == fillers_in(both, full)
        assert min(texts.n_words(short), texts.n_words(full) - texts.n_words(short)) >= extension.LEAST
        assert texts.n_words(full) == texts.n_words(padded)
        assert len(texts.content_words(full) - texts.content_words(short)) >= 2


# Wrong answers


def test_padded_wrong_answers_are_the_wrong_answers_and_filler() -> None:
    for item in items(WRONG):
        plain = response(item, "wrong")
        previous: set[str] = set()
        for step in wrong.STEPS:
            arm = step.replace(" ", "_")
            found = set(fillers_in(response(item, arm), plain))
            added = sum(map(texts.n_words, found))
            assert previous < found
            assert item.arms[arm].factors["added_words"] == added
            assert item.arms[arm].factors["log2_length"] == pytest.approx(
                math.log2(1 + added / texts.n_words(plain)), abs=1e-4
            )
            previous = found
        assert response(item, "right") != plain


def test_either_answer_is_often_the_longer_one() -> None:
    longer = Counter(
        (texts.n_words(response(item, "right")) > texts.n_words(response(item, "wrong")))
        - (texts.n_words(response(item, "right")) < texts.n_words(response(item, "wrong")))
        for item in items(WRONG)
    )
    assert min(longer[1], longer[-1]) >= 50


# What scorers with known habits show


def words(_: str, text: str) -> float:
    return math.log2(texts.n_words(text))


def characters(_: str, text: str) -> float:
    return len(text)


HONEST = {
    "content words": lambda _, text: float(len(texts.content_words(text))),
    "prompt words": lambda prompt, text: float(len(set(texts.tokens(text)) & set(texts.tokens(prompt)))),
    "numbers": lambda _, text: float(len(set(re.findall(r"\d+", text)))),
    "markers": lambda _, text: float(len(set(texts.markers(text)))),
}


@pytest.mark.parametrize("probe_id", ["padding-ladder", "contraction-ladder", "padding-a-wrong-answer"])
def test_the_ladders_find_length(probe_id: str) -> None:
    assert effects("length", probe_id, words) == pytest.approx(1.0, abs=1e-3)
    assert effects("length", probe_id, characters).mean() / unit(characters) > 0.5


def test_the_placebos_are_blind_to_length() -> None:
    for scorer in (words, characters):
        assert effects("length", "contraction-ladder", scorer, placebo=True) == pytest.approx(0.0, abs=1e-9)
    assert effects("length", "padding-ladder", words, placebo=True) == pytest.approx(0.0, abs=1e-9)
    assert effects("length", "padding-ladder", characters, placebo=True).mean() <= 0, "function words are short"


@pytest.mark.parametrize("likely", [lambda _, text: -surprise(text), lambda _, text: -letter_surprise(text)])
def test_what_predictable_text_is_worth_is_no_more_as_padding_than_by_itself(likely) -> None:
    for probe_id in ("padding-ladder", "padding-a-wrong-answer"):
        ladder = probe("length", probe_id)
        read, control = reader(ladder.measure), reader(ladder.placebo)
        beyond = []
        for item in suite("length").tier("standard"):
            one, other = read(item), control(item)
            if one is not None and other is not None:
                rewards = {arm: likely("", response(item, arm)) for arm in item.arms}
                beyond.append((one.effect(rewards), one.effect(rewards) - other.effect(rewards)))
        # A verdict of present needs both.
        assert min(np.mean(beyond, axis=0)) / unit(likely) < 0.05


@pytest.mark.parametrize("probe_id", ["padding-ladder", "contraction-ladder", "padding-a-wrong-answer"])
@pytest.mark.parametrize("scorer", HONEST)
def test_the_ladders_are_blind_to_everything_else(probe_id: str, scorer: str) -> None:
    assert effects("length", probe_id, HONEST[scorer]) == pytest.approx(0.0, abs=1e-9)


def test_a_model_that_likes_a_middling_length_shows_in_the_curve_and_not_in_the_slope() -> None:
    def peak(_: str, text: str) -> float:
        return -((words("", text) - 5.8) ** 2)

    first, *steps = ("base", *padding.STEPS)
    rises = [
        [peak("", response(item, step)) - peak("", response(item, first)) for step in steps]
        for item in suite("length").tier("standard")
        if first in item.arms
    ]
    curve = np.mean(rises, axis=0)
    assert max(curve) > curve[-1] + 0.2
    assert max(curve) > 0.2
    assert abs(effects("length", "padding-ladder", peak).mean()) < max(curve)


def test_filler_and_content_are_told_apart_by_content_alone() -> None:
    assert effects("length", "filler-or-content", HONEST["content words"]).mean() < -3
    assert effects("length", "filler-or-content", words) == pytest.approx(0.0)


def test_the_primary_probe_sees_a_tenth_of_an_sd() -> None:
    assert detection_limit("length", "padding-ladder") <= 0.10
    for probe_id in ("contraction-ladder", "padding-a-wrong-answer"):
        assert detection_limit("length", probe_id) <= 0.16


def test_an_item_with_an_arm_that_is_too_long_is_left_out() -> None:
    from rmaudit.suites.estimate import item_effects

    ladder = probe("length", "padding-ladder")
    chosen: list[Item] = list(items(LADDER)[:30])
    rewards = {
        item.id: {
            arm: float(int(hashlib.sha256(response(item, arm).encode()).hexdigest()[:4], 16)) for arm in item.arms
        }
        for item in chosen
    }
    del rewards[chosen[0].id]["pad_3"]  # a conversation beyond the model's length has no reward
    found = item_effects(ladder, chosen, rewards)
    assert chosen[0] not in found.items
    assert (len(found.items), found.n_errors) == (29, 1)


def test_the_card_counts_what_is_there() -> None:
    assert counts_in_card("length") == [sorted(Counter(item.source for item in items(path)).values()) for path in FILES]
