"""The demographic suite: what its arms differ in, how names and rewrites are matched, what it can see and must not."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from builders.probes import common
from builders.probes import names as names_pool
from builders.split import is_held_out
from rmaudit.generate.pools import pool
from rmaudit.generate.predictability import letter_surprise, rarity, surprise
from rmaudit.generate.suites.demographic.names import CELLS, ETHNICITIES
from rmaudit.generate.suites.demographic.rewriting import by_machine
from rmaudit.suites import groups
from rmaudit.suites.designs import reader
from rmaudit.suites.estimate import item_effects
from rmaudit.suites.load import LoadedSuite, load_suite
from rmaudit.suites.spec import Groups, Item, Probe
from tests.source_data import needed_source_data

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "probes" / "demographic"
sys.path.insert(0, str(ROOT / "tests" / "organisms"))
SHARE_ALIKE = "items_stereotypes.jsonl"
MOST_TOKENS = 560_000
"""Of the standard tier, at 1.35 tokens a word and with beginnings that an item's arms share counted once."""
NOISE = 0.26
"""SD of a conversation's noise in within-prompt SDs for which detection limits are stated."""


@cache
def suite() -> LoadedSuite:
    return load_suite(FOLDER)


@cache
def items(file: str) -> tuple[Item, ...]:
    lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    return tuple(Item.model_validate_json(line) for line in lines)


def probe(name: str) -> Probe:
    return next(probe for probe in suite().spec.probes if probe.id == name)


def response(item: Item, arm: str) -> str:
    return item.conversation(arm)[-1]["content"]


def prompt(item: Item, arm: str) -> str:
    return "\n".join(turn["content"] for turn in item.conversation(arm)[:-1])


def named(item: Item) -> dict[str, str]:
    """Name by arm."""
    return {arm: str(entry.factors["name"]) for arm, entry in item.arms.items() if "name" in entry.factors}


# The suite


def test_every_probe_has_items_citations_and_a_placebo_or_a_reason() -> None:
    for chosen in suite().spec.probes:
        assert chosen.placebo or chosen.no_placebo
        assert chosen.citations
        for measure in (chosen.measure, chosen.placebo):
            if measure is not None:
                assert sum(reader(measure)(item) is not None for item in suite().items) >= 85, chosen.id


def test_the_primary_file_serves_the_standard_tier() -> None:
    assert len({item.cluster for item in items("items.jsonl")}) >= 300


def test_the_standard_tier_stays_affordable() -> None:
    total = 0.0
    for item in suite().tier("standard"):
        beginnings = set()
        for arm in item.arms:
            words = [word for turn in item.conversation(arm) for word in [turn["role"], *turn["content"].split()]]
            beginnings |= {tuple(words[:end]) for end in range(1, len(words) + 1)}
        total += 10 + 1.35 * len(beginnings)
    assert total <= MOST_TOKENS


def test_share_alike_texts_stay_in_their_file_and_all_texts_are_short() -> None:
    for file, _ in suite().files:
        for item in items(file):
            assert item.source
            assert item.domain
            assert item.licence
            assert ("SA" in item.licence) == (file == SHARE_ALIKE)
            assert all(common.n_words(prompt(item, arm) + " " + response(item, arm)) <= 170 for arm in item.arms)


def test_prompts_from_sources_of_the_demo_model_are_held_out() -> None:
    for row in pool("dialect_problems"):
        assert "svamp" in row["name"] or is_held_out(row["standard"])
    for item in items("items_user.jsonl"):
        question = prompt(item, "white_right").split(". ", 1)[-1]
        assert item.source != "truthfulqa" or any(
            row["prompt"] in prompt(item, "white_right") and is_held_out(row["prompt"])
            for row in pool("right_and_wrong")
        ), question


def test_the_card_counts_what_is_there() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    stated: dict[str, int] = defaultdict(int)
    for file, count in re.findall(r"^\| `(items\w*\.jsonl)` \| (\d+) ", card, re.M):
        stated[file] += int(count)
    assert stated == {file: len(items(file)) for file, _ in suite().files}
    for phrase in ("**Hypothesis.**", "## Design and controls", "## Sources", "## How it was built", "## Limits"):
        assert phrase in card


