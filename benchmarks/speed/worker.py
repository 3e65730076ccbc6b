"""One contender in a process of its own, under whichever Python has it: reads requests, scores, answers with seconds.

Nothing but the standard library is imported at the top. The texts are written out beforehand for all but rmaudit, whose
time includes templates, tokens and its plan.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Score = Callable[[dict[str, Any]], "list[float]"]
BATCH = 8


def main() -> None:
    """Answer requests until there are no more: one JSON object a line in and out."""
    settings = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    score = CONTENDERS[settings["contender"]](settings)
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        began, spent = time.perf_counter(), processor_seconds()
        rewards = score(request)
        seconds = {"wall": time.perf_counter() - began, "cpu": processor_seconds() - spent}
        print(json.dumps({"seconds": seconds[settings["clock"]], "rewards": rewards}), file=answers)


def processor_seconds() -> float:
    """Spent so far by this process and those that it started."""
    import psutil

    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def rewardbench(settings: dict[str, Any]) -> Score:
    """RewardBench's pipeline as its command line drives it: eight chosen texts, eight rejected ones, and so on."""
    import torch
    import transformers
    from rewardbench import REWARD_MODEL_CONFIG
    from transformers import AutoTokenizer

    torch.set_num_threads(settings["threads"])
    if settings["device"] == "cpu":  # its own is fixed
        move = transformers.BatchEncoding.to
        transformers.BatchEncoding.to = lambda self, device, **more: move(
            self, "cpu" if device == "cuda" else device, **more
        )
    config = REWARD_MODEL_CONFIG["default"]
    tokenizer = AutoTokenizer.from_pretrained(settings["checkpoint"])
    tokenizer.padding_side = "left"
    model = config["model_builder"](
        settings["checkpoint"], device_map=settings["device"], torch_dtype=getattr(torch, settings["dtype"])
    )
    pipe = config["pipeline_builder"]("text-classification", model=model, tokenizer=tokenizer)
    options = {"batch_size": BATCH, "truncation": False, "padding": True, "max_length": 2048}

    def score(request: dict[str, Any]) -> list[float]:
        texts = request["texts"]
        rewards: dict[int, float] = {}
        for start in range(0, len(texts), 2 * BATCH):
            block = range(start, min(start + 2 * BATCH, len(texts)))
            for places in (block[::2], block[1::2]):
                if places:
                    logits = pipe([texts[i] for i in places], **options)
                    rewards |= zip(places, logits.float().cpu().numpy()[:, 0].tolist(), strict=True)
        return [rewards[i] for i in range(len(texts))]

    return score


def pipeline(settings: dict[str, Any]) -> Score:
    """The text-classification pipeline of transformers."""
    import torch
    import transformers

    torch.set_num_threads(settings["threads"])
    pipe = transformers.pipeline(
        "text-classification",
        model=settings["checkpoint"],
        device=settings["device"],
        dtype=getattr(torch, settings["dtype"]),
    )

    def score(request: dict[str, Any]) -> list[float]:
        return [one["score"] for one in pipe(request["texts"], batch_size=BATCH, function_to_apply="none")]

    return score


def vllm(settings: dict[str, Any]) -> Score:
    """Offline classification by vLLM with prefix caching; the cache is emptied before each round."""
    from vllm import LLM, PoolingParams

    llm = LLM(
        settings["checkpoint"],
        runner="pooling",
        convert="classify",
        dtype=settings["dtype"],
        enable_prefix_caching=True,
        max_model_len=4096,
        disable_log_stats=True,
    )
    plain = PoolingParams(use_activation=False)

    def score(request: dict[str, Any]) -> list[float]:
        llm.reset_prefix_cache()
        found = llm.classify(request["texts"], pooling_params=plain, use_tqdm=False)
        return [one.outputs.probs[0] for one in found]

    return score


def rmaudit(settings: dict[str, Any]) -> Score:
    """This package, in float32 or another number type, with or without computing shared beginnings once."""
    import torch

    import rmaudit as package

    torch.set_num_threads(settings["threads"])
    model: Any = package.load(settings["checkpoint"], dtype=settings["dtype"], device=settings["device"])
    model.share = settings.get("share", True)

    def score(request: dict[str, Any]) -> list[float]:
        return [float(reward) for reward in model.score(request["conversations"])]

    return score


def peak(settings: dict[str, Any]) -> Score:
    """Operations a second of matrix products at the model's shapes: as torch computes them, and by oneDNN."""
    import torch

    from benchmarks.speed.checkpoint import PRODUCTS
    from rmaudit.models.products import FastProducts

    torch.set_num_threads(settings["threads"])
    dtype, device = getattr(torch, settings["dtype"]), settings["device"]
    layers = [
        (torch.randn(2048, i, dtype=dtype, device=device), torch.randn(o, i, dtype=dtype, device=device))
        for i, o in PRODUCTS
    ]
    work = sum(2 * 2048 * i * o for i, o in PRODUCTS)

    clock = {"wall": time.perf_counter, "cpu": time.process_time}[settings["clock"]]

    def seconds() -> float:
        began = clock()
        for states, weight in layers:
            torch.nn.functional.linear(states, weight)
        if device == "cuda":
            torch.cuda.synchronize()
        return clock() - began

    def score(request: dict[str, Any]) -> list[float]:
        del request
        with torch.inference_mode():
            plain = min(seconds() for _ in range(20))
            with FastProducts():
                return [work / plain, work / min(seconds() for _ in range(20))]

    return score


CONTENDERS: dict[str, Callable[[dict[str, Any]], Score]] = {
    function.__name__: function for function in (rewardbench, pipeline, vllm, rmaudit, peak)
}

if __name__ == "__main__":
    main()
