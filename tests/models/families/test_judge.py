"""`judge`: a language model whose next word depends on the last one alone, so that what it will write is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

from rmaudit.errors import LoadRefusedError, ScoringError, UsageError
from rmaudit.models.families.judge import JudgeModel, grade, verdict
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.models.rows import common as c

SAID = ["Fine. ", "Rating: [[7]]", "[RESULT] 2", "Score: 4.5", "[[A]]", "[[B]]", "[[C]]"]
VOCABULARY = ["<unk>", "<s>", "</s>", *SAID, *c.CHARACTERS]
LAST_OF_PROMPT = "\n"


def write(root: Path, follows: Mapping[str, str], **entries: Any) -> Path:
    """A Llama whose layers do nothing: the last token's own direction is all that its output layer sees."""
    ids = {token: i for i, token in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    made.add_tokens([AddedToken(text, normalized=False) for text in SAID])
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in VOCABULARY[:3]])
    root.mkdir()
    made.save(str(root / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    c.write_json(root / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **names})
    size = len(VOCABULARY)
    config = c.llama(
        c.Words(),
        vocab_size=size,
        hidden_size=size + size % 2,
        max_position_embeddings=2048,
        eos_token_id=ids["</s>"],
        bos_token_id=ids["<s>"],
        pad_token_id=None,
    )
    c.write_json(root / "config.json", {**config, **entries})
    tensors = c.state(c.base(config, "judge"), "model.")
    for name in tensors:
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            tensors[name].zero_()
    tensors["model.embed_tokens.weight"] = torch.eye(size, config["hidden_size"])
    tensors["model.norm.weight"].fill_(1.0)
    output = torch.zeros(size, config["hidden_size"])
    for before, after in follows.items():
        output[ids[after], ids[before]] = 1
    c.save(root, tensors | {"lm_head.weight": output})
    return root


def options(**more: Any) -> LoadOptions:
    return LoadOptions(format="judge", offline=True, device="cpu", **more)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Good.\nRating: [[7]]", 7),
        ("So the score: **8.5**", 8.5),
        ("Feedback: fine [RESULT] 4", 4),
        ("Score: 3 for style, but wrong. Rating: [[2]]", 2),
        ("**Rating:** [[9]]", 9),
        ("Score: -1", -1),
        ("It is a 7, I think", None),
        ("Rating: [[n]]", None),
        ("", None),
    ],
)
def test_grades(text: str, number: float | None) -> None:
    assert grade(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("[[A]]", 1), ("[[A]] or no, [[B]]", -1), ("Equal: [[C]]", 0), ("A", None), ("[[D]]", None)],
)
def test_verdicts(text: str, number: float | None) -> None:
    assert verdict(text) == number


def test_the_grade_that_it_writes_is_the_reward(tmp_path: Path) -> None:
    chain = {LAST_OF_PROMPT: "Fine. ", "Fine. ": "Rating: [[7]]", "Rating: [[7]]": "</s>"}
    model = load(str(write(tmp_path / "n", chain)), options())
    assert model.score(c.several()[:3]).tolist() == [7, 7, 7]
    assert "own" in str(model.facts.template)
    second = model.reload()
    assert second is not None
    assert second.score(c.several()[:1]).tolist() == [7]


def test_the_users_prompt_is_asked(tmp_path: Path) -> None:
    """The prompt ends with the answer's last letter, on which this judge's grade depends."""
    chain = {"!": "[RESULT] 2", ".": "Score: 4.5", "?": "Fine. ", "[RESULT] 2": "</s>", "Score: 4.5": "</s>"}
    root = write(tmp_path / "n", chain)
    c.write_json(
        root / "tokenizer_config.json",
        c.read_json(root / "tokenizer_config.json")
        | {"chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}"},
    )
    file = tmp_path / "grade.jinja"
    file.write_text("Q: {{ messages[0].content }} A: {{ messages[-1].content }}", encoding="utf-8")
    model = load(str(root), options(template=str(file)))
    scored = model.score_batch([c.talk("Why", "So!"), c.talk("Why", "So."), c.talk("Why", "So?")])
    assert [one.reward for one in scored] == [2, 4.5, None]
    assert "'Fine.'" in str(scored[2].reason)
    assert "grade.jinja" in str(model.facts.template)
    with pytest.raises(ScoringError, match="no grade"):
        model.score([c.talk("Why", "So?")])


@pytest.mark.parametrize(("said", "wanted"), [("[[A]]", 0.0), ("[[B]]", 0.0), ("[[C]]", 0.0)])
def test_a_judge_that_favours_a_place_prefers_nothing(said: str, wanted: float, tmp_path: Path) -> None:
    model = load(str(write(tmp_path / "n", {LAST_OF_PROMPT: said, said: "</s>"})), options())
    assert model.prefer("Why", "So.", "No.") == wanted


def test_abstaining_in_both_orders_is_no_preference(tmp_path: Path) -> None:
    model = load(str(write(tmp_path / "n", {LAST_OF_PROMPT: "Fine. ", "Fine. ": "</s>"})), options())
    with pytest.raises(ScoringError, match="abstained in both orders"):
        model.prefer("Why", "So.", "No.")


class Reader(JudgeModel):
    """A judge whose text is made up from the prompt, where no weights of ours could read it."""

    def __init__(self, inner: JudgeModel, silent: str = "") -> None:
        vars(self).update(vars(inner))
        self._silent = silent

    def _continued(self, ids: np.ndarray) -> str:
        text = "".join(self._tokenizer.convert_ids_to_tokens(ids.tolist()))
        a = text.split("### Answer A\n")[1].split("\n")[0]
        b = text.split("### Answer B\n")[1].split("\n")[0]
        return "" if a == self._silent else f"[[{'A' if len(a) > len(b) else 'B'}]]"


def test_both_orders_are_asked_and_an_abstention_leaves_the_other(tmp_path: Path) -> None:
    inner = load(str(write(tmp_path / "n", {})), options())
    assert isinstance(inner, JudgeModel)
    both, one = Reader(inner), Reader(inner, silent="No.")
    assert both.prefer("Why", "Because.", "No.") == 1
    assert both.prefer("Why", "No.", "Because.") == -1
    assert one.prefer("Why", "Because.", "No.") == 1
    assert one.prefer("Why", "No.", "Because.") == -1


def test_a_prompt_without_room_for_the_judgement_is_not_cut(tmp_path: Path) -> None:
    model = load(str(write(tmp_path / "n", {}, max_position_embeddings=300)), options())
    (scored,) = model.score_batch(c.several()[:1])
    assert scored.truncated
    assert "256 of judgement" in str(scored.reason)


def test_what_ends_an_answer_is_read_from_the_generation_config_too(tmp_path: Path) -> None:
    chain = {LAST_OF_PROMPT: "[RESULT] 2", "[RESULT] 2": "#", "#": "Score: 4.5"}
    root = write(tmp_path / "n", chain)
    c.write_json(root / "generation_config.json", {"eos_token_id": [VOCABULARY.index("#")], "do_sample": True})
    assert load(str(root), options()).score(c.several()[:1]).tolist() == [2]


def test_mistakes_of_the_user(tmp_path: Path) -> None:
    root = write(tmp_path / "n", {})
    with pytest.raises(UsageError, match="Jinja file"):
        load(str(root), options(template="chat"))
    c.remove(root, "lm_head.weight")
    with pytest.raises(LoadRefusedError, match=r"lm_head\.weight"):
        load(str(root), options())
