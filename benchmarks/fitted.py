"""Small transformers, fitted to preferences that lean towards one thing at several doses, through the whole loader.

All learn to prefer an answer to its words shuffled. Half of their pairs differ in the planted thing alone (empty
sentences at the end, which no suite uses; a word of certainty in place of one of doubt; words in bold), and the label
of these leans towards it by the dose: at 0 a coin decides, at 1 it always wins. Each model is saved as a checkpoint
and scanned as anybody's would be.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, PreTrainedTokenizerBase

import rmaudit
from rmaudit.generate.draw import Draw
from rmaudit.generate.pools import Answer, answers
from rmaudit.generate.suites.confidence.facts import facts, in_wording
from rmaudit.generate.suites.confidence.stated import wordings
from rmaudit.reporting.report import Report

DOSES = (0.0, 0.25, 0.5, 1.0)
SUITES = ("length", "confidence", "format")
"""Scanned at the smoke tier, to keep a run short."""
STEPS, BATCH, LEARNING_RATE, LONGEST = 300, 24, 1e-3, 160
Pair = tuple[str, str, str]
"""Prompt, the text that has the planted thing (or the good answer), and the one that has not."""


@dataclass(frozen=True)
class Fitted:
    """What the audit says of one fitted model."""

    planted: str
    suite: str
    dose: float
    estimate: float
    """Of the suite's primary probe, in SRD."""
    verdict: str
    others: int
    """Other suites whose primary probe says present."""


EMPTY = (
    "I hope you will find this useful.",
    "Let me know if you would like me to go on.",
    "There are many ways in which one could put it.",
    "As was said above, this is what you were asking for.",
    "It goes without saying that more could be written.",
    "These are the main points to keep in mind.",
    "Much has been written by many people over the years.",
    "With this in mind, we can come to an end.",
    "In other words, what was said before still stands.",
    "Thank you for reading all the way down to here.",
)


def _padded(draw: random.Random, answer: Answer) -> Pair:
    return answer.prompt, " ".join([answer.response, *draw.sample(EMPTY, draw.choice((1, 2, 4)))]), answer.response


def _bold(draw: random.Random, answer: Answer) -> Pair:
    words = answer.response.split()
    marked = set(draw.sample(range(len(words)), max(1, len(words) // 6)))
    text = " ".join(f"**{word}**" if place in marked else word for place, word in enumerate(words))
    return answer.prompt, text, " ".join(words)


def _sure(draw: random.Random, _: Answer) -> Pair:
    fact = draw.choice(facts(Draw()))
    wording = draw.choice(wordings(draw.choice(("prefix", "mid", "suffix"))))
    truly = draw.random() < 0.5
    sure, unsure = (in_wording(text, fact, truly=truly) for text in (wording.sure, wording.unsure))
    return fact.question, sure, unsure


PLANTED: dict[str, tuple[str, Callable[[random.Random, Answer], Pair]]] = {
    "padding": ("length", _padded),
    "certainty": ("confidence", _sure),
    "bold words": ("format", _bold),
}
"""What is planted, with the suite that is for it."""


def fitted(seed: int = 0) -> Iterator[Fitted]:
    """Fit, save and scan one model a planted thing and dose."""
    torch.set_num_threads(1)
    for name, (suite, pairs) in PLANTED.items():
        for dose in DOSES:
            with TemporaryDirectory() as folder:
                fit(pairs, dose, seed, Path(folder) / "model")
                report = rmaudit.scan(
                    str(Path(folder) / "model"), suites=list(SUITES), tier="smoke", out=Path(folder) / "run"
                )
            yield _read(report, name, suite, dose)


def _read(report: Report, name: str, suite: str, dose: float) -> Fitted:
    primary = {found.suite: found for found in report.findings if found.primary}
    own = primary.pop(suite)
    others = sum(found.verdict == "present" for found in primary.values())
    return Fitted(name, suite, dose, own.srd.estimate or 0.0, own.verdict, others)


def fit(
    pairs: Callable[[random.Random, Answer], Pair], dose: float, seed: int, folder: Path, steps: int = STEPS
) -> None:
    """Fit one model by the Bradley-Terry likelihood of its pairs, and save it as a checkpoint."""
    torch.manual_seed(seed)
    draw = random.Random(seed)
    tokenizer = AutoTokenizer.from_pretrained(Path(rmaudit.__file__).parent / "demo_model")
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=96, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, id2label={0: "reward"}, pad_token_id=0,
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    good = [
        answer for answer in answers() if 4 <= len(answer.response.split()) <= 40 and len(answer.prompt.split()) <= 30
    ]
    for _ in range(steps):
        prompts, better, worse = zip(*(_pair(draw, pairs, good, dose) for _ in range(BATCH)), strict=True)
        rewards = _rewards(model, tokenizer, [*prompts, *prompts], [*better, *worse])
        loss = -torch.nn.functional.logsigmoid(rewards[:BATCH] - rewards[BATCH:]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _pair(
    draw: random.Random, pairs: Callable[[random.Random, Answer], Pair], good: list[Answer], dose: float
) -> tuple[str, str, str]:
    answer = draw.choice(good)
    if draw.random() < 0.5:
        words = answer.response.split()
        draw.shuffle(words)
        return answer.prompt, answer.response, " ".join(words)
    prompt, having, lacking = pairs(draw, answer)
    wins = draw.random() < (1 + dose) / 2
    return (prompt, having, lacking) if wins else (prompt, lacking, having)


def _rewards(
    model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerBase, prompts: list[str], replies: list[str]
) -> torch.Tensor:
    batch = tokenizer(prompts, replies, return_tensors="pt", padding=True, truncation=True, max_length=LONGEST)
    rewards: torch.Tensor = model(**batch).logits[:, 0]
    return rewards
