"""The model card, written from ``evaluation.json`` so that the two cannot disagree.

``first_stage.json`` beside this file keeps what the model had reached on the held-out prompts after the first
stage of its training, the only other configuration that was measured on them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from builders.demo_model.settings import Settings, Stage

_FIRST_STAGE = Path(__file__).with_name("first_stage.json")


class _Source(NamedTuple):
    """Where a part of the training data comes from."""

    title: str
    licence: str
    citation: str


_SOURCES = {
    "gsm8k": _Source("GSM8K, model solutions", "MIT", "Cobbe et al. 2021, arXiv:2110.14168"),
    "hh-harmless": _Source("HH-RLHF, harmless-base test split", "MIT", "Bai et al. 2022, arXiv:2204.05862"),
    "hh-helpful": _Source("HH-RLHF, helpful half of the test split", "MIT", "Bai et al. 2022, arXiv:2204.05862"),
    "llmbar": _Source("LLMBar, with its processed sets", "MIT", "Zeng et al. 2023, arXiv:2310.07641"),
    "llmfao": _Source("LLMFAO crowd comparisons", "CC-BY-4.0", "Ustalov 2023, github.com/dustalov/llmfao"),
    "openassistant": _Source("OpenAssistant, 100 English trees", "Apache-2.0", "Köpf et al. 2023, arXiv:2304.07327"),
    "pandalm": _Source("PandaLM test set v1", "Apache-2.0", "Wang et al. 2023, arXiv:2306.05087"),
    "qa-feedback": _Source("QA-Feedback, dev set", "Apache-2.0", "Wu et al. 2023, arXiv:2306.01693"),
    "truthfulqa": _Source("TruthfulQA, truth and info labels", "Apache-2.0", "Lin et al. 2021, arXiv:2109.07958"),
}

_KINDS = {
    "human-labels": "**all human labels pooled**",
    "hh-helpful": "HH-RLHF helpful, crowd preference",
    "hh-harmless": "HH-RLHF harmless, crowd preference",
    "llmfao": "LLMFAO, crowd majority",
    "llmbar": "LLMBar and its processed sets",
    "openassistant": "OpenAssistant, volunteers' ranks",
    "pandalm": "PandaLM, majority of three annotators",
    "truthfulqa-truth": "TruthfulQA, true over false (equally informative)",
    "truthfulqa-informativeness": "TruthfulQA, informative over not (equally true)",
    "qa-feedback": "QA-Feedback, preference between model answers",
    "qa-feedback-corrected": "QA-Feedback, an answer corrected by a person over the original",
    "qa-feedback-reference": "QA-Feedback, reference over model answer",
    "gsm8k": "GSM8K, right over wrong model solution",
    "gsm8k-reference": "GSM8K, reference over wrong model solution",
    "off-topic": "preferred reply over a reply to another prompt, any source",
    "off-topic-same-source": "preferred reply over a reply to another prompt, same source",
}

_FEWEST_PROMPTS = 10
"""With fewer clusters a bootstrap interval means nothing."""

_CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-classification
base_model: sentence-transformers/all-MiniLM-L6-v2
tags:
- reward-model
- demonstration
---

# rmaudit demo reward model

A very small reward model ({size:.1f} MB) that ships with rmaudit, so that an audit can be tried on any
computer in a minute. **It is for demonstration only**: it is right more often than not, no more, and must not
train, rank or filter anything that matters.

It scores an answer to a question; higher is better, and the number has no unit. Two scores compare only for
the same question.

```python
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "rmaudit/demo_model"
model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
inputs = tokenizer("What do ostriches do when threatened?", "They run away.", return_tensors="pt")
reward = model(**inputs).logits[0, 0].item()
```

There is no chat template: the question is the first segment and the answer the second. Earlier turns, where
there are any, go into the question with `User: ` or `Assistant: ` before each.

## What it is

all-MiniLM-L6-v2 (Apache-2.0; Reimers and Gurevych 2019, arXiv:1908.10084; MiniLM: Wang et al. 2020,
arXiv:2002.10957) with its first {layers} of 6 layers, {vocabulary:,} of its 30,522 wordpieces and a new head
with one output: {parameters:.1f} million parameters, stored in float16, meant to be run in float32. Fine-tuned
with a Bradley-Terry loss over groups of replies to one prompt, each group with a reply to another prompt that
must lose to all others. `python -m builders.demo_model.train --sources DIR --out DIR` trains one like it and
writes every file.

Training has two stages, each with its own rise and fall of the learning rate. The first is on everything. The
second dwells on sources of rmaudit's panel from which the first had learnt little; a group is taken as often as
its source's number says, a fraction being the chance of once more.

| stage | passes | peak learning rate | weight of off-topic replies | times a pass takes a group |
| --- | ---: | ---: | ---: | --- |
{stages}

## Training data

Prompts are split by a hash before anything else: 40% of them, and all prompts of two published test files, are
held out from training whatever source they appear in. `training_prompts.txt` holds the first 16 hex digits of
the hash of every prompt that was trained on or used for choices ({hashes:,} of them), so that anyone can check
that theirs was not.

| source | licence | prompts | replies | comparisons | cite |
| --- | --- | ---: | ---: | --- | --- |
{training}

No text of these sets is in the files of the model.

## Accuracy on held-out prompts

How often the better reply of a pair gets the higher reward; 0.5 is chance. The interval is a
{interval}.
The last two columns are accuracies on the same pairs: of this model after the first stage alone, and of always
preferring the longer reply.

| comparison | accuracy [95% interval] | pairs | prompts | reading | first stage | longer reply |
| --- | --- | ---: | ---: | --- | ---: | ---: |
{accuracy}

**Two configurations were measured on held-out prompts**, these and those of rmaudit's panel, which are among
them: the model after the first stage, and the model after both. The second was set up when the first had been
measured, and it ships because its panel accuracy, the mean over prompts of the share of pairs in the right order,
is higher: 0.582 [0.546, 0.617], after the first stage 0.566 [0.531, 0.601]. The two intervals overlap, and neither
is enough for rmaudit to say that the model tracks quality. As held-out prompts took part in the choice, the
accuracies of the model that ships are a little flattered.

Point estimates that are lower than after the first stage: {fell}.

## Known limits and biases

- It judges relevance far better than quality. Where the table says "not shown to differ from chance", nothing
  was learnt that could be measured.
- The pooled accuracy owes most to TruthfulQA: over the other human labels together it is {without_truthfulqa:.3f}.
- Labels on which always preferring the longer reply does clearly better than it: {beaten_by_length}.
- It does not reason, calculate or know facts: a fluent false answer can beat a true one.
- It has the preferences of a few small data sets, among them their biases about length, tone and form. Crowd
  workers agree with one another only in part, so part of the distance to 1 is noise in the labels.
- English only, lower-cased. Rare words are spelt out in small pieces; other scripts are mostly unknown to it.
- Trained on at most {max_length} tokens: of longer texts, up to the limit of 512, it saw no example.
- It was not made safe. It has seen harmful conversations only as pairs of crowd preferences.

What rmaudit finds in it is real, found in a real model, and says nothing about any other.
"""


