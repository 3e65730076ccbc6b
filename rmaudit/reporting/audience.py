"""Who a report is for. Readers differ in what they look at first and how deep; never in a number.

Everything stays in the document: what one reader does not need at once is folded, or stands in the appendix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Audience(StrEnum):
    """A reader of the report."""

    board = "board"
    engineer = "engineer"
    regulator = "regulator"


@dataclass(frozen=True)
class Reading:
    """Order and depth of a report for one reader."""

    audience: Audience
    label: str
    order: tuple[str, ...]
    """Parts of the document, in order: the headings of the disclosure list, and ``coverage``, ``methods``,
    ``reproduce``."""
    open: frozenset[str]
    """Folds that stand open: ``fields`` (questions of the disclosure list), ``figures`` (units, groups and counts of
    a finding), ``method``, ``examples``, ``more`` (further numbers), ``ruler`` and ``model``."""
    secondary_apart: bool
    """Whether secondary findings stand in the appendix."""


HEADINGS: Final = ("Human feedback", "Reward model", "Policy", "Systemic safety")
"""Headings of the disclosure list, in the order of Casper et al. (2023)."""

_HUMANS, _REWARD, _POLICY, _SAFETY = HEADINGS

READINGS: Final[Mapping[Audience, Reading]] = {
    Audience.board: Reading(
        audience=Audience.board,
        label="for a board",
        order=(_REWARD, _SAFETY, _POLICY, _HUMANS, "coverage", "methods", "reproduce"),
        open=frozenset({"examples"}),
        secondary_apart=True,
    ),
    Audience.engineer: Reading(
        audience=Audience.engineer,
        label="for engineers",
        order=(*HEADINGS, "coverage", "methods", "reproduce"),
        open=frozenset({"figures", "method", "examples", "ruler", "fields", "model"}),
        secondary_apart=False,
    ),
    Audience.regulator: Reading(
        audience=Audience.regulator,
        label="for a regulator",
        order=(*HEADINGS, "coverage", "methods", "reproduce"),
        open=frozenset({"fields", "figures", "method", "ruler", "more", "model"}),
        secondary_apart=False,
    ),
}
