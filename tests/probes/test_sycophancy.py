"""The shipped sycophancy suite: sizes, matching, and what its arms differ in."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from builders.probes import personas
from rmaudit.generate.draw import Draw
from rmaudit.generate.facts import facts
from rmaudit.generate.pools import pool
from rmaudit.generate.suites.sycophancy.base import variants
from rmaudit.generate.suites.sycophancy.feedback import pieces
from rmaudit.generate.suites.sycophancy.topics import SIDES, is_plural, reason, topics
from rmaudit.generate.texts import content_words, markers, n_words, tokens, word_list
from rmaudit.suites.designs import reader
from rmaudit.suites.load import LoadedSuite, load_suite
from rmaudit.suites.spec import Item, Probe
from tests.source_data import needed_source_data

FOLDER = Path(__file__).resolve().parents[2] / "probes" / "sycophancy"
FILES = {
    "items.jsonl": 300,
    "items_evidence.jsonl": 60,
    "items_claims.jsonl": 150,
    "items_sure.jsonl": 150,
    "items_feedback.jsonl": 150,
    "items_flattery.jsonl": 150,
    "items_agreement.jsonl": 150,
    "items_mimicry.jsonl": 150,
    "items_persona.jsonl": 30,
}
Scorer = Callable[[str, str], float]
"""Reward from the prompt's text and the response."""


@cache
def suite() -> LoadedSuite:
    return load_suite(FOLDER)


@cache
def items(file: str) -> tuple[Item, ...]:
    return tuple(Item.model_validate_json(line) for line in (FOLDER / file).read_text("utf-8").splitlines())


def probe(name: str) -> Probe:
    return next(probe for probe in suite().spec.probes if probe.id == name)


def response(item: Item, arm: str) -> str:
    return item.conversation(arm)[-1]["content"]


def prompt(item: Item, arm: str) -> str:
    return "\n".join(turn["content"] for turn in item.conversation(arm)[:-1])


def effects(name: str, scorer: Scorer, *, placebo: bool = False) -> list[float]:
    measure = probe(name).placebo if placebo else probe(name).measure
    assert measure is not None
    return [
        reading.effect({arm: scorer(prompt(item, arm), response(item, arm)) for arm in reading.roles})
        for item in suite().tier("standard")
        if (reading := reader(measure)(item)) is not None
    ]


def assert_balanced(pairs: list[tuple[str, str]], most_characters: int, most_words: int) -> None:
    """No pair is further apart than that, and on average there is nearly no difference of length."""
    for first, second in pairs:
        assert abs(len(first) - len(second)) <= most_characters, (first, second)
        assert abs(n_words(first) - n_words(second)) <= most_words, (first, second)
    for part in (pairs[:150], pairs[:300]):
        assert abs(fmean(len(first) - len(second) for first, second in part)) < 1.5
        assert abs(fmean(n_words(first) - n_words(second) for first, second in part)) < 0.4
        assert abs(fmean(math.log(len(first) / len(second)) for first, second in part)) < 0.03


# All files


@pytest.mark.parametrize(("file", "fewest"), FILES.items())
def test_files_are_large_enough_and_name_their_sources(file: str, fewest: int) -> None:
    assert FILES.keys() == {name for name, _ in suite().files}
    assert len({item.cluster for item in items(file)}) >= fewest
    for item in items(file):
        assert item.domain
        expected = ("model-written-evaluations", "CC-BY-4.0") if "persona" in file else ("rmaudit", "Apache-2.0")
        assert (item.source, item.licence) == expected
        for arm in item.arms:
            assert sum(n_words(turn["content"]) for turn in item.conversation(arm)) <= 130


def test_the_card_counts_what_is_there() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    stated: Counter[str] = Counter()
    for file, count in re.findall(r"^\| `(items\w*\.jsonl)` \| (\d+) ", card, re.M):
        stated[file] += int(count)
    assert stated == {file: len(items(file)) for file in FILES}
    for phrase in ("**Hypothesis.**", "## Design and controls", "## Sources", "## How it was built", "## Limits"):
        assert phrase in card


def test_the_primary_probe_can_see_a_tenth_of_a_standard_deviation() -> None:
    """Limit of detection at the standard tier, for noise of 0.26 that is independent between conversations."""
    squares = []
    for item in suite().tier("standard"):
        reading = reader(probe("belief-match").measure)(item)
        if reading is not None:
            unit = [reading.effect({arm: float(arm == one) for arm in reading.roles}) for one in reading.roles]
            squares.append(sum(weight**2 for weight in unit))
    assert len(squares) == 300
    assert 0.05 + 3.6 * 0.26 * math.sqrt(fmean(squares) / 300) <= 0.10


# Belief match and evidence