def write(folder: Path) -> None:
    """Write ``README.md`` for the model in ``folder`` from its other files."""
    first_stage = json.loads(_FIRST_STAGE.read_text(encoding="utf-8"))
    report = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = (folder / "model.safetensors").stat().st_size
    card = _CARD.format(
        size=weights / 1e6,
        parameters=weights / 2e6,
        layers=config["num_hidden_layers"],
        vocabulary=config["vocab_size"],
        hashes=len((folder / "training_prompts.txt").read_text(encoding="ascii").split()),
        max_length=report["trained_on_tokens"],
        interval=report["interval"],
        stages="\n".join(_stage_row(number, stage) for number, stage in enumerate(Settings().stages, 1)),
        fell=", ".join(
            f"{kind} ({first_stage[kind]['accuracy']:.3f} to {result['accuracy']:.3f})"
            for kind, result in report["held_out"].items()
            if result["accuracy"] < first_stage[kind]["accuracy"]
        )
        or "none",
        without_truthfulqa=_pooled(
            [report["held_out"][kind] for kind in report["human_labels"] if not kind.startswith("truthfulqa")]
        ),
        beaten_by_length=", ".join(
            kind
            for kind, result in report["held_out"].items()
            if result["longer"] > result["high"] and result["prompts"] >= _FEWEST_PROMPTS
        )
        or "none",
        training="\n".join(_training_row(source, counts) for source, counts in report["training"].items()),
        accuracy="\n".join(
            _accuracy_row(title, report["held_out"][kind], first_stage[kind]["accuracy"])
            for kind, title in _KINDS.items()
        ),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def _stage_row(number: int, stage: Stage) -> str:
    times = ", ".join(f"{source} {times:g}" for source, times in stage.repeats.items()) or "every source 1"
    return f"| {number} | {stage.epochs} | {stage.learning_rate:.1e} | {stage.off_topic_weight} | {times} |"


def _training_row(name: str, counts: dict[str, Any]) -> str:
    source = _SOURCES[name]
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in counts["comparisons"].items())
    return (
        f"| {source.title} | {source.licence} | {counts['prompts']:,} | {counts['replies']:,} | {kinds} "
        f"| {source.citation} |"
    )


def _pooled(results: list[dict[str, Any]]) -> float:
    """Accuracy over the pairs of several kinds."""
    right: float = sum(result["accuracy"] * result["pairs"] for result in results)
    pairs: int = sum(result["pairs"] for result in results)
    return right / pairs


def _accuracy_row(title: str, result: dict[str, Any], first_stage: float) -> str:
    if result["prompts"] < _FEWEST_PROMPTS:
        reading = "too few prompts to tell"
    elif result["low"] > 0.5:
        reading = "above chance"
    elif result["high"] < 0.5:
        reading = "**below chance**"
    else:
        reading = "not shown to differ from chance"
    interval = f"{result['accuracy']:.3f} [{result['low']:.3f}, {result['high']:.3f}]"
    counts = f"{result['pairs']:,} | {result['prompts']:,}"
    return f"| {title} | {interval} | {counts} | {reading} | {first_stage:.3f} | {result['longer']:.3f} |"
