"""What the plain files that a trainer leaves beside a checkpoint tell of the training. No pickle is opened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from rmaudit.errors import LoadRefusedError
from rmaudit.models import safety

_STATE = "trainer_state.json"
_ADAPTER = "adapter_config.json"
_PICKLE = "training_args.bin"
_UNREAD = f"{_PICKLE} may tell, and was not opened, since it is a pickle."


class Told(BaseModel):
    """One thing that the files tell, or why they do not."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    value: str | None
    evidence: str | None
    """File, with its sha256 where it is not part of the model's identity."""
    reason: str | None = None


def read_training(folder: Path, digests: Mapping[str, str] | None = None) -> dict[str, Told]:
    """What a checkpoint's plain files tell of how it was trained.

    Args:
        folder: the checkpoint.
        digests: sha256 of files of the checkpoint, by name.

    Returns:
        Some of ``tokenizer`` (hash of its file), ``base_model``, ``method`` (adapter, epochs, batch size), ``curve``
        (first, last and lowest loss) and ``computation``. What cannot be read is left out.
    """
    adapter, state = _json(folder, _ADAPTER), _json(folder, _STATE)
    tokenizer = (digests or {}).get("tokenizer.json")
    base = adapter.get("base_model_name_or_path")
    pickle = (folder / _PICKLE).exists()
    source = f"{_STATE}, sha256 {safety.sha256_of(folder / _STATE)}" if state else None
    method = [*_adapter(adapter), *_schedule(state)]
    sources = [*([_ADAPTER] if _adapter(adapter) else []), *([source] if source and _schedule(state) else [])]
    told = {
        "tokenizer": Told(value=f"sha256 {tokenizer}", evidence="tokenizer.json") if tokenizer else None,
        "base_model": Told(value=_short(base), evidence=_ADAPTER) if isinstance(base, str) and base else None,
        "method": Told(
            value="; ".join(method) or None, evidence="; ".join(sources) or _PICKLE, reason=_UNREAD if pickle else None
        )
        if method or pickle
        else None,
        "curve": Told(value=curve, evidence=source) if (curve := _curve(state)) else None,
        "computation": Told(
            value=f"{flos:.3g} floating-point operations, as the trainer counted them",
            evidence=source,
            reason="Hardware and time are not told by this file.",
        )
        if (flos := _number(state.get("total_flos")))
        else None,
    }
    return {name: entry for name, entry in told.items() if entry is not None}


def _json(folder: Path, name: str) -> dict[str, Any]:
    if not (folder / name).exists():
        return {}
    try:
        return safety.read_json(folder, name)
    except (LoadRefusedError, OSError):
        return {}


def _adapter(config: Mapping[str, Any]) -> list[str]:
    kind = config.get("peft_type")
    if not isinstance(kind, str):
        return []
    told = [
        f"{label} {value:g}"
        for label, key in (("rank", "r"), ("alpha", "lora_alpha"), ("dropout", "lora_dropout"))
        if (value := _number(config.get(key))) is not None
    ]
    modules = config.get("target_modules")
    named = sorted(entry for entry in modules if isinstance(entry, str)) if isinstance(modules, list) else []
    where = [f"on {', '.join(map(_short, named[:12]))}"] if named else []
    return [f"{_short(kind)} adapter: {', '.join([*told, *where])}" if told or where else f"{_short(kind)} adapter"]


def _schedule(state: Mapping[str, Any]) -> list[str]:
    labels = (
        ("epochs", "epoch"),
        ("epochs planned", "num_train_epochs"),
        ("steps", "global_step"),
        ("batch size of a device", "train_batch_size"),
    )
    told = [f"{label}: {value:,.6g}" for label, key in labels if (value := _number(state.get(key))) is not None]
    rates = [rate for entry in _history(state) if (rate := _number(entry.get("learning_rate"))) is not None]
    return [*told, *([f"highest learning rate: {max(rates):.3g}"] if rates else [])]


def _curve(state: Mapping[str, Any]) -> str | None:
    parts = []
    for label, key, best in (
        ("loss", "loss", min),
        ("loss on held-out data", "eval_loss", min),
        ("accuracy on held-out data", "eval_accuracy", max),
    ):
        points = [
            (step, value)
            for entry in _history(state)
            if (value := _number(entry.get(key))) is not None and (step := _number(entry.get("step"))) is not None
        ]
        if points:
            (first, start), (last, end) = points[0], points[-1]
            extreme = best(value for _, value in points)
            word = "lowest" if best is min else "highest"
            parts.append(
                f"{label}: {start:.4g} at step {first:,.0f}, {end:.4g} at step {last:,.0f}, {word} {extreme:.4g}"
                if len(points) > 1
                else f"{label}: {end:.4g} at step {last:,.0f}"
            )
    return "; ".join(parts) or None


def _history(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    history = state.get("log_history")
    return [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []


def _number(value: Any) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and math.isfinite(value) else None


def _short(text: str) -> str:
    return text[:200]
