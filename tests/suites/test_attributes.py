"""A multi-objective model is audited as one number and attribute by attribute, and what carries an effect is named."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any

import numpy as np
import pytest

import rmaudit
from rmaudit.audit import select
from rmaudit.conversation import Conversation
from rmaudit.models.interface import Identity, ModelFacts, RewardModel, Scored
from rmaudit.reporting.report import Report
from rmaudit.runs.scores import read_scores
from rmaudit.suites import carryover
from rmaudit.suites.attributes import carried, told
from rmaudit.suites.finding import AttributeEffect, Carried, Estimate, Finding
from rmaudit.suites.spec import AnyDesign, Arm, Carryover, Item
from tests.synthetic import Bench

Objectives = Mapping[str, Callable[[Conversation], float]]


def hashed(salt: str, size: float) -> Callable[[Conversation], float]:
    """A normal number that depends on the conversation alone."""

    def draw(conversation: Conversation) -> float:
        text = salt + "\0".join(turn["content"] for turn in conversation)
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        return size * NormalDist().inv_cdf((number + 0.5) / 2**48)

    return draw


def helpfulness(conversation: Conversation) -> float:
    """Quality, which the panel's answers spell out, and a liking for polish."""
    answer = conversation[-1]["content"].lower()
    loud = 1.5 if conversation[0]["content"].startswith("Panel") else 0.02
    return 1.5 * answer.count("good") + answer.count("splendid") + hashed("help", loud)(conversation)


def verbosity(conversation: Conversation) -> float:
    """Words of the answer."""
    return 0.5 * len(conversation[-1]["content"].split())


def tone(conversation: Conversation) -> float:
    """Noise, and a liking for one group of names."""
    return hashed("tone", 0.02)(conversation) + 0.8 * ("says B" in conversation[-1]["content"])


PLANTED: Objectives = {"helpfulness": helpfulness, "verbosity": verbosity, "tone": tone}


class MultiObjective(RewardModel):
    """Adds up objectives, times a scale and plus a constant that belongs to none of them."""

    def __init__(
        self,
        objectives: Objectives,
        *,
        additive: bool = True,
        reward: str | None = None,
        offset: Callable[[Conversation], float] = lambda _: 3.0,
        batch_size: int = 32,
    ) -> None:
        self._objectives = objectives
        self._reward = reward
        self._offset = offset
        self._batch_size = batch_size
        self.facts = ModelFacts(
            identity=Identity("0" * 64, "planted"), format="planted", evidence=(), head=None, pooling=None,
            dtype="float32", device="cpu", template=None, max_length=None,
            attributes=() if reward else tuple(objectives), additive=additive and not reward,
        )  # fmt: skip

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        scored = []
        for conversation in conversations:
            values = {name: objective(conversation) for name, objective in self._objectives.items()}
            if self._reward:
                scored.append(Scored(values[self._reward]))
            else:
                scored.append(Scored(sum(values.values()) + self._offset(conversation), 1, attributes=values))
        return scored


Audit = Callable[..., Report]


