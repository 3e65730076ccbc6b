"""What a run measures with: the panel and the suites, read from probe folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmaudit.errors import RunError, UsageError
from rmaudit.resources import probes_dir
from rmaudit.runs.manifest import Manifest
from rmaudit.suites.load import TIERS, LoadedSuite, load_suites
from rmaudit.suites.panel import Panel, load_panel
from rmaudit.suites.spec import Item


@dataclass(frozen=True)
class Selection:
    """What a run measures with: the panel, and each suite with the items of its tier."""

    panel: Panel
    suites: tuple[tuple[LoadedSuite, tuple[Item, ...]], ...]

    @property
    def named(self) -> list[tuple[str, Sequence[Item]]]:
        """Suite names with their items."""
        return [(suite.spec.suite, items) for suite, items in self.suites]

    @property
    def digests(self) -> dict[str, str]:
        """Digest of the panel and of each suite, by name."""
        return {"panel": self.panel.sha256} | {suite.spec.suite: suite.sha256 for suite, _ in self.suites}


def select(probes: Path | None, panel: Path | None, names: Sequence[str], tier: str) -> Selection:
    """Read the panel and the suites that a run uses.

    Raises:
        SuiteError: when one is missing or broken.
        UsageError: when there is no such tier.
    """
    if tier not in TIERS:
        raise UsageError(f"There is no tier {tier!r}. Use one of: {', '.join(TIERS)}.")
    loaded = load_suites(probes or probes_dir(), names)
    return Selection(load_panel(panel or probes_dir() / "panel"), tuple((suite, suite.tier(tier)) for suite in loaded))


def same_selection(run: Path, manifest: Manifest) -> Selection:
    """The panel and suites that a finished run used, as long as they are still the same."""
    settings = manifest.settings
    advice = "Verify it with the version of rmaudit (or the probe folder) that made it."
    try:
        selection = select(
            Path(manifest.probes) if manifest.probes else None,
            Path(manifest.panel) if manifest.panel else None,
            settings.suites,
            settings.tier,
        )
    except UsageError as error:
        raise RunError(f"The suites or the panel of the run in {run} cannot be read: {error} {advice}") from error
    changed = [name for name, digest in selection.digests.items() if settings.suite_sha256.get(name) != digest]
    if changed or len(selection.suites) + 1 != len(settings.suite_sha256):
        raise RunError(
            f"What the run in {run} measured with has changed since ({', '.join(changed)}), so its numbers cannot be "
            f"computed again. {advice}"
        )
    return selection
