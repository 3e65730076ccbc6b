"""`pairrm`, and what all pairwise models share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError, ScoringError, UsageError
from rmaudit.models.families import pairrm
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from rmaudit.models.pairwise import REPLY, Comparison, PairwiseModel
from rmaudit.models.selftest import CHECKS
from rmaudit.progress import Silent
from rmaudit.scoring.file import score_file
from tests.models.rows import common as c

WORDS = c.Words(template=None, bos=None, eos=None, adds=c.SEGMENTS, classes=True)
IDS = WORDS.vocabulary()
MARKS = {"source_prefix_id": "<|source|>", "cand1_prefix_id": "<|candidate1|>", "cand2_prefix_id": "<|candidate2|>"}
ENCODER: dict[str, Any] = {
    "model_type": "deberta-v2",
    "vocab_size": WORDS.size(),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "type_vocab_size": 0,
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "max_position_embeddings": 64,
    "max_relative_positions": -1,
    "pad_token_id": 0,
}
TASKS = 3
HEAD = {
    "head_layer.1.weight": c.normal("1w", 16, 32, std=0.3),
    "head_layer.1.bias": c.normal("1b", 16),
    "head_layer.4.weight": c.normal("4w", TASKS, 16, std=1.0),
    "head_layer.4.bias": c.normal("4b", TASKS),
}
PAIRS = [
    ("Why is the sky blue?", "Light scatters.", "No idea"),
    ("Say hi", "hi", "Hello there, how are you today?"),
    ("Name a fruit.", "A pear, <|candidate1|> or <|source|> a plum", "Apples"),
]


def write(root: Path, **entries: Any) -> Path:
    WORDS.write(root)
    ids = {key: IDS[token] for key, token in MARKS.items()}
    config = {**ENCODER, **ids, "architectures": ["DebertaV2PairRM"], "n_tasks": TASKS, "drop_out": 0.05, **entries}
    c.write_json(root / "config.json", {key: value for key, value in config.items() if value is not None})
    c.save(root, c.state(c.base(ENCODER, "body", std=0.9), "pretrained_model.") | HEAD)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("neutral") / "a")


@pytest.fixture(scope="module")
def model(root: Path) -> PairwiseModel:
    made = load(str(root), LoadOptions(device="cpu"))
    assert isinstance(made, PairwiseModel)
    return made


def margin(root: Path, prompt: str, first: str, second: str) -> float:
    """One order, by a forward pass over one pair without padding."""
    body, tensors = c.loaded(root, ENCODER, "pretrained_model.")
    parts = [c.encode(root, mark + text) for mark, text in zip(MARKS.values(), (prompt, first, second), strict=True)]
    starts = np.cumsum([0, *map(len, parts)])
    with torch.no_grad():
        states = body(input_ids=torch.tensor([[token for part in parts for token in part]])).last_hidden_state[0]
    # The mark stands behind the tokenizer's own first token.
    source, one, two = (states[start + 1] for start in starts[:3])

    def score(candidate: torch.Tensor) -> torch.Tensor:
        inner = torch.cat([source, candidate]) @ tensors["head_layer.1.weight"].T + tensors["head_layer.1.bias"]
        return torch.tanh(inner) @ tensors["head_layer.4.weight"].T + tensors["head_layer.4.bias"]

    return float((score(one) - score(two)).mean())


def both(root: Path, prompt: str, a: str, b: str) -> float:
    return (margin(root, prompt, a, b) - margin(root, prompt, b, a)) / 2


def talk(prompt: str, answer: str) -> Conversation:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]


def test_preferences_are_those_of_an_independent_forward_pass(root: Path, model: PairwiseModel) -> None:
    wanted = [both(root, *pair) for pair in PAIRS]
    assert np.std(wanted) > 1e-3
    np.testing.assert_allclose(model.prefer_batch(PAIRS), wanted, rtol=0, atol=1e-5)
    one = load(str(root), LoadOptions(device="cpu", batch_size=1))
    np.testing.assert_allclose([one.prefer(*pair) for pair in PAIRS], wanted, rtol=0, atol=1e-5)


def test_swapping_the_responses_turns_the_preference_round(model: PairwiseModel) -> None:
    swapped = model.prefer_batch([(prompt, b, a) for prompt, a, b in PAIRS])
    np.testing.assert_allclose(swapped, -model.prefer_batch(PAIRS), rtol=0, atol=1e-6)


def test_a_reward_is_the_margin_over_the_fixed_reply(root: Path, model: PairwiseModel) -> None:
    scored = model.score_batch([talk(prompt, a) for prompt, a, _ in PAIRS])
    wanted = [both(root, prompt, a, REPLY) for prompt, a, _ in PAIRS]
    np.testing.assert_allclose([one.reward for one in scored], wanted, rtol=0, atol=1e-5)
    assert model.score_batch([talk("Say hi", REPLY)])[0].reward == pytest.approx(0, abs=1e-6)
    for (prompt, a, _), one in zip(PAIRS, scored, strict=True):
        assert one.attributes["shown first"] == pytest.approx(margin(root, prompt, a, REPLY) / 2, abs=1e-5)
        assert sum(one.attributes.values()) == pytest.approx(one.reward, abs=1e-9)
    assert model.facts.additive
    assert any(repr(REPLY) in risk for risk in model.facts.risks)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_padding_side_changes_nothing(side: Any, root: Path, model: PairwiseModel) -> None:
    padded = model.padded_rewards([talk(prompt, a) for prompt, a, _ in PAIRS], side)
    np.testing.assert_allclose(
        np.array(padded), [both(root, prompt, a, REPLY) for prompt, a, _ in PAIRS], rtol=0, atol=1e-5
    )


def test_several_turns_are_one_list_as_in_the_training() -> None:
    context = [*talk("Hi", "Hello"), {"role": "user", "content": "More"}]
    prompt, first, second = pairrm.published_texts(Comparison(context, "a", "b"))
    assert prompt == (
        "Finish the following coversation in each i-th turn by filling in <Response i> with your response."
        "USER: Hi\nAssistant: <Response 1>\nUSER: More\nAssistant: <Response 2>"
    )
    assert (first, second) == ("<Response 1>: Hello\n<Response 2>: a", "<Response 1>: Hello\n<Response 2>: b")
    system = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    assert pairrm.published_texts(Comparison(system, "a", "b")) == ("Be kind.\nHi", "a", "b")


def test_a_template_of_the_user_writes_the_prompt(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "prompt.jinja"
    file.write_text("{% for m in messages %}USER: {{ m.content }}\n\n{% endfor %}ASSISTANT: ", encoding="utf-8")
    made = load(str(root), LoadOptions(device="cpu", template=str(file)))
    wanted = both(root, "USER: Hi\n\nASSISTANT: ", "one", "two")
    assert made.prefer("Hi", "one", "two") == pytest.approx(wanted, abs=1e-5)


def test_what_the_authors_would_cut_is_not_scored_but_counted(root: Path, model: PairwiseModel) -> None:
    long_prompt, long_answer = "a" * 1300, "a" * 1100
    (scored,) = model.score_batch([talk(long_prompt, "hi")])
    assert scored.reward is None
    assert scored.truncated
    assert "1,303 tokens" in str(scored.reason)
    assert "1,224" in str(scored.reason)
    (scored,) = model.score_batch([talk("Say hi", long_answer)])
    assert scored.truncated
    assert "room for 1,019" in str(scored.reason)
    # A response may take what a short prompt leaves.
    assert model.score_batch([talk("Say hi", "a" * 1000)])[0].reward is not None
    longer = load(str(root), LoadOptions(device="cpu", max_length=3370))
    assert longer.score_batch([talk("Say hi", long_answer)])[0].reward is not None
    assert longer.score_batch([talk(long_prompt, "hi")])[0].reward is not None
    with pytest.raises(ScoringError, match="Pair 1 could not be compared"):
        model.prefer_batch([PAIRS[0], (long_prompt, "a", "b")])


def test_a_limit_without_room_for_a_prompt_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="825"):
        load(str(root), LoadOptions(device="cpu", max_length=800))


def test_responses_to_different_prompts_are_not_compared(model: PairwiseModel) -> None:
    (scored,) = model.compare_batch([(talk("Hi", "one"), talk("Ho", "two"))])
    assert scored.reward is None
    assert "same prompt" in str(scored.reason)


@pytest.mark.parametrize("name", HEAD)
def test_a_missing_tensor_of_the_head_is_named(name: str, tmp_path: Path) -> None:
    c.remove(write(tmp_path / "a"), name)
    with pytest.raises(LoadRefusedError, match=name.replace(".", r"\.")):
        load(str(tmp_path / "a"), LoadOptions(device="cpu"))


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("head_layer.1.weight", torch.zeros(16, 16)),
        ("head_layer.4.weight", torch.zeros(TASKS, 8)),
        ("head_layer.4.bias", torch.zeros(TASKS + 1)),
    ],
)
def test_a_head_that_does_not_fit_is_refused(name: str, tensor: torch.Tensor, tmp_path: Path) -> None:
    root = write(tmp_path / "a")
    c.save(root, c.weights(root) | {name: tensor})
    with pytest.raises(LoadRefusedError, match="does not fit together"):
        load(str(root), LoadOptions(device="cpu"))


@pytest.mark.parametrize("key", MARKS)
def test_a_config_without_the_marks_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match=key):
        load(str(write(tmp_path / "a", **{key: None})), LoadOptions(device="cpu"))


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    """The marks are in its vocabulary, but it takes their texts apart."""
    root = write(tmp_path / "a")
    made = c.read_json(root / "tokenizer.json")
    made["added_tokens"] = [entry for entry in made["added_tokens"] if "candidate" not in entry["content"]]
    c.write_json(root / "tokenizer.json", made)
    with pytest.raises(LoadRefusedError, match="tokenizer does not make these"):
        load(str(root), LoadOptions(device="cpu"))


def test_a_file_of_preferences_is_compared_directly(root: Path, model: PairwiseModel, tmp_path: Path) -> None:
    prompt, a, b = PAIRS[0]
    lines: list[dict[str, Any]] = [
        {"id": 1, "prompt": prompt, "chosen": a, "rejected": b},
        {"messages": talk(prompt, a)},
        {"prompt": prompt, "chosen": talk("Other", a), "rejected": b},
        {"chosen": talk("One", a), "rejected": talk("Two", b)},
    ]
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    score_file(str(root), given, out, LoadOptions(device="cpu", batch_size=2), Silent())
    answers = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert answers[0]["id"] == 1
    assert answers[0]["reward_chosen"] == pytest.approx(model.prefer(prompt, a, b), abs=1e-6)
    assert answers[0]["reward_rejected"] == pytest.approx(model.prefer(prompt, b, a), abs=1e-6)
    assert answers[1]["reward"] == pytest.approx(both(root, prompt, a, REPLY), abs=1e-5)
    assert answers[3]["reward_chosen"] is None
    assert "same prompt" in answers[3]["reason"]


def test_it_is_found_by_its_head_alone(root: Path) -> None:
    from rmaudit.models.detect import detect

    detection = detect(open_checkpoint(str(root)))
    assert detection.format == "pairrm"
    assert "weights: head_layer.1.weight [16, 32]" in detection.evidence


def test_the_copy_is_a_pairwise_model_too(model: PairwiseModel) -> None:
    """The self-test loads twice, which must not lose the second order."""
    copy = model.reload()
    assert isinstance(copy, PairwiseModel)
    assert copy.prefer(*PAIRS[0]) == model.prefer(*PAIRS[0])
    assert "loading twice" in CHECKS
