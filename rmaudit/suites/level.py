"""Levels of a factor."""

from __future__ import annotations

Level = str | int | float | bool
