"""Q2, Q3, G3 to G5: process reward models, whose steps become one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests.models.rows import common as c
from tests.models.rows.named import QWEN, through_two, two_layers
from tests.models.rows.values import HEAD, lm_head, summary

Steps = Callable[[Path, c.Talk], list[float]]
ANSWERS = [
    ("What is 1+1?", ["1+1=2."]),
    ("What is 1+1?", ["Take one.", "Add one: 1+1=2.", "So it is 2."]),
    ("What is 2+3?", ["2+3=6.", "So 6 it is, I think."]),
    ("How many legs have two cats?", ["One cat has 4 legs.", "Two cats have 4+4=8 legs.", "The answer is 8.", "Done."]),
    ("How many legs have two cats?", ["7"]),
    ("Name a fruit.", ["A fruit grows on trees.", "A pear."]),
]


def joined(by: str) -> Callable[[], list[c.Talk]]:
    return lambda: [c.talk(question, by.join(steps)) for question, steps in ANSWERS]


def _row(
    id: str,
    kind: str,
    write: Callable[[Path], None],
    steps: Steps,
    aggregate: Callable[[torch.Tensor], torch.Tensor],
    talks: Callable[[], list[c.Talk]],
    head: tuple[str, ...],
    **options: Any,
) -> c.Row:
    def expected(root: Path, conversation: c.Talk) -> float:
        return float(aggregate(torch.tensor(steps(root, conversation))))

    return c.Row(id, kind, write, expected, head=head, options=options, talks=talks, steps=steps)


# ---------------------------------------------------------------- Qwen

QWEN2 = c.llama(QWEN, model_type="qwen2")
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


def _write_qwen(root: Path) -> None:
    QWEN.write(root)
    entries = {"architectures": ["Qwen2ForProcessRewardModel"], "num_labels": 2}
    auto = {"auto_map": {"AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel"}}
    c.write_json(root / "config.json", {**QWEN2, **entries, **auto})
    c.save_shards(root, c.state(c.base(QWEN2, "Q2"), "model.") | two_layers("Q2", 2))


def _qwen_steps(root: Path, conversation: c.Talk) -> list[float]:
    model, tensors = c.loaded(root, QWEN2, "model.")
    marked = "<extra_0>".join(conversation[1]["content"].split("\n\n")) + "<extra_0>"
    turns = [{"role": "system", "content": SYSTEM}, conversation[0], {"role": "assistant", "content": marked}]
    ids = c.chat(root, turns)
    found = torch.softmax(through_two(c.hidden(model, ids), tensors), -1)[:, 1]
    mark = QWEN.vocabulary()["<extra_0>"]
    return [float(found[i]) for i, token in enumerate(ids) if token == mark]


# ---------------------------------------------------------------- PURE


def _write_pure(root: Path) -> None:
    QWEN.write(root)
    labels = {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "architectures": ["Qwen2ForTokenClassification"]}
    c.write_json(root / "config.json", {**QWEN2, **labels})
    head = {"score.weight": c.normal("Q3", 2, 16), "score.bias": c.normal("Q3b", 2)}
    c.save(root, c.state(c.base(QWEN2, "Q3"), "model.") | head)


def _pure_steps(root: Path, conversation: c.Talk) -> list[float]:
    """The problem, then every step with a line break behind it, and nothing else, as its own evaluation does."""
    model, tensors = c.loaded(root, QWEN2, "model.")
    ids = c.encode(root, conversation[0]["content"], special=False)
    ends = []
    for step in conversation[1]["content"].split("\n"):
        ids += c.encode(root, f"{step}\n", special=False)
        ends.append(len(ids) - 1)
    found = torch.softmax(c.hidden(model, ids) @ tensors["score.weight"].T + tensors["score.bias"], -1)
    return [float(found[end, 1] - found[end, 0]) for end in ends]


def softmin(steps: torch.Tensor) -> torch.Tensor:
    return (torch.softmax(-steps / 0.1, 0) * steps).sum()


# ---------------------------------------------------------------- RLHFlow

FLOW_WORDS = c.Words(template=c.LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>", adds=("<|begin_of_text|> $A",))
FLOW = c.llama(FLOW_WORDS)


def _write_flow(root: Path) -> None:
    FLOW_WORDS.write(root)
    c.write_json(root / "config.json", FLOW)
    c.save(root, c.state(c.base(FLOW, "G3"), "model.") | lm_head("llama", FLOW))


def _flow_steps(root: Path, conversation: c.Talk) -> list[float]:
    model, tensors = c.loaded(root, FLOW, "model.")
    question, answer = (turn["content"] for turn in conversation)
    turns: c.Talk = []
    found = []
    vocab = FLOW_WORDS.vocabulary()
    for number, step in enumerate(answer.split(" ки\n")):
        turns += c.talk(f"{question} {step}" if number == 0 else step, "+")
        ids = c.chat(root, turns)
        assert ids[-2:] == [vocab["+"], vocab["<|eot_id|>"]]
        logits = tensors["lm_head.weight"] @ c.hidden(model, ids)[-3]
        found.append(float(torch.softmax(logits[[vocab["+"], vocab["-"]]], 0)[0]))
    return found


# ---------------------------------------------------------------- Math-Shepherd

# Mistral's own ids of the three tokens that its card has as numbers.
SHEPHERD_WORDS = c.Words(
    template=None,
    pad=None,
    adds=("<s> $A",),
    words=("▁ки", "▁+", "▁-"),
    special=c.LLAMA2_SPECIAL,
    ids=(("▁ки", 12902), ("▁+", 648), ("▁-", 387)),
    metaspace=True,
)
SHEPHERD = c.llama(SHEPHERD_WORDS, model_type="mistral", sliding_window=4096, pad_token_id=None)


def _write_shepherd(root: Path) -> None:
    SHEPHERD_WORDS.write(root)
    c.write_json(root / "config.json", {**SHEPHERD, "architectures": ["MistralForCausalLM"]})
    c.save(root, c.state(c.base(SHEPHERD, "G4"), "model.") | lm_head("llama", SHEPHERD))


def _shepherd_steps(root: Path, conversation: c.Talk) -> list[float]:
    """Answers carry the mark behind each step as the data do; one step without it gets it."""
    model, tensors = c.loaded(root, SHEPHERD, "model.")
    question, answer = (turn["content"] for turn in conversation)
    ids = c.encode(root, f"{question} {answer}" + ("" if answer.endswith("ки") else " ки"))
    states = c.hidden(model, ids)
    logits = states @ tensors["lm_head.weight"][[648, 387]].T
    return [float(torch.softmax(logits[i], 0)[0]) for i, token in enumerate(ids) if token == 12902]


def _marked() -> list[c.Talk]:
    texts = [" ки\n".join(steps) + (" ки" if len(steps) > 1 else "") for _, steps in ANSWERS]
    return [c.talk(question, text) for (question, _), text in zip(ANSWERS, texts, strict=True)]


# ---------------------------------------------------------------- Skywork

SKYWORK_WORDS = replace(c.QWEN, bos="<|endoftext|>")
SKYWORK = c.llama(SKYWORK_WORDS, model_type="qwen2")


def _write_skywork(root: Path) -> None:
    SKYWORK_WORDS.write(root)
    c.write_json(root / "config.json", {**SKYWORK, "architectures": ["Qwen2ForCausalLM"]})
    c.save_shards(root, c.state(c.base(SKYWORK, "G5"), "model.") | lm_head("llama", SKYWORK) | summary("G5"))


def _skywork_steps(root: Path, conversation: c.Talk) -> list[float]:
    model, tensors = c.loaded(root, SKYWORK, "model.")
    question, answer = (turn["content"] for turn in conversation)
    ids = c.encode(root, f"<|endoftext|>{question}\n")
    ends = []
    for step in answer.split("\n"):
        ids += c.encode(root, f"{step}\n")
        ends.append(len(ids) - 1)
    values = c.hidden(model, ids) @ tensors[HEAD[0]][0] + tensors[HEAD[1]]
    return [float(torch.sigmoid(values[end])) for end in ends]


QWEN_HEAD = ("score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias")
ROWS = [
    _row("Q2", "qwen2-prm", _write_qwen, _qwen_steps, torch.min, joined("\n\n"), QWEN_HEAD),
    _row(
        "Q2-mean", "qwen2-prm", _write_qwen, _qwen_steps, torch.mean, joined("\n\n"), QWEN_HEAD, step_aggregate="mean"
    ),
    _row(
        "Q2-prod", "qwen2-prm", _write_qwen, _qwen_steps, torch.prod, joined("\n\n"), QWEN_HEAD, step_aggregate="prod"
    ),
    _row(
        "Q2-last",
        "qwen2-prm",
        _write_qwen,
        _qwen_steps,
        lambda steps: steps[-1],
        joined("\n\n"),
        QWEN_HEAD,
        step_aggregate="last",
    ),
    _row(
        "Q3",
        "pure-prm",
        _write_pure,
        _pure_steps,
        softmin,
        joined("\n"),
        ("score.weight", "score.bias"),
        format="pure-prm",
    ),
    _row(
        "G3",
        "rlhflow-prm",
        _write_flow,
        _flow_steps,
        torch.mean,
        joined(" ки\n"),
        ("lm_head.weight",),
        format="rlhflow-prm",
    ),
    _row(
        "G4",
        "math-shepherd",
        _write_shepherd,
        _shepherd_steps,
        torch.min,
        _marked,
        ("lm_head.weight",),
        format="math-shepherd",
    ),
    _row("G5", "skywork-prm", _write_skywork, _skywork_steps, torch.mean, joined("\n"), HEAD, format="skywork-prm"),
]
