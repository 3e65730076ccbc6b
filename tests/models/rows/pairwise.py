"""C1 to C3: models that compare two responses, asked in both orders."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tests.models.rows import common as c
from tests.models.rows.values import lm_head

# ---------------------------------------------------------------- PairRM

PAIR_WORDS = c.Words(template=None, bos=None, eos=None, adds=c.SEGMENTS, classes=True)
VOCAB = PAIR_WORDS.vocabulary()
DEBERTA: dict[str, Any] = {
    "model_type": "deberta-v2",
    "vocab_size": PAIR_WORDS.size(),
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
    "max_position_embeddings": 512,
    "max_relative_positions": -1,
    "pad_token_id": 0,
}
MARKS = {"source_prefix_id": "<|source|>", "cand1_prefix_id": "<|candidate1|>", "cand2_prefix_id": "<|candidate2|>"}
TASKS = 3
PAIR_HEAD = {
    "head_layer.1.weight": c.normal("C1a", 16, 32, std=0.3),
    "head_layer.1.bias": c.normal("C1b", 16),
    "head_layer.4.weight": c.normal("C1c", TASKS, 16, std=1.0),
    "head_layer.4.bias": c.normal("C1d", TASKS),
}


def _write_pairrm(root: Path) -> None:
    PAIR_WORDS.write(root)
    ids = {key: VOCAB[token] for key, token in MARKS.items()}
    entries = {"n_tasks": TASKS, "drop_out": 0.05, "sep_token_id": VOCAB["[SEP]"], "cand_prefix_id": 0, **ids}
    c.write_json(root / "config.json", {**DEBERTA, "architectures": ["DebertaV2PairRM"], **entries})
    c.save(root, c.state(c.base(DEBERTA, "C1", std=0.9), "pretrained_model.") | PAIR_HEAD)


def _one_order(root: Path, prompt: str, first: str, second: str) -> float:
    model, tensors = c.loaded(root, DEBERTA, "pretrained_model.")
    texts = zip(MARKS.values(), (prompt, first, second), strict=True)
    ids = [token for mark, text in texts for token in c.encode(root, mark + text)]
    states = _encoder_hidden(model, ids)
    source, one, two = (states[ids.index(VOCAB[mark])] for mark in MARKS.values())

    def head(candidate: torch.Tensor) -> torch.Tensor:
        inner = torch.tanh(
            tensors["head_layer.1.weight"] @ torch.cat([source, candidate]) + tensors["head_layer.1.bias"]
        )
        return tensors["head_layer.4.weight"] @ inner + tensors["head_layer.4.bias"]

    return float((head(one) - head(two)).mean())


def _encoder_hidden(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return torch.as_tensor(model(input_ids=torch.tensor([ids])).last_hidden_state[0])


def _pairrm(root: Path, prompt: str, a: str, b: str) -> float:
    """Mean of the two orders, the second with its sign turned round."""
    return (_one_order(root, prompt, a, b) - _one_order(root, prompt, b, a)) / 2


# ---------------------------------------------------------------- preference language models

# The tokens "A" and "B" are single characters here, as they are single tokens in Llama 3.
SLIC_WORDS = c.Words(template=c.LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>", adds=("<|begin_of_text|> $A",))
SLIC = c.llama(SLIC_WORDS)
CONTEXT = (
    "\n{% for message in messages %}{% if loop.index0 % 2 == 0 %}\n\n<turn> user\n {{ message['content'] }}"
    "{% else %}\n\n<turn> assistant\n {{ message['content'] }}{% endif %}{% endfor %}\n\n\n"
)


def _write_slic(root: Path) -> None:
    SLIC_WORDS.write(root)
    c.write_json(root / "config.json", SLIC)
    c.save(root, c.state(c.base(SLIC, "C2", std=0.9), "model.") | lm_head("llama", SLIC))


def _first_wins(root: Path, prompt: str, first: str, second: str) -> float:
    model, tensors = c.loaded(root, SLIC, "model.")
    context = c.render(root, [{"role": "user", "content": prompt}], template=CONTEXT)
    message = f"[CONTEXT] {context} [RESPONSE A] {first} [RESPONSE B] {second} \n"
    text = c.render(root, [{"role": "user", "content": message}]).replace("<|begin_of_text|>", "")
    logits = tensors["lm_head.weight"] @ c.hidden(model, c.encode(root, text, special=False))[-1]
    vocab = SLIC_WORDS.vocabulary()
    return float(torch.softmax(logits[[vocab["A"], vocab["B"]]], 0)[0])


def _slic(root: Path, prompt: str, a: str, b: str) -> float:
    """Probability that `a` is the better one, averaged over both orders."""
    return (_first_wins(root, prompt, a, b) + 1 - _first_wins(root, prompt, b, a)) / 2


# ---------------------------------------------------------------- SteamSHP

SHP_WORDS = c.Words(template=None, bos=None, adds=("$A </s>", "$A </s> $B </s>"), squeeze=True)
T5: dict[str, Any] = {
    "model_type": "t5",
    "vocab_size": SHP_WORDS.size(),
    "d_model": 16,
    "d_ff": 32,
    "d_kv": 8,
    "num_layers": 2,
    "num_heads": 2,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 2,
    "is_encoder_decoder": True,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}


def _t5(name: str = "") -> Any:
    from transformers import AutoModelForSeq2SeqLM

    made = AutoModelForSeq2SeqLM.from_config(c.library_config(T5), dtype=torch.float32)
    # The library ties the output layer to the embedding whatever the config says; files of this family hold both.
    made.lm_head.weight = torch.nn.Parameter(made.lm_head.weight.detach().clone())
    return c.shake(made, name, std=1.2)


def _write_shp(root: Path) -> None:
    SHP_WORDS.write(root)
    c.write_json(root / "config.json", {**T5, "architectures": ["T5ForConditionalGeneration"]})
    tensors = c.state(_t5("C3"))
    # An output layer under which "A" is neither certain nor out of the question.
    tensors["lm_head.weight"] = c.normal("C3", SHP_WORDS.size(), 16, std=0.1)
    tensors["lm_head.weight"][SHP_WORDS.vocabulary()["A"]] *= 10
    c.save(root, {key: value for key, value in tensors.items() if not key.endswith("coder.embed_tokens.weight")})


@lru_cache(maxsize=1)
def _shp_model(root: Path) -> Any:
    tensors = c.weights(root)
    tied = {f"{side}.embed_tokens.weight": tensors["shared.weight"] for side in ("encoder", "decoder")}
    return c.filled(_t5(), tied | tensors)


def _says_a(root: Path, prompt: str, first: str, second: str) -> float:
    text = f"POST: {prompt}\n\n RESPONSE A: {first}\n\n RESPONSE B: {second}\n\n Which response is better? RESPONSE"
    with torch.no_grad():
        logits = _shp_model(root)(
            input_ids=torch.tensor([c.encode(root, text)]), decoder_input_ids=torch.tensor([[0]])
        ).logits[0, 0]
    return float(torch.softmax(logits, 0)[SHP_WORDS.vocabulary()["A"]])


def _shp(root: Path, prompt: str, a: str, b: str) -> float:
    """Probability of the token "A" for `a`, averaged over both orders."""
    return (_says_a(root, prompt, a, b) + 1 - _says_a(root, prompt, b, a)) / 2


ROWS = [
    c.Row("C1", "pairrm", _write_pairrm, prefer=_pairrm, head=tuple(PAIR_HEAD)),
    c.Row(
        "C2",
        "pair-preference",
        _write_slic,
        prefer=_slic,
        options={"format": "pair-preference"},
        neutral=0.5,
        head=("lm_head.weight",),
    ),
    c.Row(
        "C3", "steamshp", _write_shp, prefer=_shp, options={"format": "steamshp"}, neutral=0.5, head=("lm_head.weight",)
    ),
]
