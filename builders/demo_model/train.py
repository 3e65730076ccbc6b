"""Train the demo reward model: ``python -m builders.demo_model.train --sources DIR --out DIR``.

A Bradley-Terry loss over comparisons within a group of replies to one prompt: each reply is scored once,
however many comparisons it takes part in. Everything is seeded; between machines, thread counts and library
versions the weights still differ a little.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from torch.nn.functional import logsigmoid
from transformers import BertForSequenceClassification, PreTrainedTokenizerBase

from builders.demo_model import card, evaluate
from builders.demo_model.data import Group, Split, load_split
from builders.demo_model.off_topic import OffTopicSampler, similar_groups
from builders.demo_model.prune import base_model_folder, choose_wordpieces, pruned_model, write_tokenizer
from builders.demo_model.settings import Settings, Stage


@dataclass(frozen=True)
class Item:
    """A group as the model sees it: token ids of each (question, reply) and comparisons between them."""

    inputs: list[tuple[list[int], list[int]]]
    labelled: list[tuple[int, int]]
    off_topic: list[tuple[int, int]]

    @property
    def length(self) -> int:
        """Tokens of the longest input, special ones included."""
        return max(len(question) + len(answer) for question, answer in self.inputs) + 3


class Encoder:
    """Token ids of texts, each text tokenised once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
        """Cut inputs to the lengths in ``settings``."""
        self._tokenizer, self._settings = tokenizer, settings
        self._cache: dict[str, list[int]] = {}

    def _ids(self, text: str) -> list[int]:
        if text not in self._cache:
            self._cache[text] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return self._cache[text]

    def pair(self, question: str, answer: str) -> tuple[list[int], list[int]]:
        """Both segments, cut to fit: the question loses its beginning, and only then the answer its end."""
        answer_ids = self._ids(answer)[: self._settings.max_answer]
        room = self._settings.max_length - 3 - len(answer_ids)
        return self._ids(question)[-room:], answer_ids


def repeated(groups: Sequence[Group], repeats: Mapping[str, float], rng: random.Random) -> list[Group]:
    """Take each group as often as its source says, a fraction being the chance of once more, in random order.

    Without ``repeats`` the groups are as they were, and nothing is drawn from ``rng``.
    """
    if not repeats:
        return list(groups)
    taken: list[Group] = []
    for group in groups:
        times = repeats.get(group.source, 1.0)
        taken += [group] * (int(times) + (rng.random() < times - int(times)))
    rng.shuffle(taken)
    return taken


def epoch_items(
    groups: Sequence[Group],
    sampler: OffTopicSampler,
    encoder: Encoder,
    settings: Settings,
    rng: random.Random,
) -> Iterator[Item]:
    """Yield the groups of one epoch: large ones in random parts, and off-topic replies in every part."""
    for number, group in enumerate(groups):
        order = list(range(len(group.replies)))
        rng.shuffle(order)
        parts = -(-len(order) // settings.max_replies)
        for start in range(parts):
            part, inputs, tokens = order[start::parts], [], 0
            for reply in part:
                inputs.append(encoder.pair(group.question, group.replies[reply]))
                tokens += sum(map(len, inputs[-1]))
                if len(inputs) > 1 and tokens > settings.max_group_tokens:
                    break
            place = {reply: position for position, reply in enumerate(part[: len(inputs)])}
            inside = [c for c in group.comparisons if c.better in place and c.worse in place]
            labelled = [(place[c.better], place[c.worse]) for c in inside]
            foreign = [sampler.draw(number) for _ in range(settings.off_topic_replies)]
            off_topic = list(product(range(len(inputs)), range(len(inputs), len(inputs) + len(foreign))))
            inputs += [encoder.pair(group.question, reply) for reply in foreign]
            yield Item(inputs, labelled, off_topic)


def batches(items: list[Item], tokens: int, rng: random.Random) -> list[list[Item]]:
    """Items of similar length together, about ``tokens`` padded tokens a batch, in random order."""
    items.sort(key=lambda item: (item.length, rng.random()))
    made: list[list[Item]] = []
    rows = 0
    for item in items:
        rows += len(item.inputs)
        if not made or rows * item.length > tokens:
            made.append([])
            rows = len(item.inputs)
        made[-1].append(item)
    rng.shuffle(made)
    return made


def collate(batch: Sequence[Item], tokenizer: PreTrainedTokenizerBase) -> dict[str, torch.Tensor]:
    """One padded batch of ``[CLS] question [SEP] answer [SEP]`` inputs."""
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    pairs = [pair for item in batch for pair in item.inputs]
    rows = [[cls, *question, sep, *answer, sep] for question, answer in pairs]
    types = [[0] * (len(question) + 2) + [1] * (len(answer) + 1) for question, answer in pairs]
    width = max(map(len, rows))
    return {
        "input_ids": torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in rows]),
        "token_type_ids": torch.tensor([row + [0] * (width - len(row)) for row in types]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }


