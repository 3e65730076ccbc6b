"""What the rows share: how a tiny checkpoint is written, read back and put through a plain forward pass.

Nothing here comes from the package under test. Text is rendered by Jinja, tokens are made by ``tokenizers``, and a
reward is one forward of the bare base model over one conversation without padding, times the head's own tensors.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel

torch.set_num_threads(1)

Tensors = dict[str, torch.Tensor]
Talk = list[dict[str, str]]


@dataclass(frozen=True)
class Row:
    """One kind of checkpoint: how its files look and what its reward is."""

    id: str
    format: str
    write: Callable[[Path], None]
    expected: Callable[[Path, Talk], float] | None = None
    prefer: Callable[[Path, str, str, str], float] | None = None
    """In place of `expected`, where a model answers about a pair: above `neutral` where the first is preferred."""
    neutral: float = 0.0
    head: tuple[str, ...] = ()
    """Tensors without which there is no reward, under the names that they have in the files."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Loading options; ``{root}`` in a text is the checkpoint's folder."""
    talks: Callable[[], list[Talk]] = field(default=lambda: SINGLE)
    steps: Callable[[Path, Talk], list[float]] | None = None

    def options_for(self, root: Path) -> dict[str, Any]:
        return {
            key: value.format(root=root) if isinstance(value, str) else value for key, value in self.options.items()
        }


# ---------------------------------------------------------------- conversations


def talk(question: str, answer: str) -> Talk:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


SINGLE: list[Talk] = [
    talk("Why is the sky blue?", "Light scatters, and blue light most of all."),
    talk("Why is the sky blue?", "I do not know that at all, so ask somebody who does."),
    talk("Name a fruit.", "A pear"),
    talk("Name a fruit.", "No."),
    talk("How long is a day", "24 hours!"),
    talk("How long is a day", "The day of the earth: 24 hours. The day of Venus: 243 of ours."),
    talk("Say hi", "hi"),
    talk("Say hi", "Hello there, how are you today?"),
    talk("What is 1+1?", "1+1=2"),
]
SEVERAL: list[Talk] = [
    *SINGLE,
    [*talk("Say hi", "hi"), *talk("Once more", "hi hi")],
    [{"role": "system", "content": "Be kind."}, *talk("Name a fruit.", "Gladly: a plum.")],
]
TRIPLES: list[tuple[str, str, str]] = [
    ("Why is the sky blue?", "Light scatters, and blue light most of all.", "No idea"),
    ("Name a fruit.", "A pear", "Apples are fruit, and so are pears."),
    ("Say hi", "hi", "Hello there, how are you today?"),
    ("How long is a day", "24 hours!", "12"),
]


def single() -> list[Talk]:
    return SINGLE


def several() -> list[Talk]:
    return SEVERAL


# ---------------------------------------------------------------- tokenizers

CHARACTERS = [*"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,?!':;+-=*<>|[]/()_%#\n"]
SPECIAL = (
    "<pad>",
    "<s>",
    "</s>",
    "<unk>",
    "[CLS]",
    "[SEP]",
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|prompter|>",
    "<|assistant|>",
    "<|source|>",
    "<|candidate1|>",
    "<|candidate2|>",
    "<extra_0>",
    "[UNUSED_TOKEN_130]",
)
LLAMA2_SPECIAL = ("<unk>", "<s>", "</s>", *(token for token in SPECIAL if token not in ("<unk>", "<s>", "</s>")))

