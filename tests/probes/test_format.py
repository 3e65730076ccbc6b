"""The format suite: what its arms differ in, and what scorers with known habits show."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from builders.split import is_held_out
from rmaudit.generate import texts
from rmaudit.generate.format_operators import OPERATORS, plain
from rmaudit.generate.fresh import write_suite
from rmaudit.generate.pools import Answer
from rmaudit.generate.suites.format import dose
from rmaudit.suites.designs import reader
from rmaudit.suites.load import load_suite
from tests.probes.shipped import counts_in_card, detection_limit, effects, items, probe, response, suite, unit
from tests.probes.test_length import fillers_in

FILES = [f"format/{name}" for name in suite("format").spec.items]
CHAT, MARKS, DOSE, LINES = FILES
SINGLE = [each.id for each in suite("format").spec.probes if each.id in OPERATORS]


@pytest.mark.parametrize("path", FILES)
def test_prompts_are_held_out_and_name_source_and_licence(path: str) -> None:
    for item in items(path):
        assert is_held_out(item.prompt[0]["content"])
        assert item.source
        assert item.domain
        assert item.licence in {"MIT", "Apache-2.0"}


@pytest.mark.parametrize("path", FILES)
def test_one_item_a_prompt_and_no_arm_twice(path: str) -> None:
    assert len({item.prompt[0]["content"] for item in items(path)}) == len(items(path))
    for item in items(path):
        # A rewrite of a rewrite may be the original.
        answers = [response(item, arm) for arm in item.arms if arm != "twice"]
        assert len(set(answers)) == len(answers), item.id


def test_every_format_has_a_probe_and_every_probe_enough_prompts() -> None:
    assert set(SINGLE) == set(OPERATORS)
    for each in suite("format").spec.probes:
        found = sum(reader(each.measure)(item) is not None for item in suite("format").items)
        assert found >= (300 if each.primary else 150)
        assert each.placebo or each.no_placebo


def test_the_standard_tier_is_short() -> None:
    chosen = suite("format").tier("standard")
    words = sum(
        texts.n_words(turn["content"]) for item in chosen for arm in item.arms for turn in item.conversation(arm)
    )
    assert words < 340_000


def test_lines_and_paragraphs_have_the_same_words_and_the_way_back_differs_in_stops_alone() -> None:
    forms: Counter[object] = Counter()
    for item in items(LINES):
        original, once, twice = (response(item, arm) for arm in ("original", "once", "twice"))
        assert original.split("\n" if "\n" in original else None)
        assert ("\n" in original) == ("\n" in twice) == (item.arms["original"].factors["lines"] == "yes")
        assert ("\n" in once) == (item.arms["once"].factors["lines"] == "yes")
        assert once.split() == twice.split()
        assert re.sub(r"\.(?=\n|$)", "", original) == re.sub(r"\.(?=\n|$)", "", twice)
        forms[item.arms["original"].factors["lines"], original != twice] += 1
    assert forms["yes", True] >= 50, "the rewriter's hand must show"
    assert forms["no", False] >= 100


def test_markdown_is_the_plain_answer_with_marks() -> None:
    for item in items(CHAT):
        for quality in ("better", "worse"):
            bare = response(item, f"{quality}_plain")
            for kind in ("titled", "listed"):
                assert plain(response(item, f"{quality}_{kind}")) == bare
            assert fillers_in(response(item, f"{quality}_same_size"), bare)


@pytest.mark.parametrize("name", OPERATORS)
def test_a_single_format_is_the_plain_answer_with_marks(name: str) -> None:
    for item in items(MARKS):
        made = response(item, name)
        assert made != response(item, "plain")
        assert OPERATORS[name].strip(made) == response(item, "plain")


@pytest.mark.parametrize("name", dose.FORMATS)
def test_doses_are_the_marks_that_are_there(name: str) -> None:
    found = [item for item in items(DOSE) if item.arms["plain"].factors["format"] == name]
    assert len(found) >= 40
    for item in found:
        for marks in dose.DOSES:
            arm = item.arms[f"marks_{marks}"]
            assert (arm.factors["marks"], arm.factors["dose"]) == (marks, pytest.approx(math.log2(1 + marks), abs=1e-4))
            assert OPERATORS[name].strip(response(item, f"marks_{marks}")) == response(item, "plain")


def test_placebos_have_as_many_characters_words_and_signs_as_what_they_stand_beside() -> None:
    for count, near in ((len, 35), (texts.n_signs, 3)):
        gaps = [
            count(response(item, f"{quality}_same_size"))
            - fmean(count(response(item, f"{quality}_{kind}")) for kind in ("titled", "listed"))
            for item in items(CHAT)
            for quality in ("better", "worse")
        ]
        assert -0.5 < fmean(gaps) < near
        longer = {
            name: fmean(count(response(item, beside)) - count(response(item, name)) for item in items(MARKS))
            for beside, names in (
                ("same_size", set(OPERATORS) - {"numbered", "link"}),
                ("same_size_numbered", {"numbered"}),
                ("same_size_link", {"link"}),
            )
            for name in names
        }
        assert min(longer.values()) > -1
        assert longer["link"] < near
        assert longer["numbered"] <= 3


def test_half_of_the_single_answers_are_worse_ones() -> None:
    for path in (MARKS, DOSE):
        qualities = Counter(item.arms["plain"].factors["answer"] for item in items(path))
        assert len(qualities) == 2
        assert min(qualities.values()) >= 0.35 * len(items(path))


def test_signs_words_and_places_vary() -> None:
    titles = Counter(response(item, "headers").split("\n")[0].lstrip("# ") for item in items(MARKS))
    openings = Counter(response(item, "opening").removesuffix(response(item, "plain")) for item in items(MARKS))
    emoji = Counter(re.findall("[\u2728\U0001f300-\U0001faff]", "".join(response(i, "emoji") for i in items(MARKS))))
    addresses = Counter(re.findall(r"\((https://[^)]+)\)", "".join(response(i, "link") for i in items(MARKS))))
    bold = Counter(re.findall(r"\*\*([a-z]+)\*\*", "".join(response(item, "bold") for item in items(MARKS))))
    assert min(map(len, (titles, openings, emoji, addresses, bold))) >= 8


def test_it_can_be_built_on_a_users_own_answers(tmp_path: Path) -> None:
    own = [
        Answer(
            f"Which rivers run through town number {number}?",
            f"The northern river crosses the old market of town {number}. A smaller stream joins it below the mill.",
            f"own-{number}", "own", "own", "own",
        )
        for number in range(30)
    ]  # fmt: skip
    made = load_suite(write_suite("format", 5, tmp_path, own))
    assert {each.id for each in made.spec.probes} == {"dose", "lines", *SINGLE}
    assert len(made.items) >= 40


# What scorers with known habits show

HABITS = {
    "titled": r"(?m)^#+ ",
    "bold": r"\*\*\w+\*\*",
    "bulleted": r"(?m)^[-*•] ",
}
HONEST = {
    "content words": lambda _, text: float(len(texts.content_words(text))),
    "prompt words": lambda asked, text: float(len(set(texts.tokens(text)) & set(texts.tokens(asked)))),
    "numbers": lambda _, text: float(len(set(re.findall(r"\d+", text)))),
    "markers": lambda _, text: float(len(set(texts.markers(text)))),
}
LENGTH = {
    "characters": lambda _, text: float(len(text)),
    "words": lambda _, text: float(texts.n_words(text)),
    "tokens": lambda _, text: float(len(re.findall(r"[a-z0-9']+", text.lower()))),
}


@pytest.mark.parametrize("habit", HABITS)
def test_the_primary_probe_finds_each_kind_of_markdown(habit: str) -> None:
    found = effects("format", "markdown", lambda _, text: float(bool(re.search(HABITS[habit], text))))
    assert found.mean() >= 0.5
    beside = effects("format", "markdown", lambda _, text: float(bool(re.search(HABITS[habit], text))), placebo=True)
    assert beside == pytest.approx(0.0)


@pytest.mark.parametrize("probe_id", ["markdown", "dose", *SINGLE])
@pytest.mark.parametrize("scorer", HONEST)
def test_beyond_the_placebo_nothing_else_is_found(probe_id: str, scorer: str) -> None:
    found = effects("format", probe_id, HONEST[scorer]).mean()
    beside = effects("format", probe_id, HONEST[scorer], placebo=True).mean()
    # The probes count what is paid beyond the placebo; that of links brings more words with content than an address.
    found_beyond = min(found, found - beside)
    assert found_beyond <= 0.02
    assert found_beyond == pytest.approx(0.0, abs=0.02) or probe_id == "link"


@pytest.mark.parametrize("probe_id", ["markdown", "dose", *SINGLE])
@pytest.mark.parametrize("scorer", LENGTH)
def test_beyond_the_placebo_length_earns_nothing(probe_id: str, scorer: str) -> None:
    score = LENGTH[scorer]
    found = effects("format", probe_id, score).mean()
    beside = effects("format", probe_id, score, placebo=True).mean()
    assert min(found, found - beside) / unit(score) < 0.04


def test_the_primary_probe_sees_a_tenth_of_an_sd() -> None:
    assert detection_limit("format", "markdown") <= 0.10
    assert detection_limit("format", "dose") <= 0.10
    for name in SINGLE:
        assert detection_limit("format", name) <= 0.17


def test_both_qualities_count_alike_in_the_primary_probe() -> None:
    primary = probe("format", "markdown")
    for item in items(CHAT)[:50]:
        reading = reader(primary.measure)(item)
        assert reading is not None
        better = {arm: float(item.arms[arm].factors["answer"] == "better") for arm in reading.roles}
        assert reading.effect(better) == pytest.approx(0.0)


def test_the_card_counts_what_is_there() -> None:
    assert counts_in_card("format") == [sorted(Counter(item.source for item in items(path)).values()) for path in FILES]