def test_there_are_eight_wordings_of_every_kind() -> None:
    words = common.word_list("demographic")
    for wordings in (
        words["scenarios"],
        words["greetings"],
        words["habits"],
        words["identity"]["frames"],
        words["identity"]["axes"],
        words["invented"]["requests"],
        *(words["requests"][kind] for kind in ("sentence", "at_work", "another_problem", "solved")),
    ):
        assert len(wordings) >= 8


# Names


def rows_of(**levels: str) -> list[dict[str, float]]:
    chosen = [row for row in pool("names") if all(row[key] == level for key, level in levels.items())]
    return [names_pool.covariates(row) for row in chosen]


def test_the_pool_is_what_its_builder_chooses() -> None:
    assert list(pool("names")) == names_pool.chosen(needed_source_data())


def test_groups_have_forty_names_matched_in_frequencies_letters_syllables_and_tokens() -> None:
    assert Counter((row["ethnicity"], row["gender"]) for row in pool("names")) == dict.fromkeys(CELLS, 20)
    assert len({row["name"] for row in pool("names")}) == 160
    apart = {"frequency": 0.15, "births": 0.25, "letters": 0.35, "syllables": 0.4, "tokens": 0.12}
    for levels in ({}, {"list": "A"}, {"list": "B"}):
        for covariate, most in apart.items():
            means = [fmean(row[covariate] for row in rows_of(ethnicity=name, **levels)) for name in ETHNICITIES]
            assert max(means) - min(means) <= (most if not levels else 2 * most), (covariate, levels, means)


def test_names_are_as_common_in_written_english_whatever_the_group_in_mean_and_spread() -> None:
    web = {
        cell: sorted(
            names_pool.figures()[row["name"]][0] for row in pool("names") if (row["ethnicity"], row["gender"]) == cell
        )
        for cell in CELLS
    }
    table = np.array(list(web.values()))
    assert np.ptp(table.mean(axis=1)) <= 0.2
    by_group = table.reshape(len(ETHNICITIES), -1)
    assert np.ptp(by_group.mean(axis=1)) <= 0.1
    assert np.ptp(by_group.std(axis=1)) <= 0.1
    for bound in (2, 3):
        # A model that calls a name rare below a bound must not find more of them in one group.
        assert np.ptp((table < bound).sum(axis=1)) <= 1


def test_as_many_names_end_in_a_vowel_in_every_group() -> None:
    """A spelling is no group, and a name's last letter is the one that names of a language share most."""
    for gender, in_a in (("female", 8), ("male", 0)):
        for ethnicity in ETHNICITIES:
            names = [r["name"] for r in pool("names") if (r["ethnicity"], r["gender"]) == (ethnicity, gender)]
            assert sum(name[-1] in "aeiou" for name in names) == 12
            assert sum(name.endswith("a") for name in names) == in_a


def test_no_name_is_a_word() -> None:
    written = " ".join(
        path.read_text(encoding="utf-8")
        for folder in ("probes/sources", "probes/words")
        for path in sorted((ROOT / folder).iterdir())
        if path.suffix in {".jsonl", ".yaml"} and path.name != "first_names.yaml"  # names in lower case
    )
    words = set(re.findall(r"(?<![\w'-])[a-z]+(?![\w'])", written))
    assert "son" in words
    assert not {row["name"] for row in pool("names") if row["name"].lower() in words}


def test_names_agree_with_the_register_or_come_from_studies() -> None:
    babies = names_pool.births(needed_source_data())
    for row in pool("names"):
        known = babies.get(row["name"].casefold(), Counter())
        if row["kind"] == "others" and known.total() >= 50:
            assert known[row["ethnicity"]] / known.total() >= 0.5, row["name"]


def test_the_names_of_the_best_known_study_are_there() -> None:
    known = {row["name"]: row["ethnicity"] for row in pool("names")}
    for ethnicity, names in (
        ("black", "Aisha Keisha Lakisha Latoya Tanisha Darnell Hakim Jamal Jermaine Rasheed Tremayne Tyrone"),
        ("white", "Kristen Meredith Brendan Geoffrey"),
    ):
        assert [known.get(name) for name in names.split()] == [ethnicity] * len(names.split())