PLAIN = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}: {{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant: {% endif %}"
)
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA3 = (
    "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}{{ '<|start_header_id|>' + m['role'] + "
    "'<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
SEGMENTS = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")


@dataclass(frozen=True)
class Words:
    """A tokenizer of single characters, with the special tokens and words that real vocabularies have."""

    template: str | None = PLAIN
    bos: str | None = "<s>"
    eos: str | None = "</s>"
    pad: str | None = "<pad>"
    adds: tuple[str, ...] = ()
    """What the tokenizer puts around a text (and a pair of texts) by itself, such as ``<s> $A``."""
    words: tuple[str, ...] = ()
    special: tuple[str, ...] = SPECIAL
    ids: tuple[tuple[str, int], ...] = ()
    """Ids that the format fixes; the other tokens are numbered from 0 around them."""
    squeeze: bool = False
    """Runs of white space become one space, and none is left at the ends, as in sentencepiece."""
    metaspace: bool = False
    classes: bool = False
    byte_level: bool = False
    """Bytes in place of characters, as GPT-2 and Qwen have it."""
    kind: str = "PreTrainedTokenizerFast"

    def vocabulary(self) -> dict[str, int]:
        fixed = dict(self.ids)
        taken = set(fixed.values())
        free = (number for number in range(10**6) if number not in taken)
        blank = ["▁"] if self.metaspace else []
        signs = sorted(pre_tokenizers.ByteLevel.alphabet()) if self.byte_level else CHARACTERS
        named = [t for t in (*self.special, *self.words, *signs, *blank) if t not in fixed]
        return {token: next(free) for token in named} | fixed

    def size(self) -> int:
        return max(self.vocabulary().values()) + 1

    def write(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        vocab = self.vocabulary()
        made = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
        words = [word.replace("+", "\\+") for word in sorted(self.words, key=len, reverse=True)]
        made.pre_tokenizer = pre_tokenizers.Split(Regex("|".join([*words, "[\\s\\S]"])), "isolated")
        if self.byte_level:
            made = Tokenizer(models.BPE(vocab, []))
            made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        if self.squeeze:
            made.normalizer = normalizers.Sequence([normalizers.Replace(Regex("\\s+"), " "), normalizers.Strip()])
        if self.metaspace:
            made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in self.special])
        if self.adds:
            text, pair = self.adds[0], self.adds[-1] if len(self.adds) > 1 else f"{self.adds[0]} $B"
            named = {part.removesuffix(":1") for part in pair.split() if not part.startswith("$")}
            made.post_processor = processors.TemplateProcessing(text, pair, [(t, vocab[t]) for t in sorted(named)])
        made.save(str(root / "tokenizer.json"))
        names = {"bos_token": self.bos, "eos_token": self.eos, "pad_token": self.pad, "unk_token": "<unk>"}
        if "[CLS] $A [SEP]" in self.adds:
            names |= {"cls_token": "[CLS]", "sep_token": "[SEP]"}
        config = {key: value for key, value in names.items() if value} | {
            "tokenizer_class": self.kind,
            "model_max_length": 1024,
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "attention_mask", *(["token_type_ids"] if self.classes else [])],
        }
        if self.template:
            config["chat_template"] = self.template
        write_json(root / "tokenizer_config.json", config)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=4)
def tokenizer(root: Path) -> Tokenizer:
    return Tokenizer.from_file(str(root / "tokenizer.json"))


def render(root: Path, messages: Sequence[Mapping[str, str]], generation: bool = False, template: str = "") -> str:
    """The conversation as the template of a folder (or `template`) writes it."""
    config = read_json(root / "tokenizer_config.json")
    names = {key: config.get(key, "") for key in ("bos_token", "eos_token", "pad_token")}
    engine = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    return str(
        engine.from_string(template or config["chat_template"]).render(
            messages=messages, add_generation_prompt=generation, **names
        )
    )


def encode(root: Path, text: str, special: bool = True) -> list[int]:
    return list(tokenizer(root).encode(text, add_special_tokens=special).ids)


def as_text(root: Path, text: str) -> list[int]:
    """Ids of a text with at most one begin-of-text token, whether the text or the tokenizer writes it."""
    begin = read_json(root / "tokenizer_config.json").get("bos_token")
    return encode(root, text, special=not (begin and text.startswith(begin)))


def chat(root: Path, messages: Talk) -> list[int]:
    return as_text(root, render(root, messages))


# ---------------------------------------------------------------- weights


def seed(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def normal(name: str, *shape: int, std: float = 0.4) -> torch.Tensor:
    return torch.randn(*shape, generator=seed(name)) * std


def shake(model: Any, name: str, std: float = 0.3) -> Any:
    """Give every parameter a random value that spreads the rewards, norms around 1."""
    source = seed(name)
    with torch.no_grad():
        for key, value in model.named_parameters():
            drawn = torch.randn(value.shape, generator=source)
            if value.ndim > 1:
                value.copy_(drawn * std)
            else:
                scale = key.endswith("weight") and ("norm" in key.lower() or "ln" in key)
                value.copy_(drawn * 0.1 + (1.0 if scale else 0.0))
    return model.eval()


def library_config(config: Mapping[str, Any]) -> Any:
    return AutoConfig.for_model(
        **{key: value for key, value in config.items() if key not in ("architectures", "auto_map")}
    )


def base(config: Mapping[str, Any], name: str = "", std: float = 0.3) -> Any:
    """The bare base model, with random weights."""
    return shake(
        AutoModel.from_config(library_config(config), dtype=torch.float32, attn_implementation="eager"), name, std
    )


def state(model: Any, prefix: str = "") -> Tensors:
    return {prefix + key: value.detach().clone().contiguous() for key, value in model.state_dict().items()}


def filled(model: Any, tensors: Mapping[str, torch.Tensor], prefix: str = "") -> Any:
    """`model` with the tensors under `prefix`; every one of its own must be there."""
    found = {key[len(prefix) :]: value.float() for key, value in tensors.items() if key.startswith(prefix)}
    wanted = model.state_dict()
    model.load_state_dict({key: found[key] for key in wanted})
    return model.eval()


def save(root: Path, tensors: Tensors, file: str = "model.safetensors") -> None:
    root.mkdir(parents=True, exist_ok=True)
    if file.endswith(".safetensors"):
        save_file({key: value.clone().contiguous() for key, value in tensors.items()}, root / file, {"format": "pt"})
    else:
        torch.save(tensors, root / file)


def save_shards(root: Path, tensors: Tensors, parts: int = 2, suffix: str = "safetensors") -> None:
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    keys = list(tensors)
    where: dict[str, str] = {}
    for part in range(parts):
        name = f"{stem}-{part + 1:05}-of-{parts:05}.{suffix}"
        mine = keys[part::parts]
        save(root, {key: tensors[key] for key in mine}, name)
        where |= dict.fromkeys(mine, name)
    size = sum(value.numel() * value.element_size() for value in tensors.values())
    write_json(root / f"{stem}.{suffix}.index.json", {"metadata": {"total_size": size}, "weight_map": where})


def read_weights(path: Path) -> Tensors:
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)


