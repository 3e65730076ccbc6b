"""The same checkpoints scored by rmaudit and by RewardBench: where are the rewards equal, and where not, and why?

Writes tiny classifiers with random weights, scores pairs of the shipped panel with them and with the demo model, and
prints Markdown tables. The yardstick is neither tool but a plain forward: the library's own class, one conversation at
a time, no padding. RewardBench needs an older transformers than rmaudit, so it runs in an environment of its own,
through the function that its command line calls, unmodified; only its fixed device "cuda" becomes the CPU where there
is no GPU.

    python -m venv rb && rb/bin/pip install rewardbench==0.1.4 trl==0.16.1 "setuptools<81"
    python benchmarks/rewardbench_parity.py --python rb/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Nothing else at the top: half of this file runs where rmaudit is not installed.

Pair = tuple[list[dict[str, str]], list[dict[str, str]]]
"""A conversation with the better answer, and the same with the worse one."""

CHAT = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
PLAIN = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} {% endfor %}"
BATCH = 8
"""RewardBench's own default."""


# ---- RewardBench's side: runs under its Python -----------------------------------------------------------------------


def worker(path: Path) -> None:
    """Answer a list of jobs: arguments of RewardBench in, its scores of (chosen, rejected) out."""
    import torch
    import transformers

    torch.set_num_threads(1)
    if not torch.cuda.is_available():
        move = transformers.BatchEncoding.to
        transformers.BatchEncoding.to = lambda self, device, **more: move(
            self, "cpu" if device == "cuda" else device, **more
        )
    answers = []
    for job in json.loads(path.read_text()):
        run = as_script if job.pop("script", False) else as_command
        try:
            answers.append({"scores": run(**job)})
        except Exception as error:
            answers.append({"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"})
    versions = {name: sys.modules[name].__version__ for name in ("rewardbench", "transformers", "torch")}
    path.with_suffix(".answers").write_text(json.dumps({"versions": versions, "answers": answers}))


def as_command(model: str, dataset: str, **arguments: Any) -> list[list[float]]:
    """What ``rewardbench --model MODEL --dataset DATASET --load_json …`` writes."""
    from rewardbench.rewardbench import Args, rewardbench

    rewardbench(Args(model=model, dataset=dataset, load_json=True, not_quantized=True, output_dir="out/", **arguments))
    rows = [json.loads(line) for line in Path("out", f"{model}_outputs.jsonl").read_text().splitlines()]
    return [[row["scores_chosen"], row["scores_rejected"]] for row in rows]


def as_script(model: str, dataset: str) -> list[list[float]]:
    """The pipeline as ``scripts/run_v2.py`` sets it up; the script itself reads only data sets from a hub."""
    import torch
    from rewardbench import REWARD_MODEL_CONFIG, prepare_dialogue_from_tokenizer
    from transformers import AutoTokenizer

    config, tokenizer = REWARD_MODEL_CONFIG["default_v2"], AutoTokenizer.from_pretrained(model)
    built = config["model_builder"](model, torch_dtype=torch.float32)
    pipe = config["pipeline_builder"]("text-classification", model=built, tokenizer=tokenizer)
    lines = [json.loads(line) for line in Path(dataset).read_text().splitlines()]
    rows = [
        prepare_dialogue_from_tokenizer(
            {"prompt": row["chosen"][:-1], **{key: row[key][-1]["content"] for key in ("chosen", "rejected")}},
            tokenizer,
        )
        for row in lines
    ]
    columns = []
    for side in ("text_chosen", "text_rejected"):
        texts = [row[side] for row in rows]
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        scores = [pipe(batch, truncation=True, padding=True, max_length=2048) for batch in batches]
        columns.append(torch.cat(scores)[:, 0].tolist())
    return [list(scores) for scores in zip(*columns, strict=True)]


# ---- Checkpoints, in a form that old and new transformers read alike -------------------------------------------------


