"""Served models, against real HTTP servers that speak each payload."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from typer.testing import CliRunner

from rmaudit.cli.main import app
from rmaudit.errors import LoadRefusedError, RmauditError, ScoringError, SelfTestError, UsageError
from rmaudit.models.headspec import InputSpec
from rmaudit.models.load import _config_of, load
from rmaudit.models.options import LoadOptions
from rmaudit.models.served import UNKNOWN, UNTOLD, ServedModel, in_parallel, load_served
from rmaudit.models.servers.client import Client, Patience, _seconds
from rmaudit.models.servers.nim import read_pairs
from rmaudit.models.servers.writing import TextWriting
from rmaudit.models.source import ServerSource
from rmaudit.models.template import FoundTemplate
from rmaudit.models.text import TemplateInput
from tests.models import tiny
from tests.models.servers import http_server as hs

QUICK = Patience(timeout=5.0, tries=5, pause=0.01, longest=0.05, hold=2.0)
TALKS = tiny.conversations()


@pytest.fixture(scope="session")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("roomy") / "c", positions=4096)


def open_model(place: hs.Place, kind: str, base: Path | None = None, **options: Any) -> ServedModel:
    given = LoadOptions(server=kind, base_config=str(base) if base else None, **options)
    return load_served(ServerSource(place.url), place.url, given, lambda name: _config_of(name, False), QUICK)


def refused(place: hs.Place, kind: str, base: Path | None = None, **options: Any) -> str:
    with pytest.raises(RmauditError) as caught:
        open_model(place, kind, base, **options)
    assert caught.value.exit_code in (2, 3)
    return str(caught.value)


def ids_of(base: Path, talks: Sequence[Any] = TALKS) -> list[list[int]]:
    """Tokens by the library itself."""
    tokenizer = AutoTokenizer.from_pretrained(str(base))
    texts = [tokenizer.apply_chat_template(talk, tokenize=False) for talk in talks]
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def texts_of(base: Path) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(str(base))
    return [tokenizer.apply_chat_template(talk, tokenize=False) for talk in TALKS]


# Each server's payload


def test_vllm_gets_the_tokens_that_a_local_model_reads(roomy: Path) -> None:
    with hs.serve(hs.vllm(shuffle=True)) as place:
        model = open_model(place, "vllm", roomy)
        assert model.score(TALKS) == pytest.approx([hs.reward(ids) for ids in ids_of(roomy)], abs=1e-9)
        assert all(one.body["use_activation"] is False for one in place.posts()[-3:])
    facts = model.facts
    assert facts.format == "vllm"
    assert facts.max_length == 4096
    assert UNKNOWN in facts.risks
    told = " ".join(facts.evidence)
    assert "version 0.32.0" in told
    assert "calls its model rm" in told
    assert "loaded /models/x" in told
    assert "sigmoid of these numbers" in told
    assert "token ids are sent" in str(facts.template)


def test_rewards_equal_those_of_the_same_checkpoint_loaded_here(llama: Path) -> None:
    network = AutoModelForSequenceClassification.from_pretrained(llama).eval()

    def forward(ids: Sequence[int]) -> float:
        with torch.inference_mode():
            return float(network(torch.tensor([list(ids)])).logits[0, 0])

    with hs.serve(hs.vllm(score=forward, limit=256)) as place:
        served = open_model(place, "vllm", llama).score(TALKS)
    local = load(str(llama), LoadOptions(device="cpu")).score(TALKS)
    assert served == pytest.approx(local, abs=1e-5)


@pytest.mark.parametrize("switch", ["use_activation", "activation", "softmax"])
def test_every_age_of_vllm_is_asked_for_raw_numbers(roomy: Path, switch: str) -> None:
    with hs.serve(hs.vllm(switch=switch)) as place:
        model = open_model(place, "vllm", roomy)
        assert model.score(TALKS[:3]) == pytest.approx([hs.reward(ids) for ids in ids_of(roomy, TALKS[:3])])
    assert f"with {switch} false" in " ".join(model.facts.evidence)


@pytest.mark.parametrize("refuses", [("activation", "softmax"), ("use_activation", "activation")])
def test_fields_that_a_version_rejects_are_passed_over(roomy: Path, refuses: tuple[str, ...]) -> None:
    switch = next(name for name in ("use_activation", "activation", "softmax") if name not in refuses)
    with hs.serve(hs.vllm(switch=switch, refuses=refuses)) as place:
        rewards = open_model(place, "vllm", roomy).score(TALKS[:3])
    assert rewards == pytest.approx([hs.reward(ids) for ids in ids_of(roomy, TALKS[:3])])


def test_vllm_pooling_is_asked_where_there_is_no_classify(roomy: Path) -> None:
    with hs.serve(hs.vllm(paths=["/pooling"])) as place:
        model = open_model(place, "vllm", roomy)
        assert model.score(TALKS[:3]) == pytest.approx([hs.reward(ids) for ids in ids_of(roomy, TALKS[:3])])
    assert "/pooling" in " ".join(model.facts.evidence)


def test_the_last_tokens_value_is_taken_where_each_token_has_one(roomy: Path) -> None:
    inner = hs.vllm(paths=["/pooling"])

    def only_tokens(asked: hs.Asked) -> Any:
        if asked.body and asked.body.get("task") == "classify":
            raise hs.Rude(400, {"error": {"message": "Unsupported task: 'classify'"}})
        return inner(asked)

    with hs.serve(only_tokens) as place:
        model = open_model(place, "vllm", roomy)
        assert model.score(TALKS[:3]) == pytest.approx([hs.reward(ids) for ids in ids_of(roomy, TALKS[:3])])
    assert any("value for each token" in risk for risk in model.facts.risks)


def test_vllm_writes_conversations_out_when_told_to() -> None:
    with hs.serve(hs.vllm()) as place:
        model = open_model(place, "vllm", template="server")
        assert model.score(TALKS) == pytest.approx([hs.of_text(json.dumps(talk)) for talk in TALKS])
        assert all("input" not in one.body for one in place.posts())
    assert "the server's own" in str(model.facts.template)


def test_sglang(roomy: Path) -> None:
    with hs.serve(hs.sglang()) as place:
        model = open_model(place, "sglang", roomy)
        assert model.score(TALKS) == pytest.approx([hs.reward(ids) for ids in ids_of(roomy)])
        assert {one.path for one in place.posts()} == {"/classify"}
    assert "owner/rm" in " ".join(model.facts.evidence)


def test_a_text_that_sglang_cut_has_no_reward(roomy: Path) -> None:
    with hs.serve(hs.sglang()) as place:
        model = open_model(place, "sglang", roomy)
        place.answer = hs.sglang(cuts=30)
        scored = model.score_batch(TALKS)
    lengths = [len(ids) for ids in ids_of(roomy)]
    assert [one.reward is None for one in scored] == [length > 30 for length in lengths]
    assert "read 30 tokens of" in str(scored[0].reason)


@pytest.mark.parametrize("batch", [32, 1, 3])
def test_tei_gets_pairs(batch: int) -> None:
    with hs.serve(hs.tei(batch=batch)) as place:
        model = open_model(place, "tei")
        pairs = [(talk[0]["content"], talk[1]["content"]) for talk in TALKS[8:]]
        assert model.score(TALKS[8:]) == pytest.approx([hs.of_text("\0".join(pair)) for pair in pairs])
        assert max(len(one.body["inputs"]) for one in place.posts()) <= batch
    told = " ".join(model.facts.evidence)
    assert "model_sha abc123" in told
    assert model.facts.dtype == "float16"
    assert "pair" in str(model.facts.template)


def test_labels_of_tei_are_put_back_by_name() -> None:
    with hs.serve(hs.tei(labels=("a", "b", "c"), kind="classifier")) as place:
        with pytest.raises(LoadRefusedError, match=r"3 numbers a text \(a, b, c\).*--attribute NAME=WEIGHT"):
            open_model(place, "tei")
        model = open_model(place, "tei", attributes=("a=1", "b=-2"))
        scored = model.score_batch(TALKS[8:])
    values = [hs.of_text("\0".join((talk[0]["content"], talk[1]["content"]))) for talk in TALKS[8:]]
    assert [one.reward for one in scored] == pytest.approx([v - 2 * (v / 2 - 1) for v in values])
    assert scored[0].attributes == pytest.approx({"a": values[0], "b": -2 * (values[0] / 2 - 1), "c": 0.0})
    assert model.facts.attributes == ("a", "b", "c")
    assert model.facts.additive


def test_a_pair_that_is_too_long_for_tei_is_counted_as_such() -> None:
    long = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "word " * 400}]
    with hs.serve(hs.tei()) as place:
        scored = open_model(place, "tei").score_batch([*TALKS[8:], long])
    assert scored[-1].truncated
    assert "must have less than" in str(scored[-1].reason)
    assert all(one.reward is not None for one in scored[:-1])


@pytest.mark.parametrize("nested", [False, True])
def test_openrlhf_gets_text_with_template_and_eos(roomy: Path, nested: bool) -> None:
    with hs.serve(hs.openrlhf(nested=nested)) as place:
        rewards = open_model(place, "openrlhf", roomy).score(TALKS)
        sent = [text for one in place.posts() for text in one.body["query"]]
    assert rewards == pytest.approx([hs.of_text(text) for text in texts_of(roomy)])
    assert all(text.endswith("</s>") for text in sent)


@pytest.mark.parametrize("nested", [False, True])
def test_llamafactory_gets_plain_strings(roomy: Path, nested: bool) -> None:
    with hs.serve(hs.llamafactory(nested=nested)) as place:
        rewards = open_model(place, "llamafactory", roomy).score(TALKS)
        assert {one.body["max_length"] for one in place.posts()} == {4096}
    assert rewards == pytest.approx([hs.of_text(text) for text in texts_of(roomy)])


def test_the_begin_of_text_token_that_a_tokenizer_adds_is_sent_once(tmp_path: Path) -> None:
    base = tiny.llama(tmp_path / "c", positions=4096, bos=True)
    with hs.serve(hs.vllm()) as place:
        open_model(place, "vllm", base).score(TALKS[:2])
        body = place.posts()[-1].body
    assert all(ids[0] == 1 and ids.count(1) == 1 for ids in body["input"])


def test_a_text_whose_tokens_no_text_gives_is_not_sent(roomy: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(roomy))
    found = FoundTemplate(tiny.TEMPLATE, "a template")
    for spec, possible in ((InputSpec(), True), (InputSpec(append=tokenizer.pad_token_id), False)):
        (sent,) = TextWriting(TemplateInput(tokenizer, found, spec, roomy), tokenizer).sent(TALKS[1:2])
        assert (sent == "no text gives its tokens on a server that adds no special tokens") is not possible
        assert isinstance(sent, str) or tokenizer(sent.text, add_special_tokens=False)["input_ids"] == list(sent.ids)


def test_nim_gets_messages_one_conversation_a_request() -> None:
    with hs.serve(hs.nim()) as place:
        model = open_model(place, "nim")
        rewards = model.score(TALKS)
        assert all(one.body["model"] == "nvidia/reward" for one in place.posts())
    assert rewards == pytest.approx([hs.of_text(json.dumps(talk)) for talk in TALKS], abs=1e-6)
    assert "writes them out" in str(model.facts.template)


def test_nims_with_several_attributes_need_weights() -> None:
    with hs.serve(hs.nim(lambda value: f"helpfulness:{value:.4f},verbosity:{-value:.4f}")) as place:
        assert "helpfulness, verbosity" in refused(place, "nim")
        rewards = open_model(place, "nim", attributes=("helpfulness=1", "verbosity=-1")).score(TALKS[:3])
    assert rewards == pytest.approx([2 * hs.of_text(json.dumps(talk)) for talk in TALKS[:3]], abs=1e-3)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("reward:-3.28125", {"0": -3.28125}),
        ("reward: 1e-05", {"0": 1e-05}),
        ("helpfulness:1.6,correctness:-2\ncoherence:3.0", {"helpfulness": 1.6, "correctness": -2, "coherence": 3}),
        ("I think it is good: 5 of 10", None),
        ("reward:1.0 or reward:2.0", None),
        ("reward:1, reward:2", None),
        ("reward:nan", None),
        ("5", None),
        ("", None),
        (None, None),
        (["reward:1"], None),
    ],
)
def test_only_names_with_numbers_are_read_from_text(text: Any, values: dict[str, float] | None) -> None:
    found = read_pairs(text)
    assert isinstance(found, str) if values is None else found == values


# What is no reward


def test_probabilities_are_recognised_and_refused_with_what_to_change(roomy: Path) -> None:
    with hs.serve(hs.vllm(switch=None)) as place:
        message = refused(place, "vllm", roomy)
    assert "applies a sigmoid" in message
    assert "use_activation" in message
    assert "--server-activation none" in message


def test_probabilities_are_taken_back_where_the_user_says_so(roomy: Path) -> None:
    with hs.serve(hs.vllm(switch=None)) as place:
        model = open_model(place, "vllm", roomy, server_activation="sigmoid")
        rewards = model.score(TALKS)
        kept = open_model(place, "vllm", roomy, server_activation="none")
        assert kept.score(TALKS) == pytest.approx([hs.sigmoid(reward) for reward in rewards])
    assert rewards == pytest.approx([hs.reward(ids) for ids in ids_of(roomy)], abs=1e-6)
    assert "log(p / (1 - p))" in str(model.facts.normalisation)
    assert model.identity.sha256 != kept.identity.sha256


def test_a_probability_at_its_end_is_not_taken_back(roomy: Path) -> None:
    with hs.serve(hs.vllm(switch=None)) as place:
        model = open_model(place, "vllm", roomy, server_activation="sigmoid")
        place.answer = hs.vllm(switch=None, score=lambda ids: 40.0)
        (scored,) = model.score_batch(TALKS[:1])
    assert scored.reward is None
    assert "too near 0 or 1" in str(scored.reason)


def test_raw_rewards_between_0_and_1_are_known_by_the_other_position_of_the_switch(roomy: Path) -> None:
    with hs.serve(hs.vllm(score=lambda ids: hs.sigmoid(hs.reward(ids)))) as place:
        rewards = open_model(place, "vllm", roomy).score(TALKS)
    assert rewards == pytest.approx([hs.sigmoid(hs.reward(ids)) for ids in ids_of(roomy)])


def test_a_sigmoid_that_is_not_there_is_not_taken_back(roomy: Path) -> None:
    with hs.serve(hs.sglang()) as place:
        assert "applies no sigmoid" in refused(place, "sglang", roomy, server_activation="sigmoid")


@pytest.mark.parametrize("kind", ["vllm", "sglang", "openrlhf"])
def test_a_constant_one_is_refused(roomy: Path, kind: str) -> None:
    def one(asked: hs.Asked) -> Any:
        if asked.method == "GET":
            raise hs.Rude(404)
        if kind == "vllm":
            return {"data": [{"index": i, "probs": [1.0]} for i, _ in enumerate(asked.body["input"])]}
        if kind == "sglang":
            return [{"embedding": [1.0]} for _ in asked.body["input_ids"]]
        return {"rewards": [1.0 for _ in asked.body["query"]]}

    with hs.serve(one) as place:
        assert "softmax over a single number" in refused(place, kind, roomy)


def test_the_path_of_sglang_that_is_always_1_is_refused_by_its_address(roomy: Path) -> None:
    with pytest.raises(UsageError, match=r"1\.0 to every text.*http://h:1\)"):
        load("http://h:1/v1/classify", LoadOptions(server="sglang", base_config=str(roomy)))


@pytest.mark.parametrize("paths", [["/classify"], ["/pooling"]])
def test_embeddings_are_recognised(roomy: Path, paths: list[str]) -> None:
    with hs.serve(hs.vllm(paths=paths, outputs=lambda value: [value] * 768)) as place:
        message = refused(place, "vllm", roomy)
    assert "768 numbers a text, which is an embedding" in message
    assert "--convert classify" in message


def test_a_server_for_another_task_is_told_from_its_own_words(roomy: Path) -> None:
    def embeds(asked: hs.Asked) -> Any:
        if asked.method == "GET":
            return hs.vllm()(asked)
        raise hs.Rude(400, {"error": {"message": "The model does not support Classification API"}})

    with hs.serve(embeds) as place:
        message = refused(place, "vllm", roomy)
    assert "does not support Classification API" in message
    assert "--runner pooling --convert classify" in message


def test_sglang_that_generates_and_tei_that_embeds_are_refused(roomy: Path) -> None:
    with hs.serve(hs.sglang(generates=True)) as place:
        assert "--is-embedding" in refused(place, "sglang", roomy)
    with hs.serve(hs.tei(kind="embedding")) as place:
        assert "kind embedding" in refused(place, "tei")


def test_a_chat_models_words_are_no_reward() -> None:
    with hs.serve(hs.nim(lambda value: "They agreed, I think.")) as place:
        assert "not name:number" in refused(place, "nim")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "a web page"),
        (b"rm 1.0", "not JSON"),
        ({"rewards": "none"}, "a list of"),
        ({"rewards": [0.5]}, "answered with 1"),
        ({"reward": []}, "an object with rewards"),
        ({"rewards": ["x"] * 8}, "a number was expected"),
        ({"rewards": [[]] * 8}, "0 numbers a text"),
        ({"rewards": [None] * 8}, "a number was expected"),
        ((302, {"Location": "https://other.example/login"}, b""), "redirects to https://other.example/login"),
        ((401, {}, {"detail": "no"}), "RMAUDIT_API_KEY"),
        ((404, {}, {"detail": "Not Found"}), "has no /get_reward"),
    ],
)
def test_answers_that_are_no_rewards_are_refused(roomy: Path, answer: Any, message: str) -> None:
    with hs.serve(lambda asked: answer) as place:
        assert message in refused(place, "openrlhf", roomy)


@pytest.mark.parametrize("places", [[0, 0], [0, 2], [1, 2], [None, 1]])
def test_a_wrong_index_is_refused(roomy: Path, places: list[Any]) -> None:
    with hs.serve(hs.vllm()) as place:
        model = open_model(place, "vllm", roomy, concurrency=1)
        place.answer = lambda asked: {"data": [{"index": i, "probs": [2.0]} for i in places]}
        with pytest.raises(ScoringError, match="order is lost"):
            model.score_batch(TALKS[:2])


def test_what_the_probe_notices_of_a_server_becomes_a_risk(roomy: Path) -> None:
    calls = iter(range(10_000))
    with hs.serve(hs.vllm(score=lambda ids: hs.reward(ids) + next(calls))) as place:
        assert any("not steady" in risk for risk in open_model(place, "vllm", roomy).facts.risks)
    with hs.serve(hs.vllm(score=lambda ids: hs.reward(ids[:400]))) as place:
        assert any("may cut texts" in risk for risk in open_model(place, "vllm", roomy).facts.risks)
    with hs.serve(hs.vllm(score=lambda ids: -2.0)) as place:
        assert any("same number" in risk for risk in open_model(place, "vllm", roomy).facts.risks)
    with hs.serve(hs.vllm()) as place:
        assert open_model(place, "vllm", roomy).facts.risks == (UNKNOWN, UNTOLD)
        assert open_model(place, "vllm", roomy, dtype="float32").facts.risks == (UNKNOWN,)


# Trouble on the way


@pytest.fixture
def steady(roomy: Path) -> Iterator[tuple[hs.Place, ServedModel]]:
    with hs.serve(hs.vllm()) as place:
        yield place, open_model(place, "vllm", roomy, concurrency=2)


def test_429_waits_as_long_as_it_is_told_to(steady: tuple[hs.Place, ServedModel]) -> None:
    place, model = steady
    seen = len(place.asked)
    place.before = lambda asked, count: (
        hs.Rude(429, {}, Retry_After="0.4").reply if len(place.asked) == seen + 1 else None
    )
    assert model.score(TALKS[:1]) == pytest.approx([hs.reward(ids) for ids in ids_of_talks(model, 1)])
    first, second = place.asked[seen:]
    assert 0.4 <= second.at - first.at < 1.5


def test_a_wait_that_is_too_long_is_not_waited_for(steady: tuple[hs.Place, ServedModel]) -> None:
    place, model = steady
    place.before = lambda asked, count: hs.Rude(429, {}, Retry_After="3600").reply
    with pytest.raises(ScoringError, match=r"left alone for 3,600 seconds.*--resume"):
        model.score(TALKS)


def ids_of_talks(model: ServedModel, count: int) -> list[list[int]]:
    return [list(one.ids) for one in model._writing.sent(TALKS[:count]) if not isinstance(one, str)]


@pytest.mark.parametrize("trouble", [503, 502, 500, hs.Broken])
def test_what_passes_by_itself_costs_nothing(steady: tuple[hs.Place, ServedModel], trouble: Any) -> None:
    place, model = steady
    left = iter([trouble] if trouble == 500 else [trouble, trouble])

    def before(asked: hs.Asked, count: int) -> Any:
        now = next(left, None)
        return (now, {}, {"error": "busy"}) if isinstance(now, int) else now

    place.before = before
    assert model.score(TALKS) == pytest.approx([hs.reward(ids) for ids in ids_of_talks(model, len(TALKS))])
    assert next(left, "all seen") == "all seen"


def test_a_server_that_stays_away_ends_the_scoring_with_advice(steady: tuple[hs.Place, ServedModel]) -> None:
    place, model = steady
    place.before = lambda asked, count: (503, {}, b"")
    with pytest.raises(ScoringError, match=r"answered 503.*asked 5 times.*--resume"):
        model.score(TALKS)


def test_a_server_may_be_started_again_in_the_middle(roomy: Path) -> None:
    with hs.serve(hs.vllm()) as first:
        model = open_model(first, "vllm", roomy)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(model.score(TALKS)))
    with hs.serve(hs.vllm()) as second:
        model._client.url = first.url  # nothing is there any more
        thread.start()
        time.sleep(0.05)
        model._client.url = second.url
        thread.join(10)
    assert results[0] == pytest.approx([hs.reward(ids) for ids in ids_of_talks(model, len(TALKS))])


def test_one_text_that_fails_costs_its_own_reward_alone(steady: tuple[hs.Place, ServedModel]) -> None:
    place, model = steady
    bad = ids_of_talks(model, 7)[6]
    place.before = lambda asked, count: (500, {}, {"error": "worker died"}) if bad in asked.body["input"] else None
    scored = model.score_batch(TALKS)
    assert [i for i, one in enumerate(scored) if one.reward is None] == [6]
    assert scored[6].reason == "the server answered 500: worker died"
    assert [one.reward for one in scored[:6]] == pytest.approx([hs.reward(ids) for ids in ids_of_talks(model, 6)])


def test_a_text_that_is_longer_than_the_server_reads_is_not_sent(roomy: Path) -> None:
    with hs.serve(hs.vllm(limit=100)) as place:
        model = open_model(place, "vllm", roomy)
        long = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "a" * 200}]
        short, cut = model.score_batch([TALKS[1], long])
        assert max(len(ids) for one in place.posts() for ids in one.body["input"]) <= 100
    assert short.reward is not None
    assert cut.truncated
    assert "at most 100" in str(cut.reason)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_no_reward(steady: tuple[hs.Place, ServedModel], value: float) -> None:
    place, model = steady
    place.answer = hs.vllm(raw=lambda x: value)
    (scored,) = model.score_batch(TALKS[:1])
    assert scored.reward is None
    assert str(value) in str(scored.reason)


@pytest.mark.parametrize("drip", [False, True])
def test_a_server_that_does_not_answer_is_not_waited_for_without_end(roomy: Path, drip: bool) -> None:
    def slow(asked: hs.Asked) -> Any:
        time.sleep(0.6)
        return {"rewards": [1.0] * len(asked.body["query"])}

    with hs.serve(slow) as place:
        client = Client(place.url, None, Patience(timeout=0.2, tries=5, pause=0.01), "it")
        client._reached = drip
        started = time.monotonic()
        with pytest.raises(ScoringError, match=r"did not answer in time.*0\.2 seconds.*--timeout"):
            client.post("/get_reward", {"query": ["a"]})
    assert time.monotonic() - started < 3


def test_a_connection_that_a_stopped_server_holds_is_given_up(steady: tuple[hs.Place, ServedModel]) -> None:
    place, model = steady
    model._client._patience = replace(QUICK, timeout=30.0, least=0.2, slack=2.0)
    left = iter([3.0, 0.6])
    place.before = lambda asked, count: time.sleep(next(left, 0))
    started = time.monotonic()
    assert model.score(TALKS[:1]) == pytest.approx([hs.reward(ids) for ids in ids_of_talks(model, 1)])
    assert 0.4 < time.monotonic() - started < 2.5
    assert len(place.posts()[-3:]) == 3


def test_a_server_that_is_not_up_says_how_to_start_one(roomy: Path) -> None:
    url = hs.gone()
    with pytest.raises(ScoringError, match=r"Start one by: vllm serve CHECKPOINT --runner pooling --convert classify"):
        load(url, LoadOptions(server="vllm", base_config=str(roomy)))


def test_requests_at_a_time_are_bounded_and_used(roomy: Path) -> None:
    inner = hs.vllm()

    def slow(asked: hs.Asked) -> Any:
        time.sleep(0.05 if asked.method == "POST" else 0)
        return inner(asked)

    with hs.serve(slow) as place:
        model = open_model(place, "vllm", roomy, concurrency=3)
        place.most_at_once = 0
        assert len(model.score(TALKS * 3)) == 60
        assert place.most_at_once == 3
        assert model.batch_size == 48


def test_order_and_batches_play_no_part(roomy: Path) -> None:
    with hs.serve(hs.vllm(shuffle=True)) as place:
        rewards = [open_model(place, "vllm", roomy, batch_size=size).score(TALKS) for size in (1, 7, 20)]
    assert np.array_equal(rewards[0], rewards[1])
    assert np.array_equal(rewards[0], rewards[2])


def test_the_first_failure_stops_the_others() -> None:
    begun: list[int] = []

    def job(i: int) -> Callable[[threading.Event], int]:
        def work(stop: threading.Event) -> int:
            begun.append(i)
            if i == 0:
                raise ScoringError("gone")
            stop.wait(5)
            return i

        return work

    started = time.monotonic()
    with pytest.raises(ScoringError, match="gone"):
        in_parallel([job(i) for i in range(50)], 4)
    assert time.monotonic() - started < 2
    assert len(begun) <= 8


@pytest.mark.parametrize("told", ["7", "7.0"])
def test_a_wait_in_seconds_is_read(told: str) -> None:
    assert _seconds(told) == 7.0


def test_a_wait_may_be_a_date() -> None:
    assert _seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert _seconds("soon") is None
    assert _seconds(None) is None


# Key, identity, options


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    roomy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMAUDIT_API_KEY", "sk-very-secret")
    inner = hs.vllm()

    def guarded(asked: hs.Asked) -> Any:
        if asked.headers.get("Authorization") != "Bearer sk-very-secret":
            raise hs.Rude(401)
        return inner(asked)

    with hs.serve(guarded) as place:
        model = open_model(place, "vllm", roomy)
        assert len(model.score(TALKS)) == 20
        assert "secret" not in repr(model.facts)
        place.before = lambda asked, count: (400, {}, {"error": f"no: {asked.headers['Authorization']}"})
        assert model.score_batch(TALKS[:1])[0].reason == "the server answered 400: no: Bearer ***"
        place.before = None
        monkeypatch.setenv("RMAUDIT_API_KEY", "wrong")
        assert "does not take the key" in refused(place, "vllm", roomy)
        monkeypatch.delenv("RMAUDIT_API_KEY")
        assert "wants a key" in refused(place, "vllm", roomy)


def test_the_address_is_no_part_of_the_identity_and_the_models_name_is(roomy: Path, llama: Path) -> None:
    with hs.serve(hs.vllm()) as a, hs.serve(hs.vllm()) as b, hs.serve(hs.vllm(models=["other"])) as c:
        same = {open_model(place, "vllm", roomy).identity.sha256 for place in (a, b)}
        other = open_model(c, "vllm", roomy).identity.sha256
        tokenizer = open_model(a, "vllm", llama).identity.sha256
    assert len(same) == 1
    assert len({*same, other, tokenizer}) == 3


def test_one_of_several_models_must_be_named(roomy: Path) -> None:
    with hs.serve(hs.vllm(models=["x", "y"])) as place:
        assert "2 models (x, y)" in refused(place, "vllm", roomy)
        assert "no model z" in refused(place, "vllm", roomy, server_model="z")
        open_model(place, "vllm", roomy, server_model="y")
        assert {one.body["model"] for one in place.posts()} == {"y"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "--server NAME"),
        ({"server": "triton"}, "vllm, sglang, tei, openrlhf, llamafactory, nim"),
        ({"server": "vllm"}, "--base-config SOURCE, or pass --template server"),
        ({"server": "openrlhf"}, "--base-config SOURCE."),
        ({"server": "openrlhf", "template": "server"}, "It is for: vllm"),
        ({"server": "tei", "template": "chat"}, "--template has no meaning"),
        ({"server": "nim", "base_config": "demo"}, "no meaning where the server writes"),
        ({"server": "vllm", "beta": 0.5, "device": "cpu"}, "--beta, --device would change"),
        ({"server": "vllm", "dtype": "int8"}, "in which type the server works"),
        ({"server": "vllm", "server_activation": "softmax"}, "none, sigmoid"),
        ({"server": "vllm", "base_config": "http://h:1"}, "is not a checkpoint"),
        ({"server": "vllm", "concurrency": 0}, "--concurrency must be above 0"),
        ({"server": "tei", "offline": True}, "--offline forbids"),
    ],
)
def test_options_that_are_missing_or_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load("http://rewards.example:1", LoadOptions(**options))
    assert message in str(caught.value)


def test_options_of_a_server_are_refused_for_other_sources(llama: Path) -> None:
    with pytest.raises(UsageError, match="--server, --concurrency is for a SOURCE that begins with http"):
        load(str(llama), LoadOptions(server="vllm", concurrency=2))


def test_a_scan_of_a_server_ends_in_a_report_and_can_be_verified(roomy: Path, place: Any, tmp_path: Path) -> None:
    import rmaudit

    with hs.serve(hs.vllm()) as served:
        out = tmp_path / "run"
        options = LoadOptions(server="vllm", base_config=str(roomy))
        report = rmaudit.scan(
            served.url, probes=place.probes, panel=place.panel, out=out, options=options, accept=["sanity"]
        )
    assert report.model.format == "vllm"
    assert UNKNOWN in report.model.risks
    assert rmaudit.verify(out) == []
    assert f"--base-config {roomy}" in report.run.command
    assert "--server vllm" in report.run.command


def test_rounding_of_16_bits_is_allowed_for_where_the_server_works_in_them(
    roomy: Path, place: Any, tmp_path: Path
) -> None:
    import rmaudit

    def rounded(ids: Sequence[int]) -> float:
        calls.append(0)
        return hs.reward(ids) + 0.01 * math.sin(len(calls) * 12.9898)

    calls: list[int] = []
    with hs.serve(hs.vllm(score=rounded)) as served:

        def scan(out: str, **dtype: str) -> rmaudit.Report:
            options = LoadOptions(server="vllm", base_config=str(roomy), **dtype)
            return rmaudit.scan(
                served.url,
                probes=place.probes,
                panel=place.panel,
                out=tmp_path / out,
                options=options,
                accept=["sanity"],
            )

        with pytest.raises(SelfTestError, match=r"where 0\.001 is allowed"):
            scan("strict")
        assert scan("told", dtype="bfloat16").model.dtype == "bfloat16"


@pytest.mark.parametrize("end", ["", "/", "/v1", "/classify", "/pooling"])
def test_the_address_may_end_with_a_path_of_the_server(roomy: Path, end: str) -> None:
    with hs.serve(hs.vllm()) as place:
        model = load(place.url + end, LoadOptions(server="vllm", base_config=str(roomy)))
        assert len(model.score(TALKS[:2])) == 2


def test_the_command_line_scores_with_a_server(roomy: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in TALKS), encoding="utf-8")
    with hs.serve(hs.vllm()) as place:
        command = ["score", place.url, str(file), "-o", str(out), "--server", "vllm", "--base-config", str(roomy)]
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    rewards = [json.loads(line)["reward"] for line in out.read_text().splitlines()]
    assert rewards == pytest.approx([hs.reward(ids) for ids in ids_of(roomy)], rel=1e-5)