def weight_paths(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.suffix in (".safetensors", ".bin", ".pt"))


def weights(root: Path) -> Tensors:
    """All tensors of a folder, from whatever files they lie in."""
    return {key: value for path in weight_paths(root) for key, value in read_weights(path).items()}


def remove(root: Path, name: str) -> None:
    """Take one tensor out of a checkpoint, and out of its index."""
    found = False
    for path in weight_paths(root):
        tensors = read_weights(path)
        if name in tensors:
            found = True
            save(root, {key: value for key, value in tensors.items() if key != name}, path.name)
    for path in root.glob("*.index.json"):
        index = read_json(path)
        index["weight_map"].pop(name, None)
        write_json(path, index)
    assert found, f"{name} is in no file of {root}"


def llama(words: Words, **more: Any) -> dict[str, Any]:
    """A config as Llama checkpoints of the era have it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": words.size(),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "hidden_act": "silu",
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        **token_ids(words),
        **more,
    }


def token_ids(words: Words) -> dict[str, Any]:
    vocab = words.vocabulary()
    names = {"bos_token_id": words.bos, "eos_token_id": words.eos, "pad_token_id": words.pad}
    return {key: vocab[token] if token else None for key, token in names.items()}


ONE_LABEL = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}


def hidden(model: Any, ids: Sequence[int], **more: Any) -> torch.Tensor:
    """Last hidden states of one sequence, shape (tokens, hidden)."""
    with torch.no_grad():
        found = model(input_ids=torch.tensor([list(ids)]), use_cache=False, **more).last_hidden_state
    return torch.as_tensor(found[0])


@lru_cache(maxsize=2)
def _loaded(root: Path, config: str, prefix: str) -> tuple[Any, Tensors]:
    tensors = weights(root)
    return filled(base(json.loads(config)), tensors, prefix), tensors


def loaded(root: Path, config: Mapping[str, Any], prefix: str) -> tuple[Any, Tensors]:
    """Base model and all tensors of a folder; the last ones are kept, since several conversations follow."""
    return _loaded(root, json.dumps(dict(config)), prefix)


Read = Callable[[torch.Tensor, list[int], Tensors], float]
"""From last hidden states (tokens, hidden), ids and the checkpoint's tensors to the reward."""


def last_linear(weight: str, bias: str | None = None) -> Read:
    """The head's linear map at the last token."""

    def read(states: torch.Tensor, ids: list[int], tensors: Tensors) -> float:
        value = tensors[weight].float() @ states[-1]
        return float(value[0] + (tensors[bias][0] if bias else 0.0))

    return read


def decoder(
    id: str,
    format: str,
    config: Mapping[str, Any],
    head: Tensors,
    read: Read,
    *,
    words: Words,
    prefix: str = "model.",
    arch: str | None = None,
    entries: Mapping[str, Any] | None = None,
    more: Tensors | None = None,
    store: Callable[[Path, Tensors], None] = save,
    ids: Callable[[Path, Talk], list[int]] = chat,
    talks: Callable[[], list[Talk]] = several,
    options: Mapping[str, Any] | None = None,
) -> Row:
    """A row whose files are one base model under `prefix`, the head's tensors, and nothing that is special."""

    def write(root: Path) -> None:
        words.write(root)
        written = {**config, **({"architectures": [arch]} if arch else {}), **(entries or {})}
        write_json(root / "config.json", {key: value for key, value in written.items() if value is not None})
        store(root, state(base(config, id), prefix) | head | (more or {}))

    def expected(root: Path, conversation: Talk) -> float:
        model, tensors = loaded(root, config, prefix)
        tokens = ids(root, conversation)
        return read(hidden(model, tokens), tokens, tensors)

    return Row(id, format, write, expected, head=tuple(head), options=options or {}, talks=talks)


QWEN = Words(template=CHATML, bos=None, eos="<|im_end|>", pad="<|endoftext|>", byte_level=True, kind="Qwen2Tokenizer")
"""Another kind of tokenizer beside a Qwen2 config is replaced by some versions of the library (`S1-qwen2-words`)."""