def bradley_terry_loss(rewards: torch.Tensor, batch: Sequence[Item], off_topic_weight: float) -> torch.Tensor:
    """Mean over groups of the mean ``-log sigmoid(better - worse)`` of each kind of comparison."""
    better, worse, weights = [], [], []
    start = 0
    for item in batch:
        for pairs, weight in ((item.labelled, 1.0), (item.off_topic, off_topic_weight)):
            better += [start + i for i, _ in pairs]
            worse += [start + j for _, j in pairs]
            weights += [weight / (len(pairs) * len(batch))] * len(pairs) if pairs else []
        start += len(item.inputs)
    return -(torch.tensor(weights) * logsigmoid(rewards[better] - rewards[worse])).sum()


def rate(stage: Stage, done: float) -> float:
    """The learning rate when this share of the stage's steps is done: up, then linearly down to zero."""
    warmup = stage.warmup_share
    return stage.learning_rate * min(done / warmup, (1 - done) / (1 - warmup))


def train_epoch(
    model: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    plan: Sequence[Sequence[Item]],
    stage: Stage,
    epoch: int,
) -> None:
    """Train on the batches of one epoch of a stage, with an optimiser of its own."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": stage.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    )
    began, running = time.monotonic(), 0.0
    model.train()
    for step, batch in enumerate(plan, 1):
        for part in optimizer.param_groups:
            part["lr"] = rate(stage, (epoch + (step - 1) / len(plan)) / stage.epochs)
        with torch.autocast("cpu", torch.bfloat16):
            rewards = model(**collate(batch, tokenizer)).logits
        loss = bradley_terry_loss(rewards.squeeze(-1).float(), batch, stage.off_topic_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        running += (loss.item() - running) / min(step, 50)
        if step % 25 == 0:
            progress = f"epoch {epoch + 1} step {step}/{len(plan)}"
            print(f"{progress} loss {running:.4f} {time.monotonic() - began:.0f}s", flush=True)
    model.eval()


def fit(
    model: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    split: Split,
    settings: Settings,
    out: Path,
    done: int = 0,
) -> None:
    """Train in place, saving after every epoch and printing accuracy on the development prompts.

    An epoch depends on nothing but the saved weights, its stage and its number in it: its seeds and optimiser are
    new. So a run that was interrupted can go on where so many epochs, over all stages, are ``done``.
    """
    encoder = Encoder(tokenizer, settings)
    epochs = [(stage, epoch) for stage in settings.stages for epoch in range(stage.epochs)]
    for stage, epoch in epochs[done:]:
        torch.manual_seed(stage.seed + epoch)
        rng = random.Random(stage.seed + epoch)
        groups = repeated(split.train, stage.repeats, rng)
        sampler = OffTopicSampler(groups, similar_groups(base_model_folder(), groups), rng)
        items = list(epoch_items(groups, sampler, encoder, settings, rng))
        train_epoch(model, tokenizer, batches(items, settings.tokens_a_batch, rng), stage, epoch)
        model.half().save_pretrained(out)
        model.float()
        print(evaluate.as_text(evaluate.measure(model, tokenizer, split.dev)), flush=True)


def write_training_prompts(groups: Sequence[Group], out: Path) -> None:
    """Hashes of all prompts trained or tuned on, so that anyone can check that a prompt was not."""
    keys = sorted({group.key[:16] for group in groups})
    (out / "training_prompts.txt").write_text("\n".join(keys) + "\n", encoding="ascii")


def first_names(sources: Path, each: int = 200) -> list[str]:
    """The most frequent first names of the 1990 US census, kept whole in the vocabulary."""
    names: list[str] = []
    for sex in ("female", "male"):
        table = (sources / "ship" / "names" / f"census1990_{sex}_first.jsonl").read_text(encoding="utf-8")
        names += [json.loads(line)["name"] for line in table.splitlines()[:each]]
    return names


def main() -> None:
    """Train, evaluate and write every file that ships."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=Path, required=True, help="folder that contains ship/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--done", type=int, default=0, help="epochs, over all stages, that --out has behind it")
    options = parser.parse_args()
    settings = Settings()
    torch.set_num_threads(options.threads)
    torch.manual_seed(settings.seed)

    split = load_split(options.sources)
    texts = [text for group in split.train for text in (group.question, *group.replies)]
    base = base_model_folder()
    pieces = choose_wordpieces(base, texts, first_names(options.sources), settings.wordpieces)
    tokenizer = write_tokenizer(base, pieces, options.out)
    write_training_prompts([*split.train, *split.dev], options.out)
    if options.done:
        model = BertForSequenceClassification.from_pretrained(options.out, dtype=torch.float32)
    else:
        model = pruned_model(base, pieces, settings.layers)
    fit(model, tokenizer, split, settings, options.out, options.done)
    evaluate.write(options.out, split.train, split.held_out)
    card.write(options.out)


if __name__ == "__main__":
    main()