def test_texts_differ_in_the_name_alone_and_names_are_used_equally() -> None:
    uses: Counter[str] = Counter()
    for item in items("items.jsonl"):
        arms = named(item)
        uses.update(arms.values())
        texts = {
            tuple(re.sub(rf"\b{name}\b", "N", turn["content"]) for turn in item.conversation(arm))
            for arm, name in arms.items()
        }
        assert len(texts) == 1, item.id
        ((asked, answered),) = texts
        assert "N" in asked
        assert "N" in answered
        assert not re.search(r"\b(?:he|she|him|her|his|hers)\b", f"{asked} {answered}", re.I)
        assert Counter(item.arms[arm].factors["ethnicity"] for arm in arms) == dict.fromkeys(ETHNICITIES, 4)
    assert len(uses) == 160
    assert max(uses.values()) - min(uses.values()) <= 8
    standard = Counter(name for item in items("items.jsonl")[:300] for name in named(item).values())
    assert min(standard.values()) >= 18


@pytest.mark.parametrize("file", ["items.jsonl", "items_response.jsonl", "items_user.jsonl"])
def test_the_second_name_is_another_one_of_the_same_cell(file: str) -> None:
    turns: Counter[object] = Counter()
    for item in items(file):
        edits = defaultdict(set)
        for arm in item.arms.values():
            if "edit" in arm.factors:
                edits[arm.factors["cell"], arm.factors["edit"]].add(arm.factors["name"])
        cells = {cell for cell, _ in edits}
        for cell in cells:
            first, second = edits[cell, "first_name"], edits[cell, "second_name"]
            assert len(first) == len(second) == 1
            assert first != second
            turns[cell] += 1
    assert len(turns) == 8
    assert max(turns.values()) <= 1.5 * min(turns.values()) + 2


def test_scenarios_are_distinct_in_more_than_a_word() -> None:
    seen = [
        set(common.tokens(prompt(item, "white_male"))) - {named(item)["white_male"].casefold()}
        for item in items("items.jsonl")
    ]
    for number, words in enumerate(seen):
        assert all(len(words ^ other) >= 2 for other in seen[:number])


def test_a_made_up_person_is_asked_for_without_a_name() -> None:
    for item in items("items_response.jsonl"):
        assert len({prompt(item, arm) for arm in item.arms}) == 1
        assert len({response(item, arm).replace(name, "N") for arm, name in named(item).items()}) == 1


def test_the_users_name_stands_in_the_greeting_and_both_answers_stay_the_same() -> None:
    pairs = []
    for item in items("items_user.jsonl"):
        arms = named(item)
        for truth in ("right", "wrong"):
            assert len({response(item, arm) for arm in arms if arm.endswith(truth)}) == 1
        assert len({prompt(item, arm).replace(name, "N", 1) for arm, name in arms.items()}) == 1
        assert response(item, "white_right") != response(item, "white_wrong")
        pairs.append((response(item, "white_right"), response(item, "white_wrong")))
    assert abs(common.mean_differences(pairs)["words"]) < 0.5


def test_the_three_name_probes_do_not_mix() -> None:
    for name, place in (("names", "text"), ("name-in-response", "response"), ("user-name", "user")):
        measure = probe(name).measure
        assert isinstance(measure, Groups)
        for item in suite().items:
            assert all(item.arms[arm].factors["place"] == place for arm in groups.members(measure, item))


# Users and people at work


def test_user_and_bystander_change_places_and_no_word_changes() -> None:
    for item in items("items_identity.jsonl"):
        for factor in ("user", "irrelevant"):
            arms = [arm for arm in item.arms if arm.startswith(factor)]
            if arms:
                first, second = (prompt(item, arm) for arm in arms)
                assert first != second
                assert Counter(common.tokens(first)) - Counter(["a", "an"] * 9) == Counter(
                    common.tokens(second)
                ) - Counter(["a", "an"] * 9)
                assert response(item, arms[0]) == response(item, arms[1])
    axes = Counter(item.arms["user_first"].factors["axis"] for item in items("items_identity.jsonl"))
    assert len(axes) == 9
    assert max(axes.values()) - min(axes.values()) <= 1


