"""Tiny random checkpoints, written to a folder as people's checkpoints are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ConvBertConfig,
    ConvBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

torch.set_num_threads(1)

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "[CLS]", "[SEP]", "<|user|>", "<|assistant|>", "<|system|>"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz .,?!'0123456789\nABCDEFGHIJKLMNOPQRSTUVWXYZ")

QUESTIONS = ["Why is the sky blue?", "Name a fruit.", "How long is a day", "Say hi"]
ANSWERS = [
    "Light scatters, and blue light most of all.",
    "A pear",
    "24 hours!",
    "hi",
    "I do not know that at all.",
]


def conversations() -> list[list[dict[str, str]]]:
    """Twenty conversations of different lengths, some with more turns."""
    made = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question in QUESTIONS
        for answer in ANSWERS
    ]
    made[3] = [{"role": "system", "content": "Be kind."}, *made[3]]
    made[7] = [*made[3], {"role": "user", "content": "More"}, {"role": "assistant", "content": "No"}]
    return made


def tokenizer(
    template: str | None = TEMPLATE,
    pad: str | None = "<pad>",
    bos: bool = False,
    pair: bool = False,
    segments: bool = True,
) -> PreTrainedTokenizerFast:
    """A character tokenizer. With `bos` it writes ``<s>`` before every text; with `pair` BERT's segments."""
    vocab = {token: i for i, token in enumerate(SPECIAL + LETTERS)}
    base = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    base.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    if bos:
        base.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", vocab["<s>"])])
    if pair:
        base.post_processor = processors.TemplateProcessing(
            "[CLS] $A [SEP]",
            "[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])],
        )
    names = {"unk_token": "<unk>"}
    names |= {"cls_token": "[CLS]", "sep_token": "[SEP]"} if pair else {"bos_token": "<s>", "eos_token": "</s>"}
    if pad:
        names["pad_token"] = pad
    made = PreTrainedTokenizerFast(
        tokenizer_object=base,
        additional_special_tokens=SPECIAL[6:],
        model_input_names=["input_ids", "attention_mask", *(["token_type_ids"] if pair and segments else [])],
        **names,
    )
    made.chat_template = template
    return made


def _save(model: Any, made: Any, root: Path, **kwargs: Any) -> Path:
    model.save_pretrained(root, **kwargs)
    made.save_pretrained(root)
    return root


def _size(**more: Any) -> dict[str, Any]:
    return {"vocab_size": len(SPECIAL) + len(LETTERS), "num_labels": 1, **more}


def llama(
    root: Path, seed: int = 0, pad_id: int | None = 0, shard: str = "1GB", positions: int = 256, **tok: Any
) -> Path:
    """A Llama reward model."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        **_size(
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=positions,
            pad_token_id=pad_id,
            bos_token_id=1,
            eos_token_id=2,
            initializer_range=0.5,
        )
    )
    return _save(LlamaForSequenceClassification(config), tokenizer(**tok), root, max_shard_size=shard)


def gpt2(root: Path, pad_id: int | None = 0, **tok: Any) -> Path:
    """A GPT-2 reward model, whose positions are absolute."""
    torch.manual_seed(1)
    config = GPT2Config(
        **_size(n_embd=16, n_layer=2, n_head=2, n_positions=256, pad_token_id=pad_id, initializer_range=0.5)
    )
    return _save(GPT2ForSequenceClassification(config), tokenizer(**tok), root)


def _encoder(model: Any, config: Any, root: Path, template: str | None = None, **more: Any) -> Path:
    torch.manual_seed(2)
    made = config(
        **_size(
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            initializer_range=0.5,
            pad_token_id=0,
            **more,
        )
    )
    return _save(model(made), tokenizer(template=template, pair=True, segments="type_vocab_size" in more), root)


def bert(root: Path, template: str | None = None) -> Path:
    """A BERT reward model."""
    return _encoder(
        BertForSequenceClassification, BertConfig, root, template, max_position_embeddings=256, type_vocab_size=2
    )


def roberta(root: Path) -> Path:
    """A RoBERTa reward model, which reads fewer tokens than it has positions."""
    return _encoder(
        RobertaForSequenceClassification, RobertaConfig, root, max_position_embeddings=130, type_vocab_size=2
    )


def mpnet(root: Path) -> Path:
    """An MPNet reward model: no segments, and a model type without a head of its own in our table."""
    return _encoder(MPNetForSequenceClassification, MPNetConfig, root, max_position_embeddings=256)


def convbert(root: Path) -> Path:
    """A ConvBERT reward model, whose convolutions let padding leak into the text."""
    return _encoder(
        ConvBertForSequenceClassification,
        ConvBertConfig,
        root,
        max_position_embeddings=256,
        embedding_size=16,
        type_vocab_size=2,
    )


def edit_json(path: Path, **entries: Any) -> None:
    """Change entries of a JSON file; ``None`` takes one out."""
    value = json.loads(path.read_text()) | entries
    path.write_text(json.dumps({key: entry for key, entry in value.items() if entry is not None}))