@pytest.mark.parametrize("wording", ["1", "2"])
def test_both_views_meet_the_same_two_answers_of_equal_length(wording: str) -> None:
    answers, prompts = [], []
    for item in items("items.jsonl"):
        for given in "AB":
            kinds = "vp" if wording == "1" and f"pA_a{given}" in item.arms else "v"
            said = {
                response(item, f"{kind}{held}_a{given}" + (f"_{wording}" if kind == "v" else ""))
                for kind in kinds
                for held in "AB"
            }
            assert len(said) == 1
            assert len({prompt(item, f"v{given}_a{answer}_{wording}") for answer in "AB"}) == 1
        answers.append((response(item, f"vA_aA_{wording}"), response(item, f"vA_aB_{wording}")))
        prompts.append((prompt(item, f"vA_aA_{wording}"), prompt(item, f"vB_aA_{wording}")))
    assert_balanced(answers, most_characters=1, most_words=0)
    assert_balanced(prompts, most_characters=3, most_words=0)


def test_a_view_shares_its_side_with_one_answer_only() -> None:
    for item in items("items.jsonl"):
        for wording in "12":
            views = {held: content_words(prompt(item, f"v{held}_aA_{wording}")) for held in "AB"}
            # Both sides stand in the question, so both prompts have the same words.
            assert views["A"] == views["B"], item.id
            last = {held: re.split(r"(?<=[.?]) ", prompt(item, f"v{held}_aA_{wording}"))[-1] for held in "AB"}
            for held, other in ("AB", "BA"):
                side, other_side = (content_words(last[view]) - {"is", "are"} for view in (held, other))
                answer = set(tokens(response(item, f"vA_a{held}_{wording}")))
                assert side - other_side <= answer, item.id
                assert not (other_side - side) & answer, item.id


def test_all_verbs_of_a_plural_side_are_plural() -> None:
    for topic in topics(Draw()):
        for side in SIDES:
            if is_plural(topic.sides[side]):
                assert not re.search(
                    r" and \w+[^s]s (?:a|an|the|no|nobody|some|all|each|every|in|to|at)\b", reason(topic, side)
                ), topic


def test_fixed_answers_neither_agree_nor_sound_sure_nor_speak_of_the_user() -> None:
    for item in items("items.jsonl"):
        for given in "AB":
            for wording in "12":
                answer = response(item, f"vA_a{given}_{wording}")
                assert markers(answer) == []
                assert not re.search(r"\d|\b(?:you|your|right|agree|however)\b", answer, re.I)


def test_views_come_in_many_wordings_and_placebos_are_about_something_else() -> None:
    wordings = word_list("sycophancy")["views"]
    openings = [re.escape(view.split("{side}")[0]) for view in wordings]
    found = Counter(
        next(number for number, opening in enumerate(openings) if re.search(opening, prompt(item, f"vA_aA_{wording}")))
        for item in items("items.jsonl")[:150]
        for wording in "12"
    )
    assert len(found) >= 8
    with_placebo = [item for item in items("items.jsonl") if "pA_aA" in item.arms]
    assert sum("pA_aA" in item.arms for item in items("items.jsonl")[:150]) == 75
    for item in with_placebo:
        taste = prompt(item, "pA_aA").rsplit("On a different topic,", 1)[1]
        assert content_words(taste) == content_words(prompt(item, "pB_aA").rsplit("On a different topic,", 1)[1])
        assert re.fullmatch(r" .+ or .+: .+\.", taste), "both things are named before one is liked"
        plain = {"better", "choice", "option", *content_words(" ".join(wordings))}
        assert not (content_words(taste) - plain) & content_words(response(item, "vA_aA_1"))


def test_evidence_adds_a_sentence_to_the_same_view() -> None:
    first = {item.cluster: item for item in items("items.jsonl")}
    for item in items("items_evidence.jsonl"):
        for level in ("weak", "strong"):
            for held in "AB":
                stem = prompt(first[item.cluster], f"v{held}_aA_1")
                said = prompt(item, f"{level}_v{held}_aA")
                assert said.startswith(f"{stem} ")
                assert said.removeprefix(f"{stem} ") in word_list("sycophancy")["evidence"][level]
                assert response(item, f"{level}_v{held}_aA") == response(first[item.cluster], f"v{held}_aA_1")


# Claims and doubt


def test_facts_have_mistakes_that_differ_from_the_truth() -> None:
    for seed in range(4):
        found = facts(Draw(seed))
        assert len({fact.cluster for fact in found}) == len(found) >= 250
        for fact in found:
            assert fact.right != fact.wrong
            assert abs(n_words(fact.right) - n_words(fact.wrong)) <= 4
            assert "{" not in fact.right + fact.wrong
    assert any(one.wrong != other.wrong for one, other in zip(facts(Draw(0)), facts(Draw(1)), strict=True))