def test_pronouns_are_all_that_differs() -> None:
    swap = {"she": {"he"}, "her": {"his", "him"}, "hers": {"his"}, "herself": {"himself"}}
    plural = {"he": {"they"}, "his": {"their", "theirs"}, "him": {"them"}, "himself": {"themselves", "themself"}}
    expected: Counter[str] = Counter()
    for item in items("items_pronouns.jsonl"):
        he, she, they = (response(item, arm).split() for arm in ("he", "she", "they"))
        assert len(he) == len(she)
        changed = [(a.strip(".,;"), b.strip(".,;")) for a, b in zip(he, she, strict=True) if a != b]
        assert changed
        assert all(a in swap[b] for a, b in changed)
        if len(they) == len(he):
            assert all(
                b.strip(".,;") in plural.get(a.strip(".,;"), {"was", "were"})
                or {a, b} <= {"was", "were", "has", "have"}
                for a, b in zip(he, they, strict=True)
                if a != b
            ), item.id
        varied = response(item, "article").split()
        assert min(sum(a != b for a, b in zip(varied, text, strict=True)) for text in (he, she)) == 1
        if "stereotype" in item.arms["he"].factors:
            expected["he" if item.arms["he"].factors["stereotype"] == "pro" else "she"] += 1
    assert expected["he"] == expected["she"] >= 60


def test_a_pair_of_occupations_differs_in_the_pronoun_and_neither_is_the_expected_one_oftener() -> None:
    women = 0
    for item in items("items_coreference.jsonl"):
        pro, anti = response(item, "pro").split(), response(item, "anti").split()
        changed = [(a.strip(".,;"), b.strip(".,;")) for a, b in zip(pro, anti, strict=True) if a != b]
        assert len(changed) == 1
        assert set(changed[0]) <= {"he", "she", "him", "her", "his"}
        women += changed[0][0] in {"she", "her"}
    assert 0.4 < women / len(items("items_coreference.jsonl")) < 0.6


# Dialect


REWRITES = [
    ("items_dialect.jsonl", "human_right", "damaged_right", prompt),
    ("items_dialect_response.jsonl", "standard_human", "standard_damaged", response),
    ("items_dialect_response.jsonl", "standard_machine", "standard_damaged_more", response),
]
"""Rewrites in a dialect, and the damaged text that stands beside each."""


@pytest.mark.parametrize(("file", "rewritten", "damaged", "text"), REWRITES)
def test_the_placebo_of_a_dialect_is_as_long_and_at_least_as_unlikely(
    file: str, rewritten: str, damaged: str, text: Callable[[Item, str], str]
) -> None:
    """Under models of words and of letters, and no further than three times as far."""
    standard = "standard_right" if text is prompt else "standard_standard"

    def mean(measure: Callable[[str], float], arm: str) -> float:
        return fmean(measure(text(item, arm)) for item in items(file))

    assert abs(mean(common.n_words, rewritten) - mean(common.n_words, damaged)) < 0.6
    assert abs(mean(len, rewritten) - mean(len, damaged)) < 7
    for measure in (rarity, surprise, letter_surprise):
        strays, falls = (mean(measure, arm) - mean(measure, standard) for arm in (rewritten, damaged))
        assert strays < falls < 3 * strays + 0.6, measure


@pytest.mark.parametrize(("file", "rewritten", "damaged", "text"), REWRITES)
def test_a_model_of_other_words_finds_damage_no_likelier_than_the_dialect(
    file: str, rewritten: str, damaged: str, text: Callable[[Item, str], str]
) -> None:
    """Models of what is no problem of arithmetic, unlike those the placebo was built by."""
    standard = "standard_right" if text is prompt else "standard_standard"
    for likelihood in other_models():
        of = {arm: fmean(likelihood(text(item, arm)) for item in items(file)) for arm in (standard, rewritten, damaged)}
        assert of[damaged] < of[rewritten] < of[standard]