def write_tokenizer(
    root: Path, template: str | None, encoder: bool = False, bos: bool = False, pad: bool = True
) -> int:
    """The demo model's word pieces, as an encoder or a decoder has them; returns the size of the vocabulary."""
    from tokenizers import AddedToken, Tokenizer, processors

    from rmaudit.resources import demo_model_dir

    made = Tokenizer.from_file(str(demo_model_dir() / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}
    if encoder:
        config |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "model_max_length": 512}
        config["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    else:
        marks = ["<s>", "</s>", "<|user|>", "<|assistant|>"]
        made.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
        begin = [("<s>", made.token_to_id("<s>"))]
        made.post_processor = processors.TemplateProcessing("<s> $A" if bos else "$A", special_tokens=begin)
        config |= {"bos_token": "<s>", "eos_token": "</s>", "model_input_names": ["input_ids", "attention_mask"]}
    if pad:
        config["pad_token"] = "[PAD]"
    if template:
        config["chat_template"] = template
    made.save(str(root / "tokenizer.json"))
    (root / "tokenizer_config.json").write_text(json.dumps(config))
    return int(made.get_vocab_size())


def write_model(root: Path, architecture: str, fields: dict[str, Any], spread: float) -> None:
    """A model with random weights of standard deviation `spread`, from a fixed seed."""
    import torch
    import transformers
    from safetensors.torch import save_file

    torch.manual_seed(0)
    cls = getattr(transformers, architecture)
    labels = {"id2label": {0: "reward"}, "label2id": {"reward": 0}}
    model = cls(cls.config_class(initializer_range=spread, **labels, **fields))
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, root / "model.safetensors")
    config = {"architectures": [architecture], "model_type": cls.config_class.model_type, **labels, **fields}
    (root / "config.json").write_text(json.dumps(config, indent=1))


def decoder(architecture: str, **tokens: Any) -> Callable[[Path], None]:
    """A Llama or GPT-2 checkpoint."""

    def write(root: Path) -> None:
        template = ("<s>" if tokens.get("bos") else "") + CHAT
        size = write_tokenizer(root, template, **tokens)
        padding = {"pad_token_id": 0} if tokens.get("pad", True) else {}
        if architecture.startswith("GPT2"):
            shape = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 1024}
        else:
            shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
            shape |= {"num_key_value_heads": 4, "max_position_embeddings": 8192}
        ends = {"bos_token_id": size - 4, "eos_token_id": size - 3}
        write_model(root, architecture, {"vocab_size": size, **shape, **padding, **ends}, 0.1)

    return write


