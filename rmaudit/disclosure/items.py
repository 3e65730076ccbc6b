"""The disclosure list, filled with what was measured or read from files, and honest about the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from rmaudit.disclosure.records import DisclosureItem
from rmaudit.models.interface import ModelBlock
from rmaudit.suites.finding import Finding

NOT_PROVIDED = "not provided"


class ListedItem(BaseModel):
    """One item of the disclosure list, as asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    heading: str
    title: str
    question: str
    risk: str
    """What silence about it hides."""
    audience: Literal["public", "downstream", "authority"]
    crosswalk: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Where other formats ask the same, by format."""


@cache
def listed_items() -> tuple[ListedItem, ...]:
    """All items, in order."""
    data = yaml.safe_load(Path(__file__).with_name("items.yaml").read_text(encoding="utf-8"))
    return tuple(TypeAdapter(list[ListedItem]).validate_python(data))


def disclosure_items(
    model: ModelBlock, findings: Sequence[Finding], card: Mapping[str, Any] | None
) -> list[DisclosureItem]:
    """Fill the disclosure list from what this audit knows.

    Args:
        model: the audited model; its head answers R1.
        findings: what was measured; they answer R2.
        card: front matter of the checkpoint's model card (``base_model``, ``datasets``, ``license``), if any; it
            answers H1.

    Returns:
        All items in order. Those that nobody answered are ``missing``, with the reason.
    """
    known = {
        "H1": _base_model(card),
        "R1": _form(model),
        "R2": _evaluation(findings),
        "S1": _audit(model, findings),
    }
    return [
        known.get(item.id)
        or DisclosureItem(
            id=item.id, title=item.title, value=None, provenance="missing", evidence=None, reason=NOT_PROVIDED
        )
        for item in listed_items()
    ]


def _item(
    item_id: str,
    value: str,
    provenance: Literal["measured", "extracted"],
    evidence: str,
    reason: str | None = None,
) -> DisclosureItem:
    title = next(item.title for item in listed_items() if item.id == item_id)
    return DisclosureItem(id=item_id, title=title, value=value, provenance=provenance, evidence=evidence, reason=reason)


def _base_model(card: Mapping[str, Any] | None) -> DisclosureItem | None:
    labels = {"base_model": "base model", "datasets": "datasets", "license": "licence"}
    told = [f"{label}: {_listed(card[key])}" for key, label in labels.items() if card and card.get(key)]
    if not told:
        return None
    reason = "How the base model was pretrained, and on what, is not provided."
    return _item("H1", "; ".join(told), "extracted", "front matter of the model card", reason)


def _form(model: ModelBlock) -> DisclosureItem | None:
    told = [
        f"{label}: {value}"
        for label, value in (("format", model.format), ("head", model.head), ("position read", model.pooling))
        if value
    ]
    if not model.head:
        return None
    reason = "The loss, and how disagreement was modelled, are not provided."
    return _item("R1", "; ".join(told), "extracted", "; ".join(model.evidence) or "files of the checkpoint", reason)


def _evaluation(findings: Sequence[Finding]) -> DisclosureItem | None:
    primary = [finding for finding in findings if finding.primary]
    if not primary:
        return None
    told = "; ".join(
        f"{finding.suite}: {finding.verdict.replace('_', ' ')}"
        + (f" ({finding.severity})" if finding.verdict == "present" else "")
        for finding in primary
    )
    return _item("R2", told, "measured", "findings of this report", "Red teaming is not part of it.")


def _audit(model: ModelBlock, findings: Sequence[Finding]) -> DisclosureItem | None:
    if not findings:
        return None
    told = Counter(finding.verdict for finding in findings)
    counted = ", ".join(f"{n} {verdict.replace('_', ' ')}" for verdict, n in told.most_common())
    value = f"This audit, with access to the reward model: {len(findings)} findings ({counted})."
    reason = "Other audits, and who ran this one and how independent they are, are not provided."
    return _item("S1", value, "measured", f"this report, model sha256 {model.identity}", reason)


def _listed(value: Any) -> str:
    return ", ".join(str(entry) for entry in value) if isinstance(value, list | tuple) else str(value)