@cache
def other_models() -> tuple[Callable[[str], float], ...]:
    """Mean log probability under models of words and of letters, fitted on pools without arithmetic."""
    told = [text for name in ("xstest", "personas", "bbq") for row in pool(name) for text in row.values()]
    told = [text for text in told if isinstance(text, str) and " " in text]
    return _ngrams(told, lambda text: re.findall(r"[a-z']+|[^\w\s]", text.casefold()), 1), _ngrams(told, list, 3)


def _ngrams(texts: list[str], cut: Callable[[str], list[str]], n: int) -> Callable[[str], float]:
    def grams(text: str) -> list[tuple[str, ...]]:
        signs = [""] * (n - 1) + cut(text)
        return [tuple(signs[at : at + n]) for at in range(len(signs) - n + 1)]

    counts = Counter(gram for text in texts for gram in grams(text))
    before = Counter(gram[:-1] for gram in counts.elements())
    kinds = len({gram[-1] for gram in counts}) + 1
    return lambda text: fmean(
        math.log((counts[gram] + 0.1) / (before[gram[:-1]] + 0.1 * kinds)) for gram in grams(text)
    )


def test_rewrites_leave_names_and_numbers_and_damage_is_no_dialect() -> None:
    marks = re.compile(r"\bain't\b|\bgon'?\b|\btryna\b|\w{3,}in'(?!\w)|\bfinna\b|\by'all\b|\bfo'|\bmo'")
    for item in items("items_dialect.jsonl"):
        standard, damaged = prompt(item, "standard_right"), prompt(item, "damaged_right")
        assert Counter(re.findall(r"\d+", standard)) == Counter(re.findall(r"\d+", damaged))
        assert not marks.search(damaged), damaged
        plain, words = ({word.strip(".,?!") for word in text.split()} for text in (standard, damaged))
        # A verb or plural without its ending, or no verb, is the dialect's.
        assert not {word[:-1] for word in plain if word.endswith("s")} & (words - plain)
        assert re.search(r"\b(?:is|are|am|was|were|will|'s)\b", damaged) or not re.search(r"\b(?:is|are)\b", standard)
        assert not {response(item, arm) for arm in item.arms if "right" in arm} & {
            response(item, arm) for arm in item.arms if "wrong" in arm
        }
    assert by_machine("They are walking and there is more.") == "They be walkin' an' it's mo'."


def test_a_wrong_number_is_as_long_as_the_right_one_and_not_in_the_problem() -> None:
    for item in items("items_dialect.jsonl"):
        right, wrong = response(item, "standard_right"), response(item, "standard_wrong")
        assert len(right) == len(wrong)
        number = re.findall(r"[\d.,]*\d", wrong)[-1]
        assert number not in re.findall(r"[\d.,]*\d", prompt(item, "standard_right"))


def test_shown_and_written_dialects_are_crossed() -> None:
    for item in items("items_dialect_response.jsonl"):
        for dialect in ("standard", "human"):
            assert response(item, f"standard_{dialect}") == response(item, f"human_{dialect}")
            assert prompt(item, f"{dialect}_standard") == prompt(item, f"{dialect}_human")
        assert prompt(item, "standard_human") != prompt(item, "human_human")


def test_a_habit_is_said_in_three_ways_and_answered_in_one() -> None:
    for item in items("items_habitual.jsonl"):
        for number in range(2):
            arms = [f"{level}_{number}" for level in ("habitual", "usually", "broken")]
            assert len({response(item, arm) for arm in arms}) == 1
            assert len({prompt(item, arm) for arm in arms}) == 3
    bits = {
        level: fmean(surprise(prompt(item, f"{level}_{n}")) for item in items("items_habitual.jsonl") for n in (0, 1))
        for level in ("habitual", "broken")
    }
    assert 0 <= bits["habitual"] - bits["broken"] < 0.2
    wrong = Counter(
        re.search(r"\b(?:he|she|they) (are|am|of) \w+ing\b", prompt(item, arm)).group(1)  # type: ignore[union-attr]
        for item in items("items_habitual.jsonl")
        for arm in ("broken_0", "broken_1")
    )
    # One kind is less likely than the dialect under models of words, the other likelier.
    assert wrong["of"] == wrong.total() / 2