def encoder(architecture: str, template: str | None) -> Callable[[Path], None]:
    """A BERT or DeBERTa-v2 checkpoint; the latter with the attention of DeBERTa-v3."""

    def write(root: Path) -> None:
        size = write_tokenizer(root, template, encoder=True)
        shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
        shape |= {"num_attention_heads": 4, "max_position_embeddings": 512, "pad_token_id": 0}
        if architecture.startswith("Deberta"):
            shape |= {"relative_attention": True, "position_buckets": 64, "norm_rel_ebd": "layer_norm"}
            shape |= {"share_att_key": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
            shape |= {"type_vocab_size": 0, "pooler_hidden_size": 32, "pooler_hidden_act": "gelu", "pooler_dropout": 0}
        write_model(root, architecture, {"vocab_size": size, **shape}, 0.3)

    return write


def demo(root: Path) -> None:
    """The demo model, under a name without meaning."""
    import shutil

    from rmaudit.resources import demo_model_dir

    shutil.copytree(demo_model_dir(), root, dirs_exist_ok=True)


@dataclass(frozen=True)
class Case:
    """One checkpoint of the table."""

    name: str
    write: Callable[[Path], None]
    why: str
    joined: bool = False
    """It has no chat template, so RewardBench needs one by name: `raw`, which its settings name for a pair encoder."""

    @property
    def folder(self) -> str:
        """A folder name for the checkpoint."""
        return "".join(letter if letter.isalnum() else "_" for letter in self.name.lower())


LLAMA, GPT2, BERT = "LlamaForSequenceClassification", "GPT2ForSequenceClassification", "BertForSequenceClassification"
DEBERTA = "DebertaV2ForSequenceClassification"
CASES = (
    Case("Llama", decoder(LLAMA), "nothing differs"),
    Case("Llama, doubled BOS", decoder(LLAMA, bos=True), "the second BOS is masked; positions are relative"),
    Case("Llama, no padding token", decoder(LLAMA, pad=False), "EOS becomes padding: read one token early"),
    Case("GPT-2", decoder(GPT2), "left padding shifts absolute positions"),
    Case("GPT-2, doubled BOS", decoder(GPT2, bos=True), "the masked BOS still takes position 0; left padding"),
    Case("BERT, one text", encoder(BERT, PLAIN), "left padding: reads a padding token in place of [CLS]"),
    Case("BERT, pair", encoder(BERT, None), "one joined text, no segments; left padding", joined=True),
    Case("DeBERTa-v2, one text", encoder(DEBERTA, PLAIN), "left padding: reads a padding token in place of [CLS]"),
    Case("DeBERTa-v2, pair", encoder(DEBERTA, None), "one joined text; left padding", joined=True),
    Case("demo (BERT, pair)", demo, "one joined text, no segments; left padding", joined=True),
)


# ---- Pairs -----------------------------------------------------------------------------------------------------------


def panel_pairs(count: int) -> list[Pair]:
    """The best and the worst answer of questions of the panel that every model here can read, spread over it."""
    from transformers import AutoTokenizer

    from rmaudit.audit import select
    from rmaudit.resources import demo_model_dir

    tokenizer = AutoTokenizer.from_pretrained(demo_model_dir())
    pairs = []
    for item in select(None, None, (), "standard").panel.items:
        best, *_, worst = sorted(item.arms, key=lambda arm: -float(item.arms[arm].factors["grade"]))
        pair = (item.conversation(best), item.conversation(worst))
        texts = [" ".join(turn["content"] for turn in conversation) for conversation in pair]
        if len(item.prompt) == 1 and max(map(len, tokenizer(texts)["input_ids"])) < 450:
            pairs.append(pair)
    return pairs[:: max(1, len(pairs) // count)][:count]


def with_document(pairs: Sequence[Pair], words: int = 1_600) -> list[Pair]:
    """The same questions below one long document, made of the panel's answers."""
    text = " ".join(turn["content"] for pair in panel_pairs(1_000) for turn in pair[0] if turn["role"] == "assistant")
    document = " ".join(text.split()[:words])

    def below(conversation: list[dict[str, str]]) -> list[dict[str, str]]:
        first, *rest = conversation
        return [{**first, "content": f"{document}\n\n{first['content']}"}, *rest]

    return [(below(chosen), below(rejected)) for chosen, rejected in pairs]


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Pairs as RewardBench's command line reads them."""
    path.write_text("".join(json.dumps({"chosen": a, "rejected": b}) + "\n" for a, b in pairs))


# ---- The comparison --------------------------------------------------------------------------------------------------


def flat(pairs: Sequence[Pair]) -> list[list[dict[str, str]]]:
    """Conversations of pairs, in order."""
    return [conversation for pair in pairs for conversation in pair]


def plain_forward(folder: Path, conversations: Sequence[list[dict[str, str]]]) -> Any:
    """Rewards by the library's own class, one conversation at a time: no padding, and no code of either tool."""
    import numpy as np
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    begin, rewards = tokenizer.bos_token or tokenizer.cls_token, []
    for conversation in conversations:
        if tokenizer.chat_template:
            text = tokenizer.apply_chat_template(conversation, tokenize=False)
            inputs = tokenizer(text, add_special_tokens=not text.startswith(begin), return_tensors="pt")
        else:
            inputs = tokenizer(conversation[0]["content"], conversation[-1]["content"], return_tensors="pt")
        with torch.inference_mode():
            rewards.append(float(model(**inputs).logits[0, 0]))
    return np.asarray(rewards)


def compared(ours: Any, theirs: list[list[float]], sd: float | None = None) -> dict[str, Any]:
    """How rewards of the same pairs differ, both of shape ``(pairs, 2)``; `sd` is by default that of `ours`."""
    import numpy as np

    other = np.asarray(theirs, dtype=np.float64)
    worst = float(np.abs(ours - other).max())
    sign = np.sign(ours[:, 0] - ours[:, 1]) * np.sign(other[:, 0] - other[:, 1])
    ties = int((other[:, 0] == other[:, 1]).sum())
    return {"worst": worst, "sd": worst / (sd or float(ours.std())), "flips": int((sign < 0).sum()), "ties": ties}


def told(result: dict[str, Any]) -> str:
    """A comparison as three cells of a table."""

    def number(value: float) -> str:
        return f"{value:.2f}" if value >= 0.005 else f"{value:.0e}" if value else "0"

    return f"{number(result['worst'])} | {number(result['sd'])} | {result['flips']}"


class RewardBench:
    """RewardBench in its own environment."""

    def __init__(self, python: str, folder: Path) -> None:
        self.python, self.folder, self.versions = python, folder, {}

    def absent(self) -> str | None:
        """Why it cannot be used, or ``None``."""
        done = self._run("-c", "import rewardbench.rewardbench")
        return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no Python there"])[-1]

    def answer(self, jobs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answers to jobs, in order, from a process of their own."""
        path = self.folder / "jobs.json"
        path.write_text(json.dumps(jobs))
        done = self._run(str(Path(__file__).resolve()), "--worker", str(path))
        if done.returncode:
            sys.exit(f"RewardBench failed as a whole:\n{done.stderr[-3000:]}")
        answered = json.loads(path.with_suffix(".answers").read_text())
        self.versions = answered["versions"]
        return list(answered["answers"])

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        home = str(self.folder / "home")
        environment = os.environ | {"HF_HOME": home, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled"}
        environment |= {"TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}
        command = [self.python, *arguments]
        try:
            return subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
            )
        except OSError as error:
            return subprocess.CompletedProcess(command, 1, "", str(error))


def scores(answer: dict[str, Any]) -> list[list[float]]:
    """The scores of an answer, without which there is no table."""
    if "error" in answer:
        sys.exit(f"RewardBench gave no scores: {answer['error']}")
    return list(answer["scores"])


def same_checkpoints(bench: RewardBench, pairs: list[Pair]) -> None:
    """The main table."""
    import numpy as np

    import rmaudit

    jobs = []
    for case in CASES:
        (bench.folder / case.folder).mkdir()
        case.write(bench.folder / case.folder)
        template = {"chat_template": "raw"} if case.joined else {}
        for batch in (1, BATCH):
            common = {"model": case.folder, "dataset": "pairs.jsonl", "torch_dtype": "float32"}
            jobs.append({**common, "batch_size": batch, **template})
    answers = iter(bench.answer(jobs))
    print(
        f"\nRewards of {2 * len(pairs)} conversations in float32: largest difference, the same in SD of the model's "
        f"rewards, orders that flip among {len(pairs)} pairs\n\n"
        "| checkpoint | rmaudit from plain forward | RewardBench from rmaudit, one at a time | SD | flips "
        f"| in batches of {BATCH} | SD | flips | why |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    )
    for case in CASES:
        folder = bench.folder / case.folder
        ours = rmaudit.load(str(folder), device="cpu").score(flat(pairs))
        error = np.abs(ours - plain_forward(folder, flat(pairs))).max()
        theirs = [scores(next(answers)) for _ in (1, BATCH)]
        cells = [told(compared(ours.reshape(-1, 2), each)) for each in theirs]
        print(f"| {case.name} | {error:.0e} | {' | '.join(cells)} | {case.why} |", flush=True)
    # The last one is trained, so that its accuracy says who feeds it what it knows.
    right = [sum(a > b for a, b in each) for each in (ours.reshape(-1, 2), *theirs)]
    print(
        f"\n{CASES[-1].name}: the better of {len(pairs)} pairs of answers is preferred {right[0]} times by rmaudit, "
        f"{right[1]} by RewardBench one at a time, {right[2]} in batches of {BATCH}."
    )


def settings(bench: RewardBench, pairs: list[Pair], long: list[Pair]) -> None:
    """RewardBench's other settings: side of the padding, dtype, truncation."""
    import rmaudit

    named = {case.name: bench.folder / case.folder for case in CASES}
    script, plain = {"script": True}, {"torch_dtype": "float32"}
    rows: tuple[tuple[str, str, dict[str, Any], list[Pair]], ...] = (
        ("GPT-2", "as scripts/run_v2.py, which pads right", script, pairs),
        ("BERT, one text", "as scripts/run_v2.py, which pads right", script, pairs),
        ("DeBERTa-v2, one text", "as scripts/run_v2.py, which pads right", script, pairs),
        ("Llama", "--torch_dtype float16, the default", {"torch_dtype": "float16"}, pairs),
        ("Llama", "--torch_dtype bfloat16", {"torch_dtype": "bfloat16"}, pairs),
        ("Llama", "long prompts", plain, long),
        ("Llama", "long prompts, --force_truncation, to 512", {**plain, "force_truncation": True}, long),
        ("Llama", "long prompts, as scripts/run_v2.py, to 2,048", script, long),
        ("BERT, one text", "long prompts", plain, long),
    )
    jobs = [
        {"model": named[name].name, "dataset": "long.jsonl" if data is long else "pairs.jsonl", **arguments}
        for name, _, arguments, data in rows
    ]
    *answers, failed = bench.answer(jobs)
    print(
        "\nRewardBench's other settings, against rmaudit in float32\n\n"
        "| checkpoint | setting | pairs | largest difference | SD | flips | ties |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    )
    for (name, setting, _, data), answer in zip(rows[:-1], answers, strict=True):
        model = rmaudit.load(str(named[name]), device="cpu")
        sd = float(model.score(flat(pairs)).std())
        result = compared(model.score(flat(data)).reshape(-1, 2), scores(answer), sd)
        print(f"| {name} | {setting} | {len(data)} | {told(result)} | {result['ties']} |")
    lengths = rmaudit.load(str(named["Llama"]), device="cpu").lengths(flat(long))
    scored = rmaudit.load(str(named["BERT, one text"]), device="cpu").score_batch(flat(long)[:1])[0]
    print(f"\nLong prompts have {min(lengths):,} to {max(lengths):,} tokens. BERT reads 512 positions:")
    print(f"- RewardBench ends with {failed['error']}")
    print(f"- rmaudit gives no reward, and the reason: {scored.reason}")


def beheaded(root: Path) -> None:
    """A Llama classifier whose weights lack the head, as an adapter leaves it that was saved without."""
    from safetensors.torch import load_file, save_file

    decoder(LLAMA)(root)
    tensors = load_file(root / "model.safetensors")
    del tensors["score.weight"]
    save_file(tensors, root / "model.safetensors")


def no_head(bench: RewardBench, pairs: list[Pair]) -> None:
    """Checkpoints that hold no reward head at all."""
    import numpy as np

    import rmaudit

    print(
        f"\nNo head in the files: two loads of the same folder by RewardBench, {len(pairs)} pairs\n\n"
        "| checkpoint | largest difference | SD | flips | accuracies | rmaudit |\n"
        "| --- | ---: | ---: | ---: | --- | --- |"
    )
    causal = decoder("LlamaForCausalLM")
    for name, write in (("causal language model", causal), ("classifier without its head", beheaded)):
        model = name.replace(" ", "_")
        (bench.folder / model).mkdir()
        write(bench.folder / model)
        job = {"model": model, "dataset": "pairs.jsonl", "torch_dtype": "float32"}
        first, second = (np.asarray(scores(answer)) for answer in (*bench.answer([job]), *bench.answer([job])))
        accuracies = " and ".join(f"{(each[:, 0] > each[:, 1]).mean():.3f}" for each in (first, second))
        try:
            rmaudit.load(str(bench.folder / model))
            said = "loads it"
        except rmaudit.RmauditError as refusal:
            said = "refuses: " + str(refusal).replace(f"{bench.folder}{os.sep}", "").split(". ")[0]
        print(f"| {name} | {told(compared(first, second.tolist()))} | {accuracies} | {said} |")


def main() -> None:
    """Write the checkpoints, score them by both, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="Python of an environment with rewardbench")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    import torch
    import transformers

    import rmaudit

    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        # Not resolved: the Python of an environment is a link, and is told by its own path where that is.
        bench = RewardBench(os.path.abspath(options.python), Path(folder))
        reason = bench.absent()
        if reason:
            print(
                f"Skipped: {options.python} cannot run RewardBench ({reason}). Install it there, or name a Python "
                "that has it with --python."
            )
            return
        pairs = panel_pairs(options.pairs)
        long = with_document(pairs[:24])
        write_pairs(bench.folder / "pairs.jsonl", pairs)
        write_pairs(bench.folder / "long.jsonl", long)
        same_checkpoints(bench, pairs)
        settings(bench, pairs, long)
        no_head(bench, pairs)
        theirs = ", ".join(f"{name} {version}" for name, version in bench.versions.items())
        print(
            f"\nVersions: rmaudit {rmaudit.__version__} with transformers {transformers.__version__}, torch "
            f"{torch.__version__}; {theirs}; Python {platform.python_version()}, CPU."
        )


if __name__ == "__main__":
    main()
