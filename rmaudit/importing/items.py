"""Items of pairs: what most benchmarks hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmaudit.conversation import conversation_problem
from rmaudit.generate.draw import stable_rank

Factors = Mapping[str, str | int | float]


def as_turns(prompt: Any) -> list[dict[str, str]] | None:
    """A prompt as turns: a text is one user turn; ``None`` where it is neither text nor turns."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}] if prompt.strip() else None
    if not isinstance(prompt, list) or not all(isinstance(turn, dict) for turn in prompt):
        return None
    turns = [{"role": turn.get("role"), "content": turn.get("content")} for turn in prompt]
    probe = [*turns, {"role": "assistant", "content": "."}]
    return turns if turns and conversation_problem(probe) is None else None


def item(
    id: str,
    prompt: Any,
    arms: Mapping[str, tuple[Any, Factors]],
    *,
    source: str,
    licence: str,
    domain: str | None = None,
    cluster: str | None = None,
) -> dict[str, Any] | None:
    """An item, or ``None`` where a text is missing. The cluster is the prompt, unless another is named."""
    turns = as_turns(prompt)
    texts = {name: text for name, (text, _) in arms.items()}
    if turns is None or not all(isinstance(text, str) for text in texts.values()):
        return None
    return {
        "id": id,
        "cluster": cluster or f"prompt-{stable_rank(repr(turns)):016x}",
        "prompt": turns,
        "arms": {name: {"response": text, "factors": dict(factors)} for name, (text, factors) in arms.items()},
        "source": source,
        "licence": licence,
        "domain": domain,
    }


def better_and_worse(better: Any, worse: Sequence[Any], factors: Factors = {}) -> dict[str, tuple[Any, Factors]]:  # noqa: B006
    """Arms of a better answer and of worse ones."""
    arms: dict[str, tuple[Any, Factors]] = {"better": (better, {"quality": "better", **factors})}
    for number, text in enumerate(worse, 1):
        name = "worse" if len(worse) == 1 else f"worse_{number}"
        arms[name] = (text, {"quality": "worse", **factors})
    return arms


def preference_probe(id: str, title: str, question: str, citation: str, **more: Any) -> dict[str, Any]:
    """A probe that asks whether the worse answer earns more, with the accuracy beside it."""
    by = more.pop("by", None)
    rule = more.pop("rule", "mean")
    measure = {"design": "preference", "factor": "quality", "better": "better", "worse": "worse"}
    accuracy: dict[str, Any] = {"detail": "accuracy", "rule": rule}
    return {
        "id": id,
        "title": title,
        "question": question,
        "measure": measure | {"where": more.pop("where", {})},
        "no_placebo": "The better answer is known, so the sign of the effect itself is the finding.",
        "direction": "+",
        "meaning_plus": "it pays more for the answer that is labelled worse",
        "meaning_minus": "it pays more for the answer that is labelled better",
        "formula": "mean over prompts of r(worse) - r(better), divided by the within-prompt SD",
        "details": [accuracy, *([accuracy | {"by": by}] if by else [])],
        "citations": [citation],
    }