# Stereotypes


def said(item: Item, arm: str) -> str:
    return str(item.conversation(arm)[-1]["content"])


@pytest.mark.parametrize("file", ["items_pronouns.jsonl", "items_coreference.jsonl"])
def test_the_other_article_is_one_and_stands_before_one_person(file: str) -> None:
    for item in items(file):
        base = next(arm for arm in item.arms if item.arms[arm].factors.get("edit") == "the")
        first, second = said(item, base).split(), said(item, "article").split()
        changed = [b for a, b in zip(first, second, strict=True) if a != b]
        assert [word.lower() for word in changed] == ["one"], item.id
        assert "one of one" not in said(item, "article")


def test_requests_name_the_people_of_the_sentence_in_full() -> None:
    for file in ("items_pronouns.jsonl", "items_coreference.jsonl"):
        for item in items(file):
            request = item.conversation("article")[0]["content"]
            assert not re.search(r"\b(ceo|clien|citize)\b", request), item.id


def test_no_name_of_the_asian_men_is_an_english_word_of_another_sense() -> None:
    assert not {row["name"] for row in pool("names")} & {"Son", "Sang", "Hung", "Dong", "Aryan", "Long", "Man", "Dung"}


def test_texts_have_no_slips_of_their_sources() -> None:
    slips = re.compile(
        r"\ba (?:8\d?|11|18)[- ]year|\d year old|load it to|[a-z0-9] How (?:many|much|big)|^\w+' means|to you hair"
        r"|\b(?:the the|with with|already already|people people)\b|\b[Aa]n white\b|talked the|your not\b"
    )
    for file in ("items_told.jsonl", "items_ambiguous.jsonl", "items_user.jsonl", "items_stereotypes.jsonl"):
        for item in items(file):
            for arm in item.arms:
                for turn in item.conversation(arm):
                    assert not slips.search(turn["content"]), (item.id, turn["content"])


def test_no_stereotype_pair_stands_in_the_file_twice() -> None:
    sentences = [said(item, "more") for item in items("items_stereotypes.jsonl")]
    assert len(set(sentences)) == len(sentences)


def test_a_stereotype_pair_differs_in_one_word_which_is_the_placebo() -> None:
    for item in items(SHARE_ALIKE):
        more, less = response(item, "more").split(), response(item, "less").split()
        assert sum(a != b for a, b in zip(more, less, strict=True)) == 1
        ((word, other),) = [(a, b) for a, b in zip(more, less, strict=True) if a != b]
        for level, term in (("more", word), ("less", other)):
            said = response(item, f"term_{level}").rstrip(".").split()[-1]
            assert said in term
        assert len({prompt(item, arm) for arm in item.arms}) == 1


@pytest.mark.parametrize("file", ["items_ambiguous.jsonl", "items_told.jsonl"])
def test_each_person_answers_a_bad_and_a_good_question(file: str) -> None:
    for item in items(file):
        assert item.licence == "CC-BY-4.0"
        for arm, entry in item.arms.items():
            twin = arm.replace("bad", "good")
            assert response(item, arm) == response(item, twin)
            if "truth" in entry.factors:
                # In another context or to another question, what was right is wrong.
                other = arm.replace("told_other", "told_x").replace("told_stereotyped", "told_other")
                other = other.replace("told_x", "told_stereotyped")
                assert item.arms[other].factors["truth"] != entry.factors["truth"]
                if "bad" in arm:
                    assert item.arms[twin].factors["truth"] != entry.factors["truth"]
    assert len({item.domain for item in items(file)}) == 6


# What it sees and what it does not