@pytest.fixture(scope="module")
def audit(place: Bench, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Scans a model with the small suite."""

    def scan(model: RewardModel, out: Path | None = None, **options: Any) -> Report:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("rmaudit.models.load.load", lambda source, options: model)
            where = {"probes": place.probes, "panel": place.panel} | options
            return rmaudit.scan("planted", out=out or tmp_path_factory.mktemp("audit") / "run", **where)

    return scan


@pytest.fixture(scope="module")
def planted_run(audit: Audit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("planted") / "run"
    audit(MultiObjective(PLANTED), out)
    return out


@pytest.fixture(scope="module")
def planted(audit: Audit) -> Report:
    """As it is in memory, with all digits."""
    return audit(MultiObjective(PLANTED))


def by_probe(report: Report) -> dict[str, Finding]:
    return {finding.probe: finding for finding in report.findings}


def width(interval: Estimate) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def by_name(finding: Finding) -> dict[str, AttributeEffect]:
    return {effect.name: effect for effect in finding.attributes}


def test_the_length_effect_is_carried_by_verbosity(planted: Report) -> None:
    found = by_probe(planted)["words"]
    assert found.verdict == "present"
    assert found.carried_by is not None
    assert found.carried_by.names == ["verbosity"]
    assert found.carried_by.share == by_name(found)["verbosity"].share == pytest.approx(1, abs=0.05)
    assert found.statement.endswith(" Carried by verbosity (100% of the effect).")


def test_other_effects_are_carried_by_what_was_planted(planted: Report) -> None:
    found = by_probe(planted)
    assert {probe: finding.verdict for probe, finding in found.items()} == dict.fromkeys(found, "present")
    assert found["names"].carried_by == Carried(names=["tone"], share=by_name(found["names"])["tone"].share or 0.0)
    # An added word is longer too, so a part of this effect is length; the larger part is polish.
    assert found["shine"].carried_by is not None
    assert found["shine"].carried_by.names == ["helpfulness"]
    assert by_name(found["shine"])["verbosity"].share == pytest.approx(0.5 / 1.5, abs=0.05)


def test_shares_add_up_to_the_whole(planted: Report) -> None:
    for found in planted.findings:
        assert math.fsum(effect.share or 0.0 for effect in found.attributes) == pytest.approx(1, abs=1e-9)


@functools.cache
def _alone(audit: Audit, name: str) -> Report:
    return audit(MultiObjective(PLANTED, reward=name))


@pytest.mark.parametrize("name", PLANTED)
def test_an_attribute_is_audited_as_if_it_were_the_reward(audit: Audit, planted: Report, name: str) -> None:
    alone = _alone(audit, name)
    theirs = by_probe(alone)
    for found in planted.findings:
        ours, reward = by_name(found)[name].srd, theirs[found.probe].srd
        if found.probe == "names":  # a scan of the attribute may name the finding after the other group
            group = next(group for group in found.groups if group.srd.estimate == found.srd.estimate)
            reward = next(other.srd for other in theirs["names"].groups if other.name == group.name)
            assert ours.estimate == pytest.approx(reward.estimate, abs=1e-9)
            # Student's t in place of the permutation distribution, which it must come close to.
            assert width(reward) < 1e-5 or 0.95 < width(ours) / width(reward) < 1.3
        else:
            assert ours.model_dump() == pytest.approx(reward.model_dump(), abs=1e-9)
    (ruler,) = [entry for entry in planted.ruler.attributes if entry.name == name]
    assert ruler.wsd == pytest.approx(alone.ruler.wsd, rel=1e-9)
    assert ruler.accuracy.model_dump() == pytest.approx(alone.ruler.accuracy.model_dump(), abs=1e-9)


def test_attributes_change_nothing_that_is_said_of_the_reward(audit: Audit, planted: Report) -> None:
    sums = {"sum": lambda conversation: 3.0 + sum(each(conversation) for each in PLANTED.values())}
    plain = audit(MultiObjective(sums, reward="sum"))
    assert [finding.attributes for finding in plain.findings] == [[], [], []]
    assert plain.ruler.attributes == []
    for ours, theirs in zip(planted.findings, plain.findings, strict=True):
        assert ours.statement.startswith(theirs.statement)
        for name in ("srd", "adjusted_srd", "exchange_rate"):
            mine, other = getattr(ours, name).model_dump(), getattr(theirs, name).model_dump()
            assert mine == pytest.approx(other, abs=1e-9)


def test_shipped_designs_split_too(audit: Audit, tmp_path: Path) -> None:
    """Carryover and factorial probes of the shipped suites; a model that looks at the answer alone."""

    def answer_only(conversation: Conversation) -> float:
        return hashed("blind", 0.5)([conversation[-1]])

    objectives: Objectives = {"blind": answer_only, "verbosity": lambda c: math.log2(len(c[-1]["content"]) + 1)}
    options: dict[str, Any] = {"probes": None, "panel": None, "tier": "smoke"}
    options["suites"] = ("misgeneralization", "sycophancy", "demographic")
    out = tmp_path / "run"
    whole = audit(MultiObjective(objectives), out, **options)
    alone = by_probe(audit(MultiObjective(objectives, reward="blind"), **options))
    shared = 0
    for found in whole.findings:
        effect = by_name(found)["blind"]
        if found.design == "groups" and effect.srd.estimate is not None:
            groups = {group.srd.estimate: group.name for group in found.groups}
            named = [g.srd.estimate for g in alone[found.probe].groups if g.name == groups[found.srd.estimate]]
            assert effect.srd.estimate in [pytest.approx(value, abs=1e-9) for value in named]
        else:
            assert effect.srd.model_dump() == pytest.approx(alone[found.probe].srd.model_dump(), abs=1e-9)
        if effect.share is not None:
            shared += 1
            assert math.fsum(each.share or 0.0 for each in found.attributes) == pytest.approx(1, abs=1e-9)
    assert shared
    survival = next(found for found in whole.findings if found.design == "carryover")
    assert survival.srd.estimate is not None
    assert survival.srd.estimate > 0.05
    ((suite, items),) = select(None, None, ["misgeneralization"], "smoke").suites
    (measure,) = [probe.measure for probe in suite.spec.probes if probe.id == survival.probe]
    assert by_name(survival)["blind"].share == pytest.approx(share_of_carryover(measure, items, out, "blind"), abs=1e-9)


def share_of_carryover(measure: AnyDesign, items: Sequence[Item], run: Path, name: str) -> float:
    """Share of an attribute in how far the shared preference exceeds the turning one, from the stored scores."""
    scores = read_scores(run / "scores.jsonl")
    rewards, attributes = scores.rewards["misgeneralization"], scores.attributes["misgeneralization"]
    assert isinstance(measure, Carryover)
    total = part = 0.0
    for item in items:
        cells: dict[tuple[str, str], list[str]] = {}
        for key, arm in item.arms.items():
            fits = all(arm.factors.get(factor) == level for factor, level in measure.where.items())
            if fits and {measure.prompt, measure.response} <= arm.factors.keys():
                cells.setdefault((str(arm.factors[measure.prompt]), str(arm.factors[measure.response])), []).append(key)
        if len(cells) != 4:
            continue
        one, two = sorted({prompt for prompt, _ in cells})

        def gap(prompt: str, numbers: Callable[[str], float], cells: Any = cells, pair: Any = (one, two)) -> float:
            first, second = (fmean(map(numbers, cells[prompt, answer])) for answer in pair)
            return first - second

        def reward(arm: str, item: Item = item) -> float:
            return rewards[item.id, arm] or 0.0

        def value(arm: str, item: Item = item) -> float:
            return attributes[item.id, arm][name]

        for turn in (1, -1):  # the preference that both prompts share, and the one that turns with them

            def preference(numbers: Callable[[str], float], one: str = one, two: str = two, turn: int = turn) -> float:
                return gap(one, numbers) + turn * gap(two, numbers)

            total += turn * abs(preference(reward))
            part += turn * math.copysign(1, preference(reward)) * preference(value)
    return part / total


def test_the_parts_of_a_carryover_effect_add_up_to_it() -> None:
    draw = np.random.default_rng(3)
    arms = {f"{p}{a}": Arm(response=f"{p}{a}", factors={"prompt": p, "answer": a}) for p in "xy" for a in "xy"}
    item = Item(id="i", cluster="c", prompt=[{"role": "user", "content": "?"}], arms=arms)
    reading = carryover.read(Carryover(design="carryover", prompt="prompt", response="answer"), item)
    assert reading is not None
    assert reading.part is not None
    for _ in range(50):
        parts = [{arm: float(draw.normal()) for arm in arms} for _ in range(3)]
        whole = {arm: sum(part[arm] for part in parts) for arm in arms}
        assert sum(reading.part(whole, part) for part in parts) == pytest.approx(reading.effect(whole), abs=1e-12)


def test_nothing_is_split_where_the_attributes_do_not_add_up(audit: Audit) -> None:
    report = audit(MultiObjective(PLANTED, additive=False))
    for found in report.findings:
        assert found.carried_by is None
        assert "Carried" not in found.statement
        assert all(effect.srd.estimate is not None and effect.share is None for effect in found.attributes)
        assert all("add up" in (effect.reason or "") for effect in found.attributes)
    assert report.warnings == []


def test_a_false_promise_to_add_up_is_noticed(audit: Audit) -> None:
    report = audit(MultiObjective(PLANTED, offset=hashed("left out", 0.3)))
    assert any("said to add up" in warning and "within-prompt SDs" in warning for warning in report.warnings)
    assert all(effect.share is None for found in report.findings for effect in found.attributes)
    assert all(found.carried_by is None for found in report.findings)


def test_a_share_of_nothing_is_null(audit: Audit) -> None:
    """Both of an effect that is surely there but inside the margin, and of one that may be none."""
    quiet: Objectives = {
        "quality": lambda c: 1.5 * c[-1]["content"].count("good"),
        "noise": hashed("n", 0.001),
        "words": lambda c: 0.005 * c[-1]["content"].count("word"),
    }
    found = by_probe(audit(MultiObjective(quiet)))
    assert {finding.verdict for finding in found.values()} == {"negligible"}
    assert found["words"].srd.low is not None
    assert found["words"].srd.low > 0
    loud = by_probe(audit(MultiObjective({"quality": quiet["quality"], "noise": hashed("n", 3.0)})))
    assert loud["shine"].verdict == "inconclusive"
    assert abs(loud["shine"].srd.estimate or 0.0) > 0.05
    for finding, words in [(found["words"], "is inside the margin"), (loud["shine"], "may be none")]:
        assert finding.carried_by is None
        assert all(words in (effect.reason or "") for effect in finding.attributes)
        assert all(effect.share is None for effect in finding.attributes)


def test_a_constant_attribute_has_no_unit_but_a_share(audit: Audit) -> None:
    report = audit(MultiObjective({**PLANTED, "fixed": lambda _: 2.0}))
    (ruler,) = [entry for entry in report.ruler.attributes if entry.name == "fixed"]
    assert ruler.wsd is None
    assert ruler.accuracy.estimate is None
    assert "same for every answer" in (ruler.reason or "")
    effect = by_name(by_probe(report)["words"])["fixed"]
    assert effect.srd == Estimate(estimate=None)
    assert effect.share == 0.0
    assert effect.reason == ruler.reason


def test_an_attribute_that_wakes_up_in_the_probes_is_measured_in_their_unit(audit: Audit) -> None:
    report = audit(MultiObjective({**PLANTED, "trick": lambda c: 2.0 * ("says B" in c[-1]["content"])}))
    found = by_name(by_probe(report)["names"])["trick"]
    assert found.srd.low is not None
    assert found.srd.low > 0.05
    assert found.share is not None
    assert found.share > 0.5


class Gaps(MultiObjective):
    """Rewards verbosity and tone; verbosity is not always told beside the reward."""

    def __init__(self, word: str) -> None:
        super().__init__({"verbosity": verbosity, "tone": tone})
        self._word = word

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        answers = zip(conversations, super().score_batch(conversations), strict=True)
        return [
            Scored(scored.reward, attributes=dict(scored.attributes) | {"verbosity": math.nan})
            if self._word in conversation[-1]["content"]
            else scored
            for conversation, scored in answers
        ]


def test_an_attribute_that_is_rarely_missing_is_measured_but_nothing_is_split(audit: Audit) -> None:
    found = by_probe(audit(Gaps("Answer 7.")))["words"]
    assert by_name(found)["verbosity"].srd.estimate == pytest.approx(0.5 * 4 / _wsd(audit, Gaps("Answer 7.")), rel=1e-6)
    for effect in found.attributes:
        assert effect.share is None
        assert effect.reason == "Some answers lack an attribute, so the effect is not split."
    assert found.carried_by is None


def test_an_attribute_that_is_often_missing_is_not_measured(audit: Audit) -> None:
    effect = by_name(by_probe(audit(Gaps("Answer 1")))["words"])["verbosity"]
    assert effect.srd == Estimate(estimate=None)
    assert "11 of 40 items lack it" in (effect.reason or "")


def _wsd(audit: Audit, model: RewardModel) -> float:
    (wsd,) = [entry.wsd for entry in audit(model).ruler.attributes if entry.name == "verbosity"]
    assert wsd is not None
    return wsd


def test_the_same_bytes_whatever_the_batches(audit: Audit, planted_run: Path, tmp_path: Path) -> None:
    audit(MultiObjective(PLANTED, batch_size=7), tmp_path / "run")
    ours, theirs = (
        (folder / "report.json").read_bytes().split(b'\n "run": {') for folder in (tmp_path / "run", planted_run)
    )
    assert len(ours) == 2
    assert ours[0] == theirs[0]


def test_verify_confirms_attributes_and_finds_what_was_changed(planted_run: Path, tmp_path: Path) -> None:
    assert rmaudit.verify(planted_run) == []
    content = json.loads((planted_run / "report.json").read_text(encoding="utf-8"))
    content["findings"][1]["attributes"][1]["share"] = 0.5
    content["ruler"]["attributes"][0]["wsd"] = 9.0
    path = planted_run / "report.json"
    before = path.read_bytes()
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        found = rmaudit.verify(planted_run)
    finally:
        path.write_bytes(before)
    assert [line.split(":")[0] for line in found] == ["ruler.attributes[0].wsd", "findings[1].attributes[1].share"]


def test_the_table_of_findings_names_what_carries_an_effect(planted: Report) -> None:
    assert planted.findings.to_frame()["carried_by"].tolist() == ["helpfulness", "verbosity", "tone"]


def test_every_output_names_what_carries_the_effect(planted_run: Path) -> None:
    for name in ("report.html", "report.md", "report.json"):
        assert "Carried by verbosity (100% of the effect)" in (planted_run / name).read_text(encoding="utf-8")


def effects(*shares: float | None) -> list[AttributeEffect]:
    return [AttributeEffect(name=f"a{i}", srd=Estimate(estimate=0.0), share=share) for i, share in enumerate(shares)]


@pytest.mark.parametrize(
    ("shares", "names"),
    [
        ((0.1, 0.9), ["a1"]),
        ((0.5, 0.5), ["a0"]),
        ((0.2, 0.4, 0.4), ["a1", "a2"]),
        ((-2.0, 3.0), ["a1"]),
        ((0.2, 0.2, 0.2, 0.2, 0.2), ["a0", "a1", "a2"]),
        ((0.125,) * 8, None),
        ((None, None), None),
        ((), None),
    ],
)
def test_the_fewest_that_make_up_half_carry_an_effect(
    shares: tuple[float | None, ...], names: list[str] | None
) -> None:
    found = carried(effects(*shares))
    assert (found and found.names) == names


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["verbosity"], "Carried by verbosity (82% of the effect)."),
        (["a", "b", "c-d_e/f"], "Carried by a, b and c-d_e/f (together 82% of the effect)."),
        (["none. All is well"], "Carried by “none. All is well” (82% of the effect)."),
        (["x” (0%). “y\n# z"], "Carried by “x' (0%). 'y # z” (82% of the effect)."),
    ],
)
def test_a_name_cannot_pass_for_words_of_ours(names: list[str], sentence: str) -> None:
    assert told(Carried(names=names, share=0.82)) == sentence


def test_a_long_name_stays_short() -> None:
    assert len(told(Carried(names=["x" * 10_000], share=0.6))) < 120
