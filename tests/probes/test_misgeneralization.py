"""The misgeneralization suite: what its arms differ in, what it sees, and whom it does not accuse."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from math import log
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from builders.probes import close_pairs
from builders.split import is_held_out
from rmaudit.generate.fresh import write_suite
from rmaudit.generate.pools import Answer, answers
from rmaudit.generate.predictability import letter_surprise, surprise
from rmaudit.generate.suites.misgeneralization import cross, pairs, reversal
from rmaudit.generate.suites.misgeneralization.edits import EDITS, UNUSUAL, WRAPPERS
from rmaudit.generate.suites.misgeneralization.nonsense import SALAD
from rmaudit.generate.texts import content_words, markers, n_words, tokens, word_list
from rmaudit.resources import probes_dir
from rmaudit.suites.designs import reader
from rmaudit.suites.load import load_suite
from tests.probes.habits import HABITS, INNOCENT, OTHERS, organism
from tests.probes.reading_items import (
    accused,
    assert_balanced,
    audited,
    items,
    limit_of_detection,
    probe,
    prompt,
    response,
    suite,
)
from tests.source_data import needed_source_data

FOLDER = "misgeneralization"
CROSS, REVERSAL, ANSWERS, NONSENSE, NOTES, SUBTLE = FILES = [
    f"{FOLDER}/{file}" for file, _ in suite(FOLDER).files
]  # fmt: skip


def own_questions() -> set[str]:
    everyday = {line.split(" | ")[0] for line in word_list("everyday_questions")}
    return everyday | {line.split("|")[0].strip() for line in word_list("trivia")["questions"].splitlines()}


# Sources and sizes


def test_the_pool_is_that_of_the_sources() -> None:
    made = list(close_pairs.close_pairs(needed_source_data()))
    with (probes_dir() / "sources" / "close_pairs.jsonl").open(encoding="utf-8") as lines:
        assert [json.loads(line) for line in lines] == made


@pytest.mark.parametrize("path", FILES)
def test_prompts_are_held_out_and_name_their_source(path: str) -> None:
    for item in items(path):
        assert item.source
        assert item.licence
        assert "SA" not in item.licence
        for arm, entry in item.arms.items():
            asked = item.conversation(arm)[0]["content"]
            own = path == REVERSAL or entry.factors.get("belongs") == "dropped" or asked in own_questions()
            assert own or entry.factors.get("wording") == "with an end" or is_held_out(asked)


def test_files_serve_their_tiers() -> None:
    assert len({item.cluster for item in items(CROSS)}) >= 350
    assert min(len({item.cluster for item in items(path)}) for path in FILES) >= 150
    words = sum(
        n_words(prompt(item, arm)) + n_words(response(item, arm))
        for item in suite(FOLDER).tier("standard")
        for arm in item.arms
    )
    # A quarter of them stand in prompts that are computed once for two wordings.
    assert words < 350_000


def test_the_card_counts_what_is_there() -> None:
    card = (probes_dir() / FOLDER / "README.md").read_text(encoding="utf-8")
    sources = [source for item in items(CROSS) for source in (item.source or "").split("+")]
    crossed = Counter(sources) + Counter(item.source for item in items(CROSS) if "+" not in (item.source or ""))
    others = Counter(item.source for path in FILES[1:] for item in items(path))
    told = re.findall(r"^\| [^|]+ \| (\d+) \| (\d+) \|", card, flags=re.M)
    assert sorted(told) == sorted((str(crossed[source]), str(others[source])) for source in crossed | others)
    numbers = [len(items(path)) for path in (CROSS, REVERSAL, ANSWERS, NONSENSE, NOTES, SUBTLE)]
    held = card.partition("All prompts")[0].rpartition("|")[2]
    assert list(map(int, re.findall(r"\d+", held))) == numbers


def test_the_primary_detects_a_tenth_at_the_standard_tier() -> None:
    measure = probe(FOLDER, "prompt-carryover").measure
    squares = []
    for item in items(CROSS)[:300]:
        arms = reader(measure)(item).roles  # type: ignore[union-attr]
        cells = Counter((item.arms[arm].factors["prompt"], item.arms[arm].factors["response"]) for arm in arms)
        squares.append(sum(0.25 / count for count in cells.values()))
    assert limit_of_detection(squares, 300) <= 0.1


# The cross


def test_crosses_hold_each_answer_under_both_prompts() -> None:
    prompts: Counter[str] = Counter()
    for item in items(CROSS):
        for name in ("own1", "own2", "swap12", "swap21"):
            arm = item.arms[name]
            assert prompt(item, name) == prompt(item, f"own{arm.factors['prompt']}")
            assert response(item, name) == response(item, f"own{arm.factors['response']}")
        for name in ("own1b", "swap1b2", "own2b", "swap2b1"):
            whole = prompt(item, f"own{item.arms[name].factors['prompt']}")
            assert prompt(item, name).removeprefix(f"{whole} ") in cross.ENDS
            assert response(item, name) == response(item, f"own{item.arms[name].factors['response']}")
        prompts.update({prompt(item, "own1"), prompt(item, "own2")})
    assert set(prompts.values()) == {1}


def test_crossed_answers_are_matched_and_unrelated() -> None:
    for item in items(CROSS):
        texts = response(item, "own1"), response(item, "own2")
        asked = prompt(item, "own1"), prompt(item, "own2")
        assert n_words(texts[0]) == n_words(texts[1])
        assert abs(len(texts[0]) - len(texts[1])) <= 3
        assert len(re.findall(r"\d+", texts[0])) == len(re.findall(r"\d+", texts[1]))
        for own, other in ((0, 1), (1, 0)):
            said = content_words(texts[own])
            assert said & content_words(asked[own])
            assert not said & content_words(f"{asked[other]} {texts[other]}")
            assert markers(texts[own]) == []


def test_crossed_answers_begin_at_the_beginning() -> None:
    whole: dict[str, list[str]] = {}
    for answer in answers():
        whole.setdefault(answer.prompt, []).append(answer.response)
    for item in items(CROSS):
        for arm in ("own1", "own2"):
            known = whole.get(prompt(item, arm), [])
            assert "gsm8k" in item.source or not known or any(text.startswith(response(item, arm)) for text in known)


def test_ends_of_prompts_have_no_content() -> None:
    assert len(cross.ENDS) >= 8
    assert all(not content_words(text) - {"then"} for text in cross.ENDS)


def test_one_word_reverses_which_answer_is_right() -> None:
    for item in items(REVERSAL):
        first, second = prompt(item, "q1_a1").split(), prompt(item, "q2_a1").split()
        assert len(first) == len(second)
        changed = [place for place, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
        assert len(changed) == 1
        answers = response(item, "q1_a1"), response(item, "q1_a2")
        assert len(answers[0]) == len(answers[1])
        assert sum(a != b for a, b in zip(*map(str.split, answers), strict=True)) == 1
        assert all(response(item, f"q2_a{n}") == answers[n - 1] for n in (1, 2))
        assert not re.search(r"\ba [aeiou]", f"{prompt(item, 'q1_a1')} {answers[0]} {answers[1]}")


def test_no_two_stories_differ_in_a_single_word() -> None:
    asked = (prompt(item, "q1_a1") for item in items(REVERSAL))
    questions = [frozenset(tokens(text)) for text in asked if not text.startswith(("Which", "In"))]
    assert len(questions) == reversal.STORIES
    assert all(len(one ^ other) > 2 for one, other in combinations(questions, 2))


# Right and wrong, styles, edits


def test_neither_right_nor_wrong_is_longer() -> None:
    for part in (items(ANSWERS)[:150], items(ANSWERS)):
        for size in (len, n_words):
            gaps = [log(size(response(item, "right_plain")) / size(response(item, "wrong_plain"))) for item in part]
            assert abs(fmean(gaps)) < 0.015
    assert {item.domain for item in items(ANSWERS)} == {pair.domain for pair in pairs.pairs()}


def test_right_and_wrong_solutions_set_their_stops_alike() -> None:
    for item in items(ANSWERS):
        if item.source == "gsm8k":
            assert not re.search(r"[\w%)]$", f"{response(item, 'right_plain')}\n{response(item, 'wrong_plain')}", re.M)


def test_styles_change_right_and_wrong_alike() -> None:
    for item in items(ANSWERS):
        for style in ("marked_up", "wordy"):
            added = [
                len(response(item, f"{side}_{style}")) - len(response(item, f"{side}_plain"))
                for side in ("right", "wrong")
            ]
            assert min(added) > 0
            if style == "wordy":
                assert added[0] == added[1]
            else:
                stripped = re.sub(r"^## Answer\n\n|^- |\*\*", "", response(item, f"right_{style}"), flags=re.M)
                assert stripped.split() == response(item, "right_plain").split()


def test_edits_keep_meaning_and_length() -> None:
    kinds: Counter[object] = Counter()
    for item in items(ANSWERS):
        before = response(item, "right_plain")
        for name in ("edited_1", "edited_2", "unusual_1"):
            after, kind = response(item, name), item.arms[name].factors["kind"]
            kinds[kind] += 1
            assert after != before
            assert abs(len(after) - len(before)) <= (1 if kind != "prose" else 6), kind
            assert n_words(after) == n_words(before), kind
            if name != "unusual_1":
                assert abs(surprise(after) - surprise(before)) < 1e-9 or kind == "prose"
            if kind != "typos":
                assert tokens(after.replace("\u2019", "'")) == tokens(before.replace("\u2019", "'")), kind
    assert set(kinds) == {*EDITS, *UNUSUAL}
    assert min(kinds.values()) >= 15
    wrapped = Counter(item.arms["wrapped_1"].factors["kind"] for item in items(ANSWERS))
    assert set(wrapped) == set(WRAPPERS)


def test_no_two_arms_of_an_answer_are_one_text() -> None:
    for item in items(ANSWERS):
        texts = [response(item, arm) for arm in item.arms]
        assert len(set(texts)) == len(texts)


def test_edits_can_be_made_of_a_users_own_answers(tmp_path: Path) -> None:
    own = [
        Answer(f"What is {n} and {n}?", f"Take {n} and add {n} to it. It's easy to see that this gives {2 * n}.",
               f"own-{n}", "own", "own", "own")
        for n in range(30, 60)
    ]  # fmt: skip
    made = load_suite(write_suite(FOLDER, 3, tmp_path, own))
    assert {each.id for each in made.spec.probes} == {"surface-edits", "grader-injection", "injected-claims"}
    edits = [item for item in made.items if "edited_1" in item.arms]
    assert len(edits) == 30
    found = audited(made, organism("noise"))
    assert found["surface-edits"].verdict in {"negligible", "inconclusive"}


# Nonsense, notes, subtle mistakes


def test_nonsense_has_as_many_words_as_a_real_answer() -> None:
    kinds: Counter[object] = Counter()
    openings = 0
    for item in items(NONSENSE):
        real = sorted(
            n_words(response(item, arm)) for arm in item.arms if item.arms[arm].factors.get("sense") == "answer"
        )
        made = sorted(n_words(response(item, arm)) for arm in ("salad_1", "salad_2"))
        assert made == real
        answers_to_it = [tokens(response(item, arm)) for arm in item.arms if arm.startswith("real")]
        assert not [arm for arm in ("salad_1", "salad_2") if tokens(response(item, arm)) in answers_to_it]
        kinds.update(item.arms[arm].factors["kind"] for arm in ("salad_1", "salad_2"))
        if "key" in item.arms:
            openings += 1
            (match,) = [arm for arm in item.arms if item.arms[arm].factors.get("opening") == "answer"]
            assert n_words(response(item, match)) == n_words(response(item, "key")) == n_words(response(item, "likely"))
        assert len(response(item, "empty")) <= 5
    assert set(kinds) == set(SALAD)
    assert min(kinds.values()) >= 30
    assert openings >= 100


@pytest.mark.parametrize("likely", [lambda text: -surprise(text), lambda text: -letter_surprise(text)])
def test_likely_text_is_likelier_than_the_openings(likely: Callable[[str], float]) -> None:
    with_key = [item for item in items(NONSENSE) if "key" in item.arms]
    key, placebo = ([likely(response(item, arm)) for item in with_key] for arm in ("key", "likely"))
    assert np.mean(placebo) > np.mean(key)
    assert np.mean([ours > theirs for ours, theirs in zip(placebo, key, strict=True)]) > 0.9


def test_a_liking_for_openings_is_found_and_one_for_likely_text_is_not() -> None:
    noise = organism("noise")

    def likely(talks: list[list[dict[str, str]]]) -> list[float]:
        return [n - 3 * letter_surprise(c[-1]["content"]) for n, c in zip(noise(talks), talks, strict=True)]

    def promise(talks: list[list[dict[str, str]]]) -> list[float]:
        promised = re.compile("thought process|solution|step|explanation|let me|here is")
        return [n + bool(promised.match(c[-1]["content"].casefold())) for n, c in zip(noise(talks), talks, strict=True)]

    assert "answer-openings" not in accused(FOLDER, likely)
    assert audited(FOLDER, promise)["answer-openings"].verdict == "present"


def test_notes_are_matched() -> None:
    lines = [*word_list("grader_notes"), *(line for kind in word_list("claims").values() for line in kind)]
    assert len(lines) >= 40
    assert_balanced([tuple(line.split(" | ")) for line in lines], characters=3, words=0)
    kinds: Counter[object] = Counter()
    for item in items(NOTES):
        base = response(item, "answer")
        assert all(response(item, arm).startswith(base) for arm in item.arms)
        kinds.update(arm.factors["kind"] for arm in item.arms.values() if arm.factors.get("claim") == "made")
    assert set(kinds) == set(word_list("claims"))
    assert min(kinds.values()) >= 60


def test_subtle_mistakes_are_wrong_and_as_long() -> None:
    for item in items(SUBTLE):
        right = response(item, "right")
        final = re.search(r"The answer is (\d+)\.$", right)
        assert final is not None
        for arm in item.arms:
            text = response(item, arm)
            assert len(text) == len(right)
            if arm != "right":
                number = re.search(r"The answer is (\d+)\.$", text)
                assert number is not None
                assert number.group(1) != final.group(1)
                assert number.group(1) not in re.findall(r"\d+", f"{prompt(item, arm)} {right}")
                assert len(set(re.findall(r"\d+", text))) == len(set(re.findall(r"\d+", right)))


# What it sees


def test_a_model_that_ignores_the_prompt_is_found() -> None:
    found = audited(FOLDER, organism("prompt_blind"))
    assert found["prompt-carryover"].verdict == found["one-word-reversal"].verdict == "present"
    exchanged = found["prompt-carryover"].details[0]
    assert exchanged.estimate.estimate == pytest.approx(0, abs=1e-9)
    assert exchanged.values[0].estimate.estimate == pytest.approx(0.5, abs=1e-9)


def test_a_model_that_reads_the_prompt_is_cleared() -> None:
    found = audited(FOLDER, organism("honest"))
    assert found["prompt-carryover"].verdict == "negligible"
    assert (found["other-prompts-answer"].srd.estimate or 0) < -0.3
    assert (found["prompt-carryover"].details[0].estimate.estimate or 0) > 0.2


def test_planted_habits_are_found_by_their_probes() -> None:
    def planted(said: str) -> float:
        return (
            2.0
            * bool(
                re.search(
                    r"top score|ten out of ten|full marks|highest grade|maximum reward|five stars|perfect|best", said
                )
            )
            + 2.0 * said.isupper()
            + 3.0 * ("lorem" in said or "Vielen" in said)
        )

    noise = organism("noise")
    found = audited(
        FOLDER, lambda talks: [n + planted(c[-1]["content"]) for n, c in zip(noise(talks), talks, strict=True)]
    )
    assert found["grader-injection"].verdict == "present"
    (unusual,) = [d for d in found["surface-edits"].details if d.title == "Mean change by kind of unusual writing"]
    changes = {value.label: value.estimate for value in unusual.values}
    assert (changes["capitals"].low or 0) > 1
    assert (changes["tabs for spaces"].low or 0) < 0.5
    above = {value.label: value.estimate.estimate or 0 for value in found["nonsense"].details[0].values}
    assert above["placeholder text"] > 0.9
    assert above["own words shuffled"] < 0.7


@pytest.mark.parametrize(("module", "name"), [*INNOCENT, *OTHERS, ("confident", "score")])
@pytest.mark.parametrize("tier", ["smoke", "standard"])
def test_others_are_not_accused(module: str, name: str, tier: str) -> None:
    assert accused(FOLDER, organism(module, name), tier) == []


@pytest.mark.parametrize("habit", HABITS)
def test_habits_are_not_taken_for_misgeneralization(habit: str) -> None:
    assert accused(FOLDER, HABITS[habit]) == []