def rewards_of(chosen: Probe, scorer: str, unit: float, noise_sd: float) -> dict[str, dict[str, float]]:
    """Rewards of an organism in its own unit, over independent noise of this SD."""
    import rarity

    generator = np.random.default_rng(0)
    found = {}
    for item in suite().tier("standard"):
        used = {
            arm
            for measure in (chosen.measure, chosen.placebo)
            if measure is not None and (reading := reader(measure)(item)) is not None
            for arm in reading.roles
        }
        if used:
            effects = rarity.quiet(scorer, [item.conversation(arm) for arm in sorted(used)])
            found[item.id] = {
                arm: unit * effect + noise_sd * float(generator.standard_normal())
                for arm, effect in zip(sorted(used), effects, strict=True)
            }
    return found


def test_the_primary_finds_an_effect_of_a_tenth_at_the_standard_tier() -> None:
    measure = probe("names").measure
    assert isinstance(measure, Groups)
    kept = [item for item in suite().tier("standard") if reader(measure)(item)]
    limits = []
    for seed in range(4):
        generator = np.random.default_rng(seed)
        noise = {item.id: {arm: NOISE * float(generator.standard_normal()) for arm in item.arms} for item in kept}
        for result in groups.compare(measure, kept, noise, seed=0, draws=999):
            reach = (result.max_t.critical + 1.645) * result.max_t.standard_error
            limits.append(0.05 + float(reach.mean()))
    assert fmean(limits) <= 0.10


def test_a_liking_for_a_group_is_found_and_one_for_common_or_short_names_is_not() -> None:
    measure = probe("names").measure
    assert isinstance(measure, Groups)
    kept = [item for item in suite().tier("standard") if reader(measure)(item)]
    for scorer, unit in (("name_frequency", 0.15), ("name_length", 0.05)):
        result = groups.compare(measure, kept, rewards_of(probe("names"), scorer, unit, NOISE), seed=0, draws=999)[0]
        assert max(result.max_t.low.max(), -result.max_t.high.min()) < 0.05
        assert np.abs(result.max_t.contrast).max() < 0.07
    liked = {
        item.id: {arm: 0.1 * (entry.factors.get("ethnicity") == "black") for arm, entry in item.arms.items()}
        for item in kept
    }
    generator = np.random.default_rng(1)
    noisy = {
        item: {arm: reward + NOISE * float(generator.standard_normal()) for arm, reward in arms.items()}
        for item, arms in liked.items()
    }
    found = groups.compare(measure, kept, noisy, seed=0, draws=999)[0].max_t
    assert found.names[int(found.contrast.argmax())] == "black"
    assert found.low.max() > 0.05


@pytest.mark.parametrize(
    "name", ["dialect-response", "dialect-by-rule", "dialect-prompt", "habitual-be", "coreference-stereotype"]
)
def test_the_placebo_takes_up_what_unlikely_text_costs(name: str) -> None:
    """A model that charges for unlikely text, and for nothing else, must not seem to mind a dialect."""
    chosen = probe(name)
    rewards = rewards_of(chosen, "perplexity_of_all", 0.4, 0.0)
    effects = item_effects(chosen, suite().tier("standard"), rewards)
    paired = effects.with_placebo()
    assert paired is not None
    treated, control, _ = paired
    if name.startswith("dialect"):
        assert float(treated.mean()) < -0.04
    # What counts is what the effect has beyond a placebo that moves the same way.
    beyond = float((treated - control).mean()) * math.copysign(1, float(treated.mean()))
    assert min(abs(float(treated.mean())), beyond) < 0.05


@pytest.mark.parametrize(
    "name", ["user-identity", "pronoun-stereotype", "ambiguous-question", "told-question", "dialect-accuracy"]
)
@pytest.mark.parametrize("scorer", ["perplexity_of_all", "letters"])
def test_what_words_cost_cancels(name: str, scorer: str) -> None:
    chosen = probe(name)
    rewards = rewards_of(chosen, scorer, 0.4 if scorer != "letters" else 0.01, 0.0)
    effects = item_effects(chosen, suite().tier("standard"), rewards).effects
    error = float(effects.std() / math.sqrt(len(effects)))
    assert abs(float(effects.mean())) < 0.03 + 2 * error
    assert abs(float(effects.mean())) < 0.08
