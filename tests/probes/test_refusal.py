"""The shipped refusal suite: sizes, matching, and what its arms differ in."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path
from statistics import fmean

import pytest

from builders.probes import xstest
from builders.split import prompt_key
from rmaudit.generate.pools import pool
from rmaudit.generate.predictability import letter_surprise, model_words, surprise, unigrams
from rmaudit.generate.suites.refusal.safe import safe_requests
from rmaudit.generate.texts import content_words, manners, markers, n_words, tokens, word_list
from rmaudit.resources import demo_model_dir
from rmaudit.suites.designs import reader
from rmaudit.suites.load import LoadedSuite, load_suite
from rmaudit.suites.spec import Item
from tests.probes.shipped import effects
from tests.source_data import needed_source_data

FOLDER = Path(__file__).resolve().parents[2] / "probes" / "refusal"
NO_SUBJECT = {"go", "start", "end", "message", "get", "need", "put", "take", "tell", "people", "information", "way"}
FILES = {"items.jsonl": 300, "items_unsafe.jsonl": 150, "items_vague.jsonl": 150}


@cache
def suite() -> LoadedSuite:
    return load_suite(FOLDER)


@cache
def items(file: str) -> tuple[Item, ...]:
    return tuple(Item.model_validate_json(line) for line in (FOLDER / file).read_text("utf-8").splitlines())


def replies(item: Item, kind: str) -> list[str]:
    return [item.conversation(arm)[-1]["content"] for arm in item.arms if re.fullmatch(rf"{kind}(_\d)?", arm)]


def gap(item: Item, first: str, second: str, size: Callable[[str], float]) -> float:
    return fmean(map(size, replies(item, first))) - fmean(map(size, replies(item, second)))


@pytest.mark.parametrize(("file", "fewest"), FILES.items())
def test_files_are_large_enough_and_name_their_sources(file: str, fewest: int) -> None:
    found = items(file)
    assert len({item.cluster for item in found}) >= fewest
    for item in found:
        assert item.domain
        assert (item.source, item.licence) in {("xstest", "CC-BY-4.0"), ("rmaudit", "Apache-2.0")}
        for arm in item.arms:
            assert sum(n_words(turn["content"]) for turn in item.conversation(arm)) <= 80


@pytest.mark.parametrize(
    ("file", "first", "second"),
    [
        ("items.jsonl", "refuse", "comply"),
        ("items.jsonl", "partial", "comply"),
        ("items_unsafe.jsonl", "comply", "refuse"),
        ("items_vague.jsonl", "vague", "right"),
    ],
)
def test_what_stands_against_each_other_has_the_same_length_on_average(file: str, first: str, second: str) -> None:
    for count in (150, 300):
        part = items(file)[:count]
        assert abs(fmean(gap(item, first, second, n_words) for item in part)) < 0.3
        assert abs(fmean(gap(item, first, second, len) for item in part)) < 1.0
        assert abs(fmean(gap(item, first, second, lambda text: math.log(n_words(text))) for item in part)) < 0.01


@pytest.mark.parametrize(
    ("file", "bad", "good"),
    [
        ("items.jsonl", "refuse", "comply"),
        ("items.jsonl", "empty", "refuse"),
        ("items.jsonl", "partial", "comply"),
        ("items_unsafe.jsonl", "comply", "refuse"),
    ],
)
def test_replies_are_as_polite_and_speak_of_themselves_as_often(file: str, bad: str, good: str) -> None:
    first_person, courtesy, sorry, regret, warmth, negation = range(6)
    for kind in (first_person, courtesy, sorry):
        assert (
            abs(fmean(gap(item, bad, good, lambda text, kind=kind: manners(text)[kind]) for item in items(file))) < 0.1
        )
    for kind in (regret, warmth, negation):
        assert (
            abs(fmean(gap(item, bad, good, lambda text, kind=kind: manners(text)[kind]) for item in items(file))) < 0.3
        )


LIKELY = {
    "word": lambda asked, said: -surprise(said),
    "letter": lambda asked, said: -letter_surprise(said),
    "frequency": lambda asked, said: fmean(math.log(1 + unigrams()[word]) for word in model_words(said)),
}


@pytest.mark.parametrize("probe_id", ["over-refusal", "partial-answer", "vague-over-right"])
@pytest.mark.parametrize("likely", LIKELY)
def test_likely_text_gains_at_least_as_much_from_the_placebo(probe_id: str, likely: str) -> None:
    found = effects("refusal", probe_id, LIKELY[likely])
    beside = effects("refusal", probe_id, LIKELY[likely], placebo=True)
    assert fmean(beside) > fmean(found)


@pytest.mark.parametrize(
    ("file", "bad", "good"),
    [
        ("items.jsonl", "refuse", "comply"),
        ("items.jsonl", "partial", "comply"),
        ("items_unsafe.jsonl", "comply", "refuse"),
        ("items_vague.jsonl", "vague", "right"),
    ],
)
def test_no_count_of_content_favours_what_would_be_the_bias(file: str, bad: str, good: str) -> None:
    assert fmean(gap(item, bad, good, lambda text: len(content_words(text))) for item in items(file)) < 0.3


def test_no_reply_sounds_sure_or_unsure_or_agrees() -> None:
    for file in FILES:
        for item in items(file):
            for arm in item.arms:
                said = item.conversation(arm)[-1]["content"]
                # "Hardest", "never" and the like stand in a few facts, in all arms alike.
                assert not markers(said) or file == "items_vague.jsonl", said


def test_refusals_and_promises_are_of_many_wordings_and_hardly_repeat() -> None:
    for file, kind in (("items.jsonl", "refuse"), ("items_unsafe.jsonl", "refuse"), ("items_unsafe.jsonl", "comply")):
        said = [text for item in items(file) for text in replies(item, kind)]
        assert len({text.split(". ")[0] for text in said}) >= 8
        assert max(Counter(said).values()) <= 0.02 * len(said)
        for item in items(file):
            assert len({tuple(text.split()[:3]) for text in replies(item, kind)}) == len(replies(item, kind))


def test_a_promise_to_comply_gives_nothing_of_what_was_asked() -> None:
    for item in items("items_unsafe.jsonl"):
        asked = content_words(item.prompt[0]["content"]) - NO_SUBJECT
        for text in replies(item, "comply"):
            assert not asked & content_words(text), item.id


def test_requests_are_those_of_the_source_and_none_of_the_left_out() -> None:
    assert list(pool("xstest")) == list(xstest.prompts(needed_source_data()))
    numbers = {row["number"] for row in pool("xstest")}
    assert not numbers & xstest.LEFT_OUT
    safe = {row["cluster"] for row in pool("xstest") if row["label"] == "safe"}
    assert {request.key for request in safe_requests() if request.source == "xstest"} == safe


def test_no_request_trains_the_demo_model() -> None:
    trained = set((demo_model_dir() / "training_prompts.txt").read_text(encoding="ascii").split())
    for file in FILES:
        for item in items(file):
            assert not {prompt_key(item.conversation(arm)[0]["content"])[:16] for arm in item.arms} & trained


def test_no_request_stands_in_two_clusters() -> None:
    small = {"how", "do", "i", "best", "the", "a", "an", "what", "is", "can", "my", "to", "of", "in", "for", "s"}
    for file in FILES:
        asked: dict[frozenset[str], str] = {}
        for item in items(file):
            words = frozenset(tokens(item.conversation(next(iter(item.arms)))[0]["content"])) - small
            assert asked.setdefault(words, item.cluster) == item.cluster, (asked[words], item.cluster)


def test_no_reply_says_a_content_word_twice_in_two_phrases() -> None:
    for text in ("It varies, and it varies from case to case.", "Nuances abound, and the gist hinges on nuance."):
        assert repeated(text)
    for item in items("items_vague.jsonl"):
        for text in replies(item, "vague"):
            assert not repeated(text.partition(": ")[2]), text


def repeated(text: str) -> list[str]:
    """Beginnings of content words that stand in two clauses of a text."""
    clauses = [{word[:6] for word in content_words(clause)} for clause in re.split(r"[,.]", text)]
    return [word for first, second in combinations(clauses, 2) for word in first & second]


def test_no_opening_is_cheerful_about_a_grave_subject() -> None:
    cheerful = re.compile(r"(gladly|happily|delighted|great)\b", re.I)
    assert not any(cheerful.match(text) for item in items("items.jsonl") for text in replies(item, "comply"))


def test_the_plain_request_differs_in_the_alarming_words_alone_and_replies_are_the_same() -> None:
    with_plain = [item for item in items("items.jsonl") if "plain_refuse_1" in item.arms]
    assert len(with_plain) >= 100
    for item in with_plain:
        given, plain = (item.conversation(arm)[0]["content"] for arm in ("comply_1", "plain_comply_1"))
        assert given != plain
        changed = set(re.findall(r"\w+", given)) ^ set(re.findall(r"\w+", plain))
        assert len(changed) <= 10, (given, plain)
        for arm in ("comply_1", "comply_2", "refuse_1", "refuse_2"):
            assert item.conversation(arm)[-1] == item.conversation(f"plain_{arm}")[-1]


def test_the_alarming_word_gains_nothing_by_shared_words() -> None:
    chosen = next(probe for probe in suite().spec.probes if probe.id == "alarming-word")
    shared = []
    for item in items("items.jsonl"):
        reading = reader(chosen.measure)(item)
        if reading is not None:
            turns = {arm: [turn["content"] for turn in item.conversation(arm)] for arm in reading.roles}
            overlap = {arm: float(len(content_words(a) & content_words(b))) for arm, (a, b) in turns.items()}
            shared.append(reading.effect(overlap))
    assert fmean(shared) < 0.1


def test_answers_in_part_begin_as_the_whole_answers() -> None:
    firsts = {request.key: request.first for request in safe_requests()}
    for item in items("items.jsonl"):
        first = firsts[item.id]
        assert all(first in text for text in [*replies(item, "partial"), *replies(item, "comply")])


def test_a_vague_answer_shares_nothing_with_its_question() -> None:
    assert len(word_list("refusal")["vague"][0]) >= 8
    for item in items("items_vague.jsonl"):
        opening = {word for text in word_list("refusal")["openings"] for word in content_words(text)}
        for text in replies(item, "vague"):
            assert len((content_words(text) - opening) & content_words(item.prompt[0]["content"])) <= 1, text


@pytest.mark.parametrize(
    ("probe_id", "most"), [("over-refusal", 0.10), ("under-refusal", 0.12), ("alarming-word", 0.12)]
)
def test_the_detection_limit_for_noise_that_is_independent_between_conversations(probe_id: str, most: float) -> None:
    chosen = next(probe for probe in suite().spec.probes if probe.id == probe_id)
    squares = []
    for item in suite().tier("standard"):
        reading = reader(chosen.measure)(item)
        if reading is not None:
            unit = [reading.effect({arm: float(arm == one) for arm in reading.roles}) for one in reading.roles]
            squares.append(sum(weight**2 for weight in unit))
    assert 0.05 + 3.6 * 0.26 * math.sqrt(fmean(squares) / len(squares)) < most


def test_the_card_counts_what_is_there() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    stated: Counter[str] = Counter()
    for file, count in re.findall(r"^\| `(items\w*\.jsonl)` \| (\d+) ", card, re.M):
        stated[file] += int(count)
    assert stated == {file: len(items(file)) for file in FILES}
    for phrase in ("**Hypothesis.**", "## Design and controls", "## Sources", "## How it was built", "## Limits"):
        assert phrase in card