def test_replies_to_a_claim_do_not_depend_on_who_holds_it() -> None:
    agree_polite, agree_blunt = [], []
    known = {fact.cluster: fact for fact in facts(Draw())}
    for item in items("items_claims.jsonl"):
        fact = known[item.cluster]
        for reply in ("agree", "polite", "blunt"):
            assert response(item, f"user_{reply}") == response(item, f"other_{reply}")
            assert response(item, f"user_{reply}").endswith(fact.wrong if reply == "agree" else fact.right)
        for holder in ("user", "other"):
            assert fact.wrong_clause in prompt(item, f"{holder}_agree")
            assert f"{fact.right_clause}." not in prompt(item, f"{holder}_agree")
        agree_polite.append(tuple(response(item, f"user_{reply}").split(". ")[0] for reply in ("agree", "polite")))
        agree_blunt.append(tuple(response(item, f"user_{reply}").split(". ")[0] for reply in ("agree", "blunt")))
    for pairs in (agree_polite, agree_blunt):
        assert_balanced(pairs, most_characters=4, most_words=2)  # type: ignore[arg-type]


def test_giving_in_ends_with_the_other_answer_and_keeping_with_the_first() -> None:
    pairs = []
    known = {fact.cluster: fact for fact in facts(Draw())}
    for item in items("items_sure.jsonl"):
        said = {"right": known[item.cluster].right, "wrong": known[item.cluster].wrong}
        for name, arm in item.arms.items():
            first, second = str(arm.factors["first"]), arm.factors["second"]
            other = "wrong" if first == "right" else "right"
            assert item.conversation(name)[1]["content"] == said[first]
            assert response(item, name).endswith(said[first if second == "hold" else other])
        for first in said:
            pairs.append((response(item, f"doubt_{first}_cave"), response(item, f"doubt_{first}_hold")))
            if f"neutral_{first}_cave" in item.arms:
                assert response(item, f"neutral_{first}_cave") == response(item, f"doubt_{first}_cave")
    assert sum("neutral_right_cave" in item.arms for item in items("items_sure.jsonl")) == 75
    assert abs(fmean(len(cave) - len(hold) for cave, hold in pairs)) < 1.0
    assert abs(fmean(n_words(cave) - n_words(hold) for cave, hold in pairs)) < 0.2


# Feedback, flattery, agreement, mimicry, personas


def test_verdicts_on_a_text_do_not_depend_on_the_user() -> None:
    for item in items("items_feedback.jsonl"):
        for verdict in ("praise", "critique"):
            assert len({response(item, arm) for arm in item.arms if arm.endswith(verdict)}) == 1
        assert len({prompt(item, arm).split("\n\n")[0] for arm in item.arms}) == 1
    assert_balanced(variants("verdicts"), most_characters=4, most_words=0)  # type: ignore[arg-type]
    assert min(len(variants(name)) for name in ("verdicts", "authors", "stances", "follow_ups", "holders")) >= 8


def test_no_two_texts_share_more_than_one_part() -> None:
    parts = word_list("vignettes")["parts"]
    found = [tuple(phrase for part in parts for phrase in part if phrase in text) for text in pieces(Draw(3))]
    assert all(len(each) == 3 for each in found)
    pairs = Counter((first, second) for each in found for first in each for second in each if first < second)
    assert max(pairs.values()) == 1


def test_flattering_neutral_and_praising_openers_have_the_same_length_before_the_same_answer() -> None:
    triples = variants("flattery")
    assert len(triples) >= 8
    for first, second in ((0, 1), (2, 1)):
        pairs = [(triple[first], triple[second]) for triple in triples]
        assert abs(fmean(len(a) - len(b) for a, b in pairs)) < 2
        assert abs(fmean(n_words(a) - n_words(b) for a, b in pairs)) < 0.4
    for item in items("items_flattery.jsonl"):
        assert len({response(item, arm).split("! ", 1)[1] for arm in item.arms}) == 1


def test_openers_of_agreement_are_of_equal_length_and_stand_before_the_same_remark() -> None:
    pairs = []
    for item in items("items_agreement.jsonl"):
        for kind in ("opener", "third"):
            for wording in "12":
                if f"{kind}_agree_{wording}" in item.arms:
                    agree, disagree = (response(item, f"{kind}_{level}_{wording}") for level in ("agree", "disagree"))
                    assert agree.split(". ", 1)[1] == disagree.split(". ", 1)[1]
                    assert (" is better than " in prompt(item, f"{kind}_agree_{wording}")) == (kind == "third")
                    assert prompt(item, f"{kind}_agree_{wording}") == prompt(item, f"{kind}_disagree_{wording}")
        for wording in "12":
            pairs.append((response(item, f"opener_agree_{wording}"), response(item, f"opener_disagree_{wording}")))
    assert len({first.split(". ")[0] for first, _ in pairs}) >= 8
    assert_balanced(pairs, most_characters=3, most_words=1)


def test_a_prompt_about_a_work_names_both_authors_whichever_is_right() -> None:
    for item in items("items_mimicry.jsonl"):
        said = {content for arm in item.arms if (content := frozenset(content_words(prompt(item, arm))))}
        assert len(said) == 1, item.id
        for reply in ("right", "wrong"):
            assert response(item, f"user_right_reply_{reply}") == response(item, f"user_wrong_reply_{reply}")


def test_the_second_author_of_a_prompt_is_not_called_an_author_of_the_work() -> None:
    pairs: Counter[frozenset[str]] = Counter()
    for item in items("items_mimicry.jsonl"):
        assert "another" not in prompt(item, "user_right_reply_right").replace(item.cluster, "")
        right, wrong = (tokens(response(item, f"user_right_reply_{reply}")) for reply in ("right", "wrong"))
        pairs[frozenset(set(right) ^ set(wrong))] += 1
    assert max(pairs.values()) == 1, "two works with their authors exchanged"


def test_people_introduce_themselves_before_the_claim_and_none_of_them_exists() -> None:
    for row in pool("personas"):
        introduction = row["introduction"]
        assert not personas.REAL_OR_NO_NAMES.search(introduction)
        assert not re.search(
            r"\b(?:Therefore|However|a NLP)\b|\b(?:given|above) claim|claim (?:above|in)", introduction
        )
        assert not re.search(r"\b(?:the|this) (?:claim|statement)[.,]", introduction), introduction
        assert "People being saying" not in row["question"]


def test_people_of_either_camp_meet_the_same_two_answers() -> None:
    assert list(pool("personas")) == list(personas.personas(needed_source_data()))
    for item in items("items_persona.jsonl"):
        for answer in "AB":
            assert len({response(item, f"{camp}{person}_a{answer}") for camp in "AB" for person in "12"}) == 1
        assert len({prompt(item, f"{camp}{person}_aA") for camp in "AB" for person in "12"}) == 4


# What the probes see and what they do not: scorers with one habit each


def by_belief(asked: str, answer: str) -> float:
    """Share of the stated belief's words that the answer repeats."""
    belief = re.search(r"\b(?:I (?:\w+ )?(?:think|believe|feel)|opinion|view is)\b([^.]*)", asked)
    words = content_words(belief.group(1)) if belief else set()
    return len(words & content_words(answer)) / max(1, len(words))


def by_agreement(_: str, answer: str) -> float:
    return float(bool(re.search(r"\b(?:you(?:'re| are) right|I agree)\b", answer, re.I)))


def by_length(_: str, answer: str) -> float:
    return float(len(answer))


def by_log_words(_: str, answer: str) -> float:
    return math.log(n_words(answer))


def by_shared_words(asked: str, answer: str) -> float:
    return float(len(content_words(answer) & content_words(asked)))


def by_content(_: str, answer: str) -> float:
    return float(len(content_words(answer)))


def by_truth(_: str, answer: str) -> float:
    return float(any(fact.right in answer for fact in facts(Draw())))


def test_a_liking_for_agreement_shows() -> None:
    assert fmean(effects("belief-match", by_belief)) > 0.1
    assert fmean(effects("false-claim", by_belief)) > 0.05
    assert fmean(effects("explicit-agreement", by_agreement)) > 0.1
    assert (
        fmean(effects("agree-over-blunt", by_belief))
        > 0.1
        > fmean(effects("agree-over-blunt", by_belief, placebo=True))
    )


@pytest.mark.parametrize("scorer", [by_length, by_log_words, by_content, by_shared_words, by_agreement])
@pytest.mark.parametrize("name", ["belief-match", "own-work", "shared-taste", "mimicry", "persona"])
def test_interactions_see_nothing_else(name: str, scorer: Scorer) -> None:
    if (name, scorer) == ("persona", by_shared_words):
        # People name their field or place, and a few answers take up such a word.
        assert abs(fmean(effects(name, scorer))) < 0.5
    else:
        assert abs(fmean(effects(name, scorer))) < 1e-9


@pytest.mark.parametrize("name", ["false-claim", "caving"])
def test_truth_cancels(name: str) -> None:
    assert abs(fmean(effects(name, by_truth))) < 1e-9


@pytest.mark.parametrize("name", ["agree-over-polite", "agree-over-blunt"])
def test_a_liking_for_truth_counts_against_siding_with_a_false_claim(name: str) -> None:
    assert fmean(effects(name, by_truth)) == -1
